"""An entry: one event, or one match of another correlation, inside a group."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudsigma.engine.identity import event_id, same_event
from cloudsigma.engine.match import Match


class Entry(msgspec.Struct, gc=False):
    """One event, or one match of another correlation, inside a group; its moment holds the time.

    Each open event has one, so it is small; it is never part of a cycle, so the garbage collector need not track it.
    """

    match: Match
    """The match that made it."""
    rules: tuple[str, ...]
    """IDs of the rules that matched the event."""
    measured: tuple[Any, ...] = ()
    """For `value_count` the different values (a text, or a tuple of texts for several fields); for the metric types
    the numbers."""
    others: tuple[Match, ...] = ()
    """Matches of the same event by more rules."""

    @property
    def matches(self) -> tuple[Match, ...]:
        """All matches of the event."""
        return (self.match, *self.others)


Key = str | tuple[str, ...]
"""A group: the value of a single field in `group-by`, otherwise a tuple of the fields' values, perhaps empty."""

Moment = dict[object, Entry]
"""The entries of one group and one time, in order of arrival, by a key that identifies the event."""


def key_of(match: Match) -> object:
    """Identifies an event within a moment. Events that share an ID share the key: `find_in` compares them in full."""
    if match.matches:
        return (match.key,)
    event = event_id(match.record)
    return event if event is not None else id(match.record)


def find_in(moment: Moment, match: Match) -> tuple[object, Entry | None]:
    """The entry of the event in the moment, if it has one; and the key under which it is or will be."""
    key = key_of(match)
    known = moment.get(key)
    if known is None or type(key) is not str or known.match.record is match.record:
        return key, known
    identity = same_event(match.record)
    if known.match.matches or same_event(known.match.record) != identity:  # another event under the same ID
        key = (identity,)
        known = moment.get(key)
    return key, known
