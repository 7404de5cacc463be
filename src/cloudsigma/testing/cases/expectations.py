"""Expected matches of a case: read from its file, and compared with the actual matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudsigma.engine.context.context import Context, Resource
from cloudsigma.engine.context.principal import Principal
from cloudsigma.engine.identity import event_identity
from cloudsigma.engine.match import Match
from cloudsigma.testing.cases.case import ExpectedMatch
from cloudsigma.testing.cases.yaml_nodes import YamlNode
from cloudsigma.testing.records.changes import Difference, same
from cloudsigma.testing.records.templates import nearest

_KEYS = ("context", "group", "members")
_EMPTY = Context(principal=Principal(), resource=Resource()).to_dict()
CONTEXT_NAMES: tuple[str, ...] = tuple(
    name
    for key, value in _EMPTY.items()
    for name in (key, *(f"{key}.{inner}" for inner in (value if isinstance(value, dict) else ())))
)
"""Names that `context` may have; names that begin with `fields.` are allowed too."""


# --- reading ------------------------------------------------------------------------------------------------


def read_expected(
    members: Mapping[str, YamlNode], records: int, *, match: bool
) -> tuple[int | None, tuple[ExpectedMatch, ...]]:
    """The number of matches that a case expects (`None`: not given), and their parts; raises `CaseError`."""
    own = {key: members[key] for key in _KEYS if key in members}
    if not match:
        for node in (*own.values(), *([members["matches"]] if "matches" in members else [])):
            raise node.error(f"{node.label} describes a match, but match is false", "Remove it, or correct match.")
        return None, ()
    if "matches" not in members:
        return (1 if "records" in members else None, (_expected(own, records),)) if own else (None, ())
    listed = members["matches"].elements()
    if own:
        first = next(iter(own.values()))
        raise first.error(f"both {first.label} and matches are given", "Move it into one of the matches.")
    if not listed:
        raise members["matches"].error("matches is empty, but match is true", "Write match: false and no matches.")
    return len(listed), tuple(_expected(node.members(_KEYS), records) for node in listed)


def _expected(members: Mapping[str, YamlNode], records: int) -> ExpectedMatch:
    context = {}
    if "context" in members and not members["context"].value:
        raise members["context"].error("context is empty", "Add names and values, or remove the key.")
    for name, node in members["context"].entries() if "context" in members else ():
        if name not in CONTEXT_NAMES and not name.startswith("fields."):
            raise node.error(f"unknown name {name!r} in the context of a match", nearest(name, CONTEXT_NAMES))
        context[name] = node.json()
    group = {name: node.text() for name, node in members["group"].entries()} if "group" in members else None
    positions = None
    if "members" in members:
        elements = members["members"].elements()
        for element in elements:
            if element.number() >= records:
                hint = f"Positions count from 0 to {records - 1}."
                raise element.error(f"the case has no record {element.value}", hint)
        positions = tuple(element.number() for element in elements)
        if not positions or len(set(positions)) < len(positions):
            raise members["members"].error("members is empty or names a record twice", "List each record once.")
    return ExpectedMatch(context, group, positions)


# --- comparing ----------------------------------------------------------------------------------------------


def compare(
    expected: Sequence[ExpectedMatch], matches: Sequence[Match], records: Sequence[Mapping[str, Any]]
) -> list[Difference]:
    """Compare matches with expectations; each expectation is compared with the match that fits it best."""
    left = list(matches)
    found: list[Difference] = []
    # First pair each expectation with a match that fits fully, then the others with the nearest match.
    waiting = []
    for position, each in enumerate(expected):
        fitting = next((match for match in left if not _differences(each, match, records)), None)
        if fitting is None:
            waiting.append((position, each))
        else:
            left.remove(fitting)
    for position, each in waiting:
        prefix = f"match {position} " if len(expected) > 1 else ""
        nearest_match = min(left, key=lambda match: len(_differences(each, match, records)), default=None)
        if nearest_match is None:
            continue  # the number of matches is reported already
        left.remove(nearest_match)
        found += [
            Difference(f"{prefix}{difference.name}", difference.before, difference.after)
            for difference in _differences(each, nearest_match, records)
        ]
    return found


def _differences(expected: ExpectedMatch, match: Match, records: Sequence[Mapping[str, Any]]) -> list[Difference]:
    found = []
    if expected.group is not None and dict(expected.group) != match.group:
        found.append(Difference("group", dict(expected.group), match.group))
    if expected.members is not None:
        positions = sorted(position for position in members_of(match, records))
        if sorted(expected.members) != positions:
            found.append(Difference("members", sorted(expected.members), positions))
    shown = match.context.to_dict() if expected.context else {}
    for name, value in expected.context.items():
        actual = _looked_up(shown, name)
        if not _agree(value, actual):
            found.append(Difference(f"context.{name}", value, _as_text(actual) if isinstance(value, str) else actual))
    return found


def members_of(match: Match, records: Sequence[Mapping[str, Any]]) -> list[int]:
    """The positions of the records in a match; for a repeated event, the first position."""
    positions: dict[str, int] = {}
    for position, record in enumerate(records):
        positions.setdefault(event_identity(record), position)
    return [positions[event_identity(record)] for record in match.records]


def _looked_up(shown: Any, name: str) -> Any:
    if name.startswith("fields."):
        return shown["fields"].get(name.removeprefix("fields."))
    for part in name.split("."):
        shown = shown.get(part) if shown is not None else None
    return shown


def _agree(expected: Any, actual: Any) -> bool:
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(_agree, expected, actual))
    return same(expected, _as_text(actual) if isinstance(expected, str) else actual)


def _as_text(actual: Any) -> Any:
    """A principal or resource as text, as an alert shows it."""
    return actual["text"] if isinstance(actual, dict) and "text" in actual else actual
