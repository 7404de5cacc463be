"""Facts in the name of a log file: the account and region of its records, and when it was delivered.

CloudTrail names its files `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHMMZ_UNIQUE.json.gz`, in any folder. Other names give no
facts, so these files are always read, whatever the filters.
"""

from __future__ import annotations

import datetime as dt
import re

import msgspec

_NAME = re.compile(
    r"(?:^|[/\\])([0-9]{12})_CloudTrail_([a-z0-9-]+)_([0-9]{8}T[0-9]{4})Z_[A-Za-z0-9]+\.json(?:\.gz)?$", re.ASCII
)


class FileNameFacts(msgspec.Struct, frozen=True):
    """Facts about a file, or all files of a folder, known without opening it; `None`: unknown."""

    account: str | None = None
    """The account of its records (12 digits)."""
    region: str | None = None
    """The region of its records."""
    first: dt.datetime | None = None
    """The earliest possible time of its delivery, in UTC; `None` if and only if `end` is."""
    end: dt.datetime | None = None
    """The end of the time of its delivery, exclusive."""


def facts_of(name: str) -> FileNameFacts | None:
    """Parse the last part of a path or key; `None` if it is not a name that CloudTrail gives."""
    if not (found := _NAME.search(name)):
        return None
    account, region, stamp = found.groups()
    try:
        first = dt.datetime.strptime(stamp, "%Y%m%dT%H%M").replace(tzinfo=dt.UTC)
        return FileNameFacts(account, region, first, first + dt.timedelta(minutes=1))
    except (ValueError, OverflowError):  # no such day
        return FileNameFacts(account, region)
