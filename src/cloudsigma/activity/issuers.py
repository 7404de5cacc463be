"""The credentials that events of a trail issued, collected by the fast path."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cloudsigma.activity.survey import records_through
from cloudsigma.reading.account.ledger import Ledger, Recorder
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.fast_path.probe import Probe
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.scope.time_window import TimeWindow
from cloudsigma.sessions.issue import ISSUING_EVENTS, Issue, read_issues

LONGEST_SESSION = dt.timedelta(hours=36)
"""The longest life of a session: federation tokens of IAM users last this long."""


def collect_issues(
    paths: Sequence[str | os.PathLike[str]],
    take: Callable[[Issue], None],
    selection: Selection | None = None,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
) -> Ledger:
    """Find the credentials that were issued in a time and up to 36 hours before; gives the account of the reading.

    Args:
        paths: Files, folders and places in S3.
        take: Called with the credentials.
        selection: The time of the sessions' calls. Issuers are looked for in all accounts and regions.
        limits: Bounds on what is read.
        watcher: Is told about the progress; the stage is `linking`.
    """
    window = selection.window if selection is not None else TimeWindow(None, None)
    earlier = window.since
    if earlier is not None:
        beginning = dt.datetime.min.replace(tzinfo=dt.UTC)
        earlier = earlier - LONGEST_SESSION if earlier - beginning > LONGEST_SESSION else beginning
    recorder = Recorder()
    chosen = Selection(TimeWindow(earlier, window.until))
    for record in records_through(_Issuing(), paths, recorder, chosen, limits, watcher, "linking"):
        for issue in read_issues(record):
            take(issue)
    return recorder.ledger


class _Issuing(Probe):
    """Selects events that issue credentials."""

    fields = ("eventName",)

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """The records of these events."""
        return [at for at, event in enumerate(columns[0]) if event in ISSUING_EVENTS]

    def accepted(self) -> None:
        """Nothing is kept between files."""
