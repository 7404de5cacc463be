"""Links matches that were written as JSON lines: replaces `session`; every other member keeps its value."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from cloudsigma.engine.json_form import plain_json
from cloudsigma.sessions import Sessions


class NoMatchError(ValueError):
    """A line is not a match."""


class MatchLinker:
    """Links the sessions of matches that are given as JSON.

    Args:
        sessions: The sessions, to which all events that issued credentials have been added.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.certainties: Counter[str] = Counter()
        """Certainty of a link → matches; `no record` for matches that were written without their record."""

    def linked(self, line: bytes) -> bytes:
        """The line with the session of its match, and of the matches of a correlation.

        Raises:
            NoMatchError: The line is not JSON, or not a match.
        """
        try:
            form = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise NoMatchError("it is not JSON") from error
        if not isinstance(form, dict) or not {"rule_id", "key"} <= form.keys():
            raise NoMatchError("it has no rule_id and key")
        self.certainties[self._link(form)] += 1
        return plain_json(form)

    def _link(self, form: dict[str, Any]) -> str:
        """Replace the session; gives its certainty."""
        nested = form.get("matches")
        for each in nested if isinstance(nested, list) else ():
            if isinstance(each, dict):
                self._link(each)
        record = form.get("record")
        if not isinstance(record, dict):
            return "no record"
        link = self._sessions.link(record)
        form["session"] = link.to_dict()
        return link.certainty
