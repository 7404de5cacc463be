"""The layout of CloudTrail's keys in a bucket, and the facts in a prefix about the files below it.

`PREFIX/AWSLogs/[ORGANIZATION/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/FILE`. The user chooses PREFIX; only the trails of
an organization have ORGANIZATION. The date is that of delivery, in UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Literal

import msgspec

from cloudsigma.errors import UsageError
from cloudsigma.reading.scope.file_name_facts import FileNameFacts

SCHEME = "s3://"

Stage = Literal["logs", "organization", "account", "service", "trail", "region", "year", "month", "day"]
"""The kind of a prefix's last part; `service` means a service other than CloudTrail's log files."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_LOGS = "AWSLogs"
_TRAIL = "CloudTrail"
_ORGANIZATION = re.compile(r"o-[a-z0-9]{4,32}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+-[0-9]+")
_DATE: tuple[tuple[Stage, re.Pattern[str]], ...] = (
    ("year", re.compile(r"[0-9]{4}")),
    ("month", re.compile(r"[0-9]{2}")),
    ("day", re.compile(r"[0-9]{2}")),
)


class Location(msgspec.Struct, frozen=True):
    """A bucket and the beginning of keys in it."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}"


class TrailPrefix(msgspec.Struct, frozen=True):
    """A parsed prefix of CloudTrail's layout."""

    stage: Stage
    delivery: FileNameFacts = FileNameFacts()
    service: str | None = None


def parse_location(url: str) -> Location:
    """Parse `s3://bucket/prefix`.

    Raises:
        UsageError: The name of the bucket is missing or malformed.
    """
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    if not url.startswith(SCHEME) or not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{url!r} names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX")
    return Location(bucket, prefix)


def trail_prefix(prefix: str) -> TrailPrefix | None:
    """Parse a prefix that ends with `/`; `None` if it does not follow CloudTrail's layout."""
    parts = prefix.split("/")[:-1]
    if _LOGS not in parts:
        return None
    below = parts[len(parts) - parts[::-1].index(_LOGS) :]
    stage: Stage = "logs"
    if below and _ORGANIZATION.fullmatch(below[0]):
        stage = "organization"
        del below[0]
    if not below:
        return TrailPrefix(stage)
    account, *below = below
    if not _ACCOUNT.fullmatch(account):
        return None
    if not below:
        return TrailPrefix("account", FileNameFacts(account))
    service, *below = below
    if service != _TRAIL:
        return TrailPrefix("service", FileNameFacts(account), service)
    if not below:
        return TrailPrefix("trail", FileNameFacts(account), service)
    region, *date = below
    if not _REGION.fullmatch(region) or len(date) > len(_DATE):
        return None
    if not date:
        return TrailPrefix("region", FileNameFacts(account, region), service)
    if not all(form.fullmatch(part) for part, (_, form) in zip(date, _DATE, strict=False)):
        return None
    first, end = _stretch([int(part) for part in date])
    return TrailPrefix(_DATE[len(date) - 1][0], FileNameFacts(account, region, first, end), service)


def _stretch(date: list[int]) -> tuple[dt.datetime, dt.datetime] | tuple[None, None]:
    """The beginning and the end (exclusive) of a year, month or day; `None` for both if the date is invalid."""
    year, month, day = [*date, 1, 1][:3]
    try:
        first = dt.datetime(year, month, day, tzinfo=dt.UTC)
        match len(date):
            case 1:
                return first, first.replace(year=year + 1)
            case 2:
                return first, (first + dt.timedelta(days=31)).replace(day=1)
            case _:
                return first, first + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        return None, None
