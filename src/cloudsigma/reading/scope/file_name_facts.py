"""What the name of a file tells of the records in it: which account and region, and when it was delivered.

CloudTrail names its files `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHMMZ_UNIQUE.json.gz`, wherever they lie. A name of
another form tells nothing, and such a file is read whatever is asked for.
"""

from __future__ import annotations

import datetime as dt
import re

import msgspec

_NAME = re.compile(
    r"(?:^|[/\\])([0-9]{12})_CloudTrail_([a-z0-9-]+)_([0-9]{8}T[0-9]{4})Z_[A-Za-z0-9]+\.json(?:\.gz)?$", re.ASCII
)


class Delivery(msgspec.Struct, frozen=True):
    """What is known of a file, or of all files of a folder, without opening it; `None` where nothing is."""

    account: str | None = None
    """The account whose trail it is of (12 digits)."""
    region: str | None = None
    """The region that the events happened in."""
    first: dt.datetime | None = None
    """The earliest moment of its delivery, in UTC; `None` together with `end`."""
    end: dt.datetime | None = None
    """The moment after the latest of its delivery."""


def delivery_of(name: str) -> Delivery | None:
    """What a path or key says by its last part; `None` where it is none of CloudTrail's names."""
    if not (found := _NAME.search(name)):
        return None
    account, region, stamp = found.groups()
    try:
        first = dt.datetime.strptime(stamp, "%Y%m%dT%H%M").replace(tzinfo=dt.UTC)
        return Delivery(account, region, first, first + dt.timedelta(minutes=1))
    except (ValueError, OverflowError):  # no such day
        return Delivery(account, region)
