"""Filters records by time window, accounts and regions.

There are two steps. The first only saves work: a file is skipped if its name shows that it contains no requested
records. The second checks each record by its own fields. A record without the fields that decide is kept.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cloudsigma.arguments import texts
from cloudsigma.engine.context.event_time import read_time
from cloudsigma.errors import UsageError, shown_value
from cloudsigma.reading.scope.file_name_facts import FileNameFacts
from cloudsigma.reading.scope.time_window import Moment, TimeWindow, time_window

LATE = dt.timedelta(days=1)
"""Greatest delay between an event and the delivery of its file. AWS says about five minutes; retries take hours."""
EARLY = dt.timedelta(hours=1)
"""Greatest time by which a file's stamp may precede its events: clocks differ, and stamps are truncated to minutes."""

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+-[0-9]+")

OUTSIDE_TIME = "outside the time"
OTHER_ACCOUNTS = "of other accounts"
OTHER_REGIONS = "of other regions"


class Selection(msgspec.Struct, frozen=True):
    """Filters for files and records; the default selects everything."""

    window: TimeWindow = TimeWindow()
    accounts: frozenset[str] = frozenset()
    """Account IDs; empty: all accounts."""
    regions: frozenset[str] = frozenset()
    """Regions; empty: all regions."""

    @property
    def everything(self) -> bool:
        """Whether it selects every record."""
        return not (self.window.bounded or self.accounts or self.regions)

    def leaves_out(self, delivery: FileNameFacts) -> str | None:
        """The reason to skip a file by the facts in its name; `None`: it may contain requested records."""
        if self.accounts and delivery.account is not None and delivery.account not in self.accounts:
            return OTHER_ACCOUNTS
        if self.regions and delivery.region is not None and delivery.region not in self.regions:
            return OTHER_REGIONS
        if delivery.first is not None and delivery.end is not None and not self.near(delivery.first, delivery.end):
            return OUTSIDE_TIME
        return None

    def near(self, first: dt.datetime, end: dt.datetime) -> bool:
        """Whether a file delivered from `first` to before `end` may contain events of the time window."""
        return self.window.meets(first, end, early=EARLY, late=LATE)


class RecordFilter:
    """Filters records one by one, and counts those left out."""

    def __init__(
        self, selection: Selection, left_out: Counter[str], kept: Counter[str], among: str = "records"
    ) -> None:
        """Count records in `left_out`, and records kept for lack of a field in `kept`; `among` is their name there."""
        self._selection = selection
        self._left_out = left_out
        self._kept = kept
        self._among = among

    def keeps(self, record: Mapping[str, Any]) -> bool:
        """Whether to keep a record; a record without the fields that decide is kept."""
        selection = self._selection
        unknown = []
        if selection.window.bounded:
            when = read_time(record.get("eventTime"))
            if when is None:
                unknown.append("time")
            elif not selection.window.holds(when):
                return self._leave(OUTSIDE_TIME)
        if selection.accounts:
            account = account_of(record)
            if account is None:
                unknown.append("account")
            elif account not in selection.accounts:
                return self._leave(OTHER_ACCOUNTS)
        if selection.regions:
            region = record.get("awsRegion")
            if not isinstance(region, str):
                unknown.append("region")
            elif region not in selection.regions:
                return self._leave(OTHER_REGIONS)
        for what in unknown:
            self._kept[f"{self._among} without {'an' if what == 'account' else 'a'} {what}"] += 1
        return True

    def _leave(self, reason: str) -> bool:
        self._left_out[f"{self._among} {reason}"] += 1
        return False


_ACCOUNTS = "account IDs as text, such as ['111122223333']"
_REGIONS = "names of regions as text, such as ['us-east-1']"


def select(
    since: Moment | None = None,
    until: Moment | None = None,
    accounts: str | Iterable[str] = (),
    regions: str | Iterable[str] = (),
) -> Selection:
    """Validate filters, and return them as a `Selection`.

    Raises:
        UsageError: A time, an account or a region is malformed, or the time window is empty.
    """
    return Selection(
        time_window(since, until),
        _checked("account", texts("accounts", accounts, _ACCOUNTS), _ACCOUNT, "12 digits, such as 111122223333"),
        _checked("region", texts("regions", regions, _REGIONS), _REGION, "a name such as us-east-1"),
    )


def _checked(kind: str, values: Iterable[str], form: re.Pattern[str], said: str) -> frozenset[str]:
    chosen = frozenset(values)
    for value in sorted(chosen):
        if not form.fullmatch(value):
            raise UsageError(f"{shown_value(value)} is not {'an account ID' if kind == 'account' else 'a region'}: "
                             f"give {said}")  # fmt: skip
    return chosen


def account_of(record: Mapping[str, Any]) -> str | None:
    """The affected account, as in `context.account`: the recipient's, else the caller's."""
    account = record.get("recipientAccountId")
    if not isinstance(account, str):
        identity = record.get("userIdentity")
        account = identity.get("accountId") if isinstance(identity, Mapping) else None
    return account if isinstance(account, str) else None
