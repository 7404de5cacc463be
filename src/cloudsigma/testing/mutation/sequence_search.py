"""Search a sequence that kills a surviving mutant of a correlation, or of a rule that a correlation refers to."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.context.event_time import event_time
from cloudsigma.testing.coverage.trials import ChangedRules, SequenceTrial
from cloudsigma.testing.mutation.case_text import Proposal, SearchStart, head, made_from
from cloudsigma.testing.records.changes import copied
from cloudsigma.testing.records.places import placed
from cloudsigma.testing.records.sequence import TIMELY, in_sequence
from cloudsigma.testing.solver.questions import Found, tell_apart

MOST_TRIED = 600
"""Sequences to try for one mutant."""
_MOST_COPIES = 60

Records = Sequence[Mapping[str, Any]]
_Sequence = list[tuple[int, dict[str, Any]]]
"""Records, each with the position of the record that it was made from."""


def propose_sequence(
    trials: Sequence[SequenceTrial],
    changed: ChangedRules,
    base_names: Mapping[str, str],
    *,
    name: str,
) -> tuple[SequenceTrial, Proposal] | None:
    """Search a sequence with other matches under the changed rules; returns it with the trial it was made from.

    `base_names` maps the content of a base to its name.
    """
    tried = 0
    ordered = sorted(trials, key=lambda trial: (not trial.case.match, len(trial.case.records)))
    for depth in (1, 2):
        for trial in ordered:
            start: _Sequence = [(at, copied(record)) for at, record in enumerate(trial.case.records)]
            for sequence in _variants(start, trial, changed, depth):
                tried += 1
                if tried > MOST_TRIED * depth:
                    return None
                records = [record for _, record in sequence]
                found = changed_matches(trial, records, changed)
                if found is not None:
                    written = _case(trial, sequence, found, base_names, name)
                    return trial, Proposal(trial.name, found > 0, tuple(records), written)
    return None


def changed_matches(trial: SequenceTrial, records: Records, changed: ChangedRules) -> int | None:
    """The number of matches of the unchanged rules, if the changed rules give other matches; otherwise `None`."""
    correlated = trial.correlated
    verdicts = correlated.verdicts(records)
    given = changed.verdicts(records, verdicts)
    if not changed.correlations and given == verdicts:
        return None
    before = correlated.members(records, verdicts)
    return len(before) if correlated.members(records, given, changed.correlations) != before else None


# --- variants -----------------------------------------------------------------------------------------------


def _variants(
    sequence: _Sequence,
    trial: SequenceTrial,
    changed: ChangedRules,
    depth: int,
) -> Iterator[_Sequence]:
    for made in _changed(sequence, trial, changed):
        if depth == 1:
            yield made
        else:
            yield from islice(_variants(made, trial, changed, depth - 1), 80)


def _changed(sequence: _Sequence, trial: SequenceTrial, changed: ChangedRules) -> Iterator[_Sequence]:
    both = [*trial.correlated.correlations.values(), *changed.correlations.values()]
    for rule_id, mutant in changed.predicates.items():
        original = trial.correlated.predicates.get(rule_id)
        for at, (_, record) in enumerate(sequence if original is not None else ()):
            if original is not None and (made := _told_apart(original.rule, mutant.rule, record)) is not None:
                yield _with(sequence, at, made)
    yield from _at_other_times(sequence, both)
    for at in range(len(sequence)):
        if len(sequence) > 1:
            yield [*sequence[:at], *sequence[at + 1 :]]
    for at, (_, record) in enumerate(sequence):
        for field in dict.fromkeys(field for rule in both for field in (*rule.group_by, *_measured(rule))):
            for value in _others(field, sequence):
                if made := placed(record, field, value):
                    yield _with(sequence, at, made)
    for at in range(len(sequence) - 1):
        one, other = sequence[at][1], sequence[at + 1][1]
        yield _with(
            _with(sequence, at, {**one, "eventTime": other.get("eventTime")}),
            at + 1,
            {**other, "eventTime": one.get("eventTime")},
        )
    yield from _copies(sequence, both)


def _told_apart(original: ir.DetectionRule, mutant: ir.DetectionRule, record: Mapping[str, Any]) -> Any:
    """The record, changed so that only one of the two rules matches it."""
    answer = tell_apart(original, mutant, [record])
    return answer.record if isinstance(answer, Found) and answer.near is not None else None


def _with(sequence: _Sequence, at: int, record: dict[str, Any]) -> _Sequence:
    return [*sequence[:at], (sequence[at][0], record), *sequence[at + 1 :]]


def _at_other_times(sequence: _Sequence, rules: Sequence[ir.CorrelationRule]) -> Iterator[_Sequence]:
    times = [when for _, record in sequence if (when := event_time(record)) is not None]
    if not times:
        return
    for at in reversed(range(len(sequence))):
        for span in dict.fromkeys(rule.timespan for rule in rules):
            for seconds in (span, span + 1):
                yield _with(sequence, at, {**sequence[at][1], **_timed(min(times) + seconds)})


def _timed(when: float) -> dict[str, str]:
    return {"eventTime": in_sequence(_moment(when), 0)["eventTime"]}


def _moment(when: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(when, dt.UTC)


def _measured(rule: ir.CorrelationRule) -> tuple[str, ...]:
    return rule.threshold.fields if rule.threshold is not None else ()


def _others(field: str, sequence: _Sequence) -> Iterator[Any]:
    """Values for a grouped or measured field: those of other records, and a new one."""
    seen = [record.get(field) for _, record in sequence if isinstance(record.get(field), (str, int, float))]
    yield from list(dict.fromkeys(seen))[:3]
    yield "other"
    for value in seen[:2]:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield from (value + 1, value - 1)


def _copies(sequence: _Sequence, rules: Sequence[ir.CorrelationRule]) -> Iterator[_Sequence]:
    """Copies of one record: as many as the threshold, one fewer, one more; with equal or distinct measured values."""
    counted = {int(rule.threshold.value) for rule in rules if rule.threshold is not None and not _is_temporal(rule)}
    for number in sorted({near for count in counted for near in (count - 1, count, count + 1)}):
        if not 0 < number <= _MOST_COPIES:
            continue
        for origin, record in sequence[:2]:
            when = event_time(record)
            if when is None:
                continue
            made: _Sequence = [
                (origin, {**copied(record), **in_sequence(_moment(when + at), at)}) for at in range(number)
            ]
            yield made
            for field in dict.fromkeys(field for rule in rules for field in _measured(rule)):
                yield [(each, placed(copy, field, f"value-{at}") or copy) for at, (each, copy) in enumerate(made)]


def _is_temporal(rule: ir.CorrelationRule) -> bool:
    return rule.type.startswith("temporal")


# --- as YAML ------------------------------------------------------------------------------------------------


def _case(trial: SequenceTrial, sequence: _Sequence, matches: int, base_names: Mapping[str, str], name: str) -> str:
    times = [event_time(record) for _, record in sequence]
    first = min((when for when in times if when is not None), default=0.0)
    lines = [*head(name, match=matches > 0), "  records:"]
    for (origin, record), when in zip(sequence, times, strict=True):
        base = trial.case.bases[origin] if origin < len(trial.case.bases) else None
        start = SearchStart(record, trial.name, base, base_names.get(content(base)) if base is not None else None)
        after = f"{int(when - first)}s" if when is not None else "0s"
        first_key, *others = [f"after: {after}", *made_from(record, start, TIMELY)]
        lines += [f"    - {first_key}", *(f"      {line}" for line in others)]
    return "\n".join(lines)


def content(record: Mapping[str, Any]) -> str:
    """The record as text, without time and event ID, which its place in a sequence sets."""
    return json.dumps({key: value for key, value in record.items() if key not in TIMELY}, sort_keys=True)
