"""Collects the events that issue credentials, and links records to the root of their sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from cloudsigma.engine.match import Match
from cloudsigma.engine.session_link import Link
from cloudsigma.sessions.caller import read_caller
from cloudsigma.sessions.issue import Issue, read_issues
from cloudsigma.sessions.issue_index import IssueIndex
from cloudsigma.sessions.link import link


class Sessions:
    """Finds the identity behind a call: add records in any order, then link.

        sessions = cloudsigma.Sessions()
        for record in records:
            sessions.add(record)
        print(sessions.link(record).root)

    The order of the records does not matter, but `link` uses only the records added before it. Issued sessions are kept
    in a temporary file, not in memory. May be used from several threads.
    """

    def __init__(self) -> None:
        self._index = IssueIndex()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """The number of issued credentials."""
        with self._lock:
            return len(self._index)

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a record; sign-ins and the STS, IAM and Roles Anywhere events that issue credentials are kept."""
        if issues := read_issues(record):
            self.add_issues(issues)

    def add_issues(self, issues: Iterable[Issue]) -> None:
        """Add issued credentials that `read_issues` parsed elsewhere, such as in a worker process."""
        with self._lock:
            for issue in issues:
                self._index.add(issue)

    def linked(self, match: Match) -> Match:
        """The match with its session linked; for a correlation, also the sessions of its matches."""
        parts = tuple(map(self.linked, match.matches))
        return structs.replace(match, session=self.link(match.record), matches=parts)

    def link(self, record: Mapping[str, Any]) -> Link:
        """The root of the session that made a call, with every step to it."""
        caller = read_caller(record)
        if caller is None:
            return Link(None, (), "unknown", "the record names no caller", "none")
        with self._lock:
            return link(caller, self._index, signs_in=record.get("eventSource") == "signin.amazonaws.com")
