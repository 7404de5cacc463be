"""Correlations as a pure step: state and matches in, state and the matches of correlations out.

For engines that keep the state themselves, such as Spark's stateful streams. A state is a text with a version: data
only, compressed, and each record in it once.

    1:BASE64 of zlib of {"watermark": …, "records": [RECORD, …], "entries": [[RULE, DIGEST, GROUP, ENTRY], …]}

`ENTRY` is a form of `entry_form.py`, whose records are numbers in the list `records`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import logging
import math
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from cloudsigma.correlation.correlator import Correlator
from cloudsigma.correlation.entry import Entry
from cloudsigma.correlation.entry_form import entry_form, read_entry
from cloudsigma.correlation.storage import Group, Storage, Stored
from cloudsigma.correlation.watermark import Watermark
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import UsageError

VERSION = "1"
"""The version of the text."""

_log = logging.getLogger("cloudsigma")
_MOST = 1 << 30
"""Most bytes that a state may inflate to."""


class Step(NamedTuple):
    """The result of a step."""

    state: str | None
    """The new state; `None` if there is nothing to keep."""
    matches: tuple[Match, ...]
    """The matches of correlations that are complete now, with those of suppressed rules."""
    due: float | None
    """The time at which the first open frame ends, in seconds since 1970; `None` if none is open."""


def step(
    rules: Iterable[Rule],
    state: str | None,
    matches: Iterable[Match],
    until: float | None = None,
    *,
    group: Group | None = None,
) -> Step:
    """Take matches of detection rules, then close the time frames that no later event can change.

    However a stream is cut into steps, and in whatever order its matches come, the steps together give the matches of
    one `Correlator`, as long as no match comes after its time was passed by `until`.

    Args:
        rules: The correlations and the rules that they refer to.
        state: The state that the step before returned; `None`: there was none.
        matches: The matches, including suppressed ones.
        until: No event from before this time will come, in seconds since 1970; infinite: the input has ended. `None`
            closes nothing.
        group: Only this group, for engines that keep a state for each: the matches also belong to other groups, of
            which other steps take care. There must be one correlation then.

    Raises:
        UsageError: The state is damaged, or a newer version wrote it.
    """
    known = tuple(rules)
    storage = TextStorage(state, known, group)
    correlator = Correlator(known, state=storage, max_entries=None)
    given = correlator.feed(matches)
    if until is not None:
        given += (
            correlator.close() if until == math.inf else correlator.advance(dt.datetime.fromtimestamp(until, dt.UTC))
        )
    if group is not None:
        given = tuple(match for match in given if tuple(match.group.values()) == group)
    return Step(storage.text(), given, storage.due)


class TextStorage(Storage):
    """The open entries of a correlator in memory, read from a text and written to one.

    Args:
        text: A text that `text` returned; `None`: there are no entries.
        rules: The rules of the correlator.
        group: Store only entries of this group.

    Raises:
        UsageError: The text is damaged, or a newer version wrote it.
    """

    def __init__(self, text: str | None, rules: Iterable[Rule], group: Group | None = None) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._group = group
        read = _decoded(text) if text is not None else {}
        try:
            self.watermark = msgspec.convert(read.get("watermark"), Watermark | None) or Watermark()
        except msgspec.MsgspecError as error:
            raise _damaged(error) from error
        self._records: list[Any] = read.get("records", [])
        self._stored: list[list[Any]] = read.get("entries", [])
        self._entries: dict[int, tuple[Rule, Group, float, Entry]] = {}

    def entries(self) -> Iterator[Stored]:
        """The entries in the text."""
        changed: set[str] = set()
        stored, self._stored = self._stored, []
        for each in stored:
            try:
                rule_id, digest, group, form = each
                rule = self._rules.get(rule_id)
                current = rule is not None and rule.identity == digest
                read = read_entry(form, self._rules, lambda at: self._records[at]) if current else None
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, msgspec.MsgspecError) as error:
                raise _damaged(error) from error
            if rule is None or read is None:
                changed.add(rule_id)
                continue
            time, entry = read
            self._entries[id(entry)] = (rule, tuple(group), time, entry)
            yield rule_id, tuple(group), time, entry
        for rule_id in sorted(changed):
            _log.warning("the correlation %s has changed: its open frames are left out", rule_id)

    def put(self, rule: Rule, group: Group, time: float, entry: Entry) -> None:
        """Store an entry, which is written when the text is asked for."""
        if self._group is None or group == self._group:
            self._entries[id(entry)] = (rule, group, time, entry)

    def drop(self, rule: Rule, entries: Iterable[Entry]) -> None:  # noqa: ARG002  # the signature of `Storage`
        """Delete entries that are used up."""
        for entry in entries:
            self._entries.pop(id(entry), None)

    def commit(self) -> None:
        """Nothing to do: `text` writes the state."""

    def close(self) -> None:
        """Nothing to do: nothing is open."""

    @property
    def due(self) -> float | None:
        """The time at which the first frame ends, in seconds since 1970."""
        ends = (
            time + rule.correlation.timespan
            for rule, _, time, _ in self._entries.values()
            if rule.correlation is not None
        )
        return min(ends, default=None)

    def text(self) -> str | None:
        """The state as text; `None` if there is nothing to keep."""
        if not self._entries and self.watermark == Watermark():
            return None
        records: list[Any] = []
        places: dict[int, int] = {}  # of records, which the entries keep alive

        def hold(record: Any) -> int:
            if id(record) not in places:
                places[id(record)] = len(records)
                records.append(json_ready(record))
            return places[id(record)]

        entries = [
            (rule.id, rule.identity, group, entry_form(rule, time, entry, hold))
            for rule, group, time, entry in self._entries.values()
        ]
        form = {"watermark": msgspec.to_builtins(self.watermark), "records": records, "entries": entries}
        return f"{VERSION}:{base64.b64encode(zlib.compress(json.dumps(form).encode(), 1)).decode()}"


def _decoded(text: str) -> dict[str, Any]:
    version, separator, content = text.partition(":")
    if separator and version != VERSION and version.isdecimal():
        raise UsageError(
            f"the state of correlations has the version {version[:9]}, and this cloudsigma reads version {VERSION}; "
            "use the version that wrote it, or start over without the state"
        )
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(content, validate=True), _MOST)
        form = json.loads(data)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise _damaged(error) from error
    if not isinstance(form, dict) or not inflater.eof:
        raise _damaged(ValueError("it is cut off, or no object"))
    return form


def _damaged(error: Exception) -> UsageError:
    return UsageError(f"the state of correlations is damaged ({error}); start over without it")
