"""Search a record that kills a surviving mutant: near the records of the cases, with different verdicts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from cloudsigma import ir
from cloudsigma.testing.cases.yaml_text import flow, overrides, scalar
from cloudsigma.testing.coverage.clauses import Predicate
from cloudsigma.testing.mutation.candidate_values import Candidates
from cloudsigma.testing.records.changes import ABSENT, copied, same
from cloudsigma.testing.records.places import paths, put, remove

MOST_TRIED = 2000
"""Records to try for one mutant, for each number of changed fields."""
_STARTS = 15
_KEYWORD_FIELDS = ("userAgent", "errorMessage")
"""Free-text fields, for keywords."""


class Proposal(msgspec.Struct, frozen=True):
    """A case that passes with the rule and fails with the mutant."""

    near: str
    """The case that it was made from; empty if it was made from the base of the cases."""
    match: bool
    """The rule's verdict; the author decides whether it is right."""
    records: tuple[dict[str, Any], ...]
    yaml: str
    """The case as text for the case file."""


class SearchStart(msgspec.Struct, frozen=True):
    """A record to start the search from."""

    record: Mapping[str, Any]
    case: str
    """The name of its case; empty for the base of a case."""
    base: Mapping[str, Any] | None = None
    """The base of the case."""
    base_name: str | None = None
    """The base's name in the case file."""


def propose(
    original: Predicate,
    mutant: Predicate,
    starts: Sequence[SearchStart],
    earlier: Sequence[SearchStart] = (),
    *,
    name: str,
    most_changes: int = 3,
) -> Proposal | None:
    """Search a record with different verdicts of a rule and a mutant.

    Args:
        original: The rule.
        mutant: The mutant.
        starts: Records to start from.
        earlier: Records that kill other mutants: one more change of them is often enough.
        name: Description of the mutant.
        most_changes: Number of fields that may be changed at once.
    """
    candidates = Candidates(original, mutant)
    ordered = sorted(starts, key=lambda start: (bool(start.case), not original.matches(start.record)))[:_STARTS]
    plans = [(1, ordered), (1, earlier), *((depth, ordered) for depth in range(2, most_changes + 1))]
    for depth, wanted in plans:
        tried = 0
        for start in wanted:
            known = _Known(original, mutant, start.record)
            for record, names_changed in _variants(start.record, candidates, candidates.fields, depth):
                tried += 1
                verdict = known.changed_verdict(record, names_changed)
                if verdict is not None:
                    return Proposal(start.case, verdict, (record,), _case(start, record, name, match=verdict))
                if tried >= MOST_TRIED:
                    break
            if tried >= MOST_TRIED:
                break
    return None


class _Known:
    """Verdicts of two rules on variants of a record; outcomes for unchanged fields are cached."""

    def __init__(self, original: Predicate, mutant: Predicate, record: Mapping[str, Any]) -> None:
        self._both = (original, mutant)
        self._record = record
        self._memo: dict[tuple[str | None, ir.Matcher], bool] = {}
        self._kept: dict[frozenset[str], dict[tuple[str | None, ir.Matcher], bool]] = {}

    def changed_verdict(self, record: Mapping[str, Any], names_changed: frozenset[str]) -> bool | None:
        """The verdict of the first rule if the two verdicts differ; `names_changed` are the changed fields."""
        if not self._memo:
            for predicate in self._both:
                predicate.outcomes(self._record, self._memo)
        if names_changed not in self._kept:
            self._kept[names_changed] = {
                (field, matcher): outcome
                for (field, matcher), outcome in self._memo.items()
                if field is not None
                and not isinstance(matcher, ir.FieldRef)
                and not any(_overlap(field, name) for name in names_changed)
            }
        memo = dict(self._kept[names_changed])
        one, other = (predicate.matches(record, memo) for predicate in self._both)
        return one if one is not other else None


def _variants(
    record: Mapping[str, Any], candidates: Candidates, names: Sequence[str | None], depth: int
) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Variants of the record with `depth` changed fields, and the names of these fields."""
    for position, field in enumerate(names):
        own = frozenset((field or _free_text(record),))
        for value in candidates.values(field, record):
            made = placed(record, field, value)
            if made is None:
                continue
            if depth == 1:
                yield made, own
            else:
                for each, names_changed in _variants(made, candidates, names[position + 1 :], depth - 1):
                    yield each, names_changed | own


def _overlap(one: str, other: str) -> bool:
    """Whether one field is, or contains, the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _free_text(record: Mapping[str, Any]) -> str:
    """The free-text field to put a keyword into."""
    return next((name for name in _KEYWORD_FIELDS if name in record), _KEYWORD_FIELDS[0])


def placed(record: Mapping[str, Any], field: str | None, value: Any) -> dict[str, Any] | None:
    """A copy of the record with a value in a field, or without the field (`ABSENT`); `None` if nothing changes.

    The copy shares the members that the field is not in.
    """
    name = field or _free_text(record)
    first = name.partition(".")[0]
    touched = [key for key in record if key == first or key.startswith(f"{first}.")]
    made = {**record, **{key: copied(record[key]) for key in touched}}
    found = list(paths(made, name))
    for path in found:
        if value is ABSENT:
            remove(made, path)
        else:
            put(made, path, value)
    if not found and value is not ABSENT:
        put(made, tuple(name.split(".")), value)
    return None if all(same(made.get(key, ABSENT), record.get(key, ABSENT)) for key in (*touched, first)) else made


# --- as YAML ------------------------------------------------------------------------------------------------


def _case(start: SearchStart, record: dict[str, Any], name: str, *, match: bool) -> str:
    lines = [
        f"- name: {json.dumps(f'tells the rule from: {name}', ensure_ascii=False)}",
        "  reason: say why this is the right verdict",
        f"  match: {'true' if match else 'false'}",
    ]
    return "\n".join([*lines, *(f"  {line}" for line in made_from(record, start))])


def made_from(record: dict[str, Any], start: SearchStart, ignored: Collection[str] = ()) -> list[str]:
    """The keys of a case that make the record: the base and its changes, or the record itself."""
    if start.base is None:
        return [f"record: {flow(record)}"]
    lines = overrides(start.base, record, ignored)
    if lines[:1] == ["record:"]:
        return [f"record: {flow(record)}"]
    named = [f"base: {scalar(start.base_name)}"] if start.base_name else []
    return [*named, *lines]
