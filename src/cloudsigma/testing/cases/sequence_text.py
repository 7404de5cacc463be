"""Why a case of a correlation failed, as text: its records with groups and values, and the condition that failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.correlation.explain import CorrelationExplanation, GroupExplanation
from cloudsigma.engine.evaluate import fields
from cloudsigma.engine.evaluate.explain import Explanation
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable
from cloudsigma.testing.cases.case import Case
from cloudsigma.testing.cases.expectations import members_of


def sequence_lines(
    rule: ir.CorrelationRule,
    case: Case,
    matches: Sequence[Match],
    explanations: Sequence[Explanation],
    correlation: CorrelationExplanation | None,
) -> Iterator[str]:
    """The records of a correlation's case, the rules that they match, and what the correlation makes of them."""
    per_record = len(explanations) // len(case.records)
    own = [explanations[at * per_record : (at + 1) * per_record] for at in range(len(case.records))]
    for position, record in enumerate(case.records):
        met = [each for each in own[position] if each.matched]
        titles = ", ".join(each.title for each in met) or "none of the rules"
        values = "; ".join(dict.fromkeys(text for each in met for text in _values(rule, each.rule_id, record)))
        head = f"{position}  {_text(record, 'eventTime')}  {_text(record, 'eventName')}: matches {titles}"
        yield f"  {head}{f' ({values})' if values else ''}"
    for match in matches:
        members = ", ".join(map(str, members_of(match, case.records)))
        yield f"  match of the records {members}, group {_shown(match.group)}"
    if correlation is not None:
        yield from (f"  {line}" for line in str(correlation).splitlines())
        if not matches and correlation.groups:
            yield from (f"  {line}" for line in _unmet(rule, correlation, correlation.groups[0]))
    for position, each in enumerate(own):
        if case.match and not any(explanation.matched for explanation in each):
            for explanation in each:
                yield from (f"  {position}  {line}" for line in str(explanation).splitlines())


def _values(rule: ir.CorrelationRule, rule_id: str, record: Mapping[str, Any]) -> Iterator[str]:
    """The values of a record that group it, and those that are measured."""
    aliases = {alias.name: dict(alias.fields).get(rule_id, alias.name) for alias in rule.aliases}
    measured = rule.threshold.fields if rule.threshold is not None else ()
    for name in dict.fromkeys((*rule.group_by, *measured)):
        found = [_shown(value) for value in fields.values(record, aliases.get(name, name))]
        yield f"{printable(name)}={', '.join(found) or 'nothing'}"


def _unmet(rule: ir.CorrelationRule, found: CorrelationExplanation, nearest: GroupExplanation) -> Iterator[str]:
    """The conditions that the nearest frame does not meet."""
    inside = sum(nearest.rules.values())
    absent = [found.titles.get(each, each) for each, count in nearest.rules.items() if not count]
    if rule.type.startswith("temporal") and absent:
        yield f"the frame has no event of {', '.join(map(repr, absent))}"
    elif rule.type == "temporal_ordered":
        yield "the frame has events of all rules, but not in the order of the rules"
    elif rule.threshold is not None:
        measured = f" of {', '.join(rule.threshold.fields)}" if rule.threshold.fields else ""
        value = "no value" if nearest.value is None else f"{nearest.value:,}"
        needed = f"{rule.threshold.operator} {rule.threshold.value}"
        yield printable(f"the condition fails: {rule.type}{measured} is {value} in the frame, and it needs {needed}")
    if nearest.events > inside:
        yield f"the time frame leaves out {nearest.events - inside} of the group's {nearest.events} events"
    others = len(found.groups) + found.more_groups - 1
    if others and rule.group_by:
        yield printable(f"the events are in {others + 1} groups, by {', '.join(rule.group_by)}")


def _text(record: Mapping[str, Any], name: str) -> str:
    return printable(str(record.get(name)))


def _shown(value: Any) -> str:
    text = json.dumps(json_ready(value), ensure_ascii=False)
    return printable(text if len(text) <= 200 else f"{text[:199]}…")
