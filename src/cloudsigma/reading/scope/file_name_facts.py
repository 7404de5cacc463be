"""Facts in the name of a log file: the account and region of its records, and when it was delivered.

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


class FileNameFacts(msgspec.Struct, frozen=True):
    """Facts about a file, or all files of a folder, without opening it; `None` for those that are unknown."""

    account: str | None = None
    """The account whose trail it is of (12 digits)."""
    region: str | None = None
    """The region that the events happened in."""
    first: dt.datetime | None = None
    """The earliest moment of its delivery, in UTC; `None` together with `end`."""
    end: dt.datetime | None = None
    """The moment after the latest of its delivery."""


def facts_of(name: str) -> FileNameFacts | None:
    """The facts in the last part of a path or key; `None` if that is not one of CloudTrail's names."""
    if not (found := _NAME.search(name)):
        return None
    account, region, stamp = found.groups()
    try:
        first = dt.datetime.strptime(stamp, "%Y%m%dT%H%M").replace(tzinfo=dt.UTC)
        return FileNameFacts(account, region, first, first + dt.timedelta(minutes=1))
    except (ValueError, OverflowError):  # no such day
        return FileNameFacts(account, region)
