"""Generate sequences for a correlation: one that matches, and near misses that lack one thing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.context.event_time import event_time, read_time
from cloudsigma.engine.evaluate import fields, operators
from cloudsigma.engine.rule import Rule
from cloudsigma.rulesets.rule_set import CLOUDTRAIL, RuleSet
from cloudsigma.testing.generation.event_plans import Plan, plans
from cloudsigma.testing.generation.generated import Generated, NearMiss, Obstacle, Sample
from cloudsigma.testing.generation.record_maker import RecordMaker
from cloudsigma.testing.records.changes import ABSENT, Difference, copied, differences
from cloudsigma.testing.records.places import paths, put
from cloudsigma.testing.records.sequence import in_sequence
from cloudsigma.testing.solver.formula import AllOf, Atom, Literal
from cloudsigma.testing.solver.realistic_values import like

MAX_EVENTS = 500
"""No sequence is made for a correlation that needs more events."""

_START = dt.datetime(2026, 11, 20, 10, 15, 30, tzinfo=dt.UTC)
_STEP = 60
"""Seconds between two events, or less if the time span is short."""


@dataclass(frozen=True, slots=True)
class TimedRecord:
    """A record at a time."""

    after: int
    """Seconds from the start of the sequence."""
    record: dict[str, Any]
    template: Mapping[str, Any] | None = None


def generate_sequence(rule: Rule, rules: RuleSet) -> Generated:
    """Make sequences for a correlation, as `generate` does."""
    maker = _Sequences(rule, rules)
    match = maker.match()
    if match is None:
        return Generated(rule, None, (), (maker.obstacle(),))
    made = list(maker.near_misses(match))
    misses = tuple(each for each in made if isinstance(each, NearMiss))
    return Generated(rule, match, misses, tuple(each for each in made if isinstance(each, Obstacle)))


class _Sequences:
    """Makes sequences for one correlation."""

    def __init__(self, rule: Rule, rules: RuleSet) -> None:
        assert rule.correlation is not None  # noqa: S101  # checked by the caller
        self.rule = rule
        self.correlation: ir.CorrelationRule = rule.correlation
        self.trouble = ""
        own = rules.where(id=rule.id)
        self._own = RuleSet(own.rules, declared=_declared(own), supporting=own.supporting - {rule.id})
        self._makers: dict[tuple[str, tuple[str, ...]], RecordMaker] = {}
        self._plan: Plan | None = None
        self._start = _START

    def matches(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the correlation matches a sequence, by evaluating it."""
        return any(match.rule_id == self.rule.id for match in self._own.evaluate(records))

    def match(self) -> Sample | None:
        """A sequence that matches."""
        for plan in plans(self.correlation):
            if plan.size > MAX_EVENTS:
                continue
            for lead in dict.fromkeys(plan.rules):
                events = self._events(self.correlation, plan, lead, {}, ())
                if events is None:
                    continue
                records = self._timed(events)
                if self.matches(records):
                    self._plan = plan
                    return Sample(records, events[0].template)
        return None

    def obstacle(self) -> Obstacle:
        """The reason that no sequence matches."""
        sizes = [plan.size for plan in plans(self.correlation)]
        if not sizes:
            reason = "no sequence can match: the condition needs a time frame without events, which does not exist"
            return Obstacle("contradiction", reason, None, self.rule.line)
        if min(sizes) > MAX_EVENTS:
            reason = f"it needs {min(sizes)} events, more than the limit of {MAX_EVENTS}"
        else:
            reason = self.trouble or "no sequence of records was found that matches"
        return Obstacle("not found", reason, None, self.rule.line)

    # --- events -----------------------------------------------------------------------------------------------

    def _events(
        self,
        correlation: ir.CorrelationRule,
        plan: Plan,
        lead: str,
        group: Mapping[str, str],
        asked: tuple[Literal, ...],
    ) -> list[TimedRecord] | None:
        """The events of a plan, all in one group, with group values that the rule `lead` allows."""
        group = dict(group)
        first = self._block(correlation, lead, plan.asked(plan.rules.index(lead), ()), group, asked)
        if first is None:
            return None
        for name in correlation.group_by:
            values = _texts(first[0].record, _field(correlation, name, lead))
            if not values:
                return None
            group.setdefault(name, values[0])
        found: list[TimedRecord] = []
        measured: list[str] = []
        for position, rule_id in enumerate(plan.rules):
            block = self._block(correlation, rule_id, plan.asked(position, measured), group, asked)
            if block is None:
                return None
            if plan.field is not None:
                measured += _texts(block[0].record, _field(correlation, plan.field, rule_id))
            step = max(0, min(_STEP, correlation.timespan // (2 * len(plan.rules))))
            child = self._own[rule_id].correlation
            gap = child.timespan + 1 if child is not None and rule_id in plan.rules[:position] else step
            start = max((event.after for event in found), default=-gap) + gap
            found += [replace(event, after=event.after + start) for event in block]
        return found

    def _block(
        self,
        correlation: ir.CorrelationRule,
        rule_id: str,
        of_plan: Sequence[tuple[str, ir.Matcher, bool]],
        group: Mapping[str, str],
        asked: tuple[Literal, ...],
    ) -> list[TimedRecord] | None:
        """The events of one rule that a correlation refers to; for a nested correlation, its whole sequence."""
        mine = [Literal(Atom(_field(correlation, name, rule_id), matcher), holds) for name, matcher, holds in of_plan]
        for name in correlation.group_by:
            field = _field(correlation, name, rule_id)
            if name in group:
                mine.append(Literal(Atom(field, ir.Pattern((group[name],), cased=True)), holds=True))
            else:
                mine.append(Literal(Atom(field, ir.Null()), holds=False))
        rule = self._own[rule_id]
        if rule.correlation is not None:
            known = {name: group[name] for name in rule.correlation.group_by if name in group}
            for plan in plans(rule.correlation):
                for lead in dict.fromkeys(plan.rules):
                    if plan.size <= MAX_EVENTS and (
                        made := self._events(rule.correlation, plan, lead, known, (*asked, *mine))
                    ):
                        return made
            return None
        literals = tuple(dict.fromkeys((*asked, *mine)))
        names = tuple(sorted({literal.atom.field or "" for literal in literals}))
        maker = self._makers.get((rule_id, names)) or self._makers.setdefault(
            (rule_id, names), RecordMaker(rule, names)
        )
        sample = maker.make(AllOf((maker.formula.node(), *literals)))
        if not isinstance(sample, Sample):
            obstacle = maker.obstacle(sample)
            self.trouble = f"no record for {rule.title!r} was found: {obstacle.reason}"
            return None
        self._start = _moment(sample.record) if "eventTime" in maker.fields.names else self._start
        return [TimedRecord(0, sample.record, sample.template)]

    def _timed(self, events: Sequence[TimedRecord]) -> tuple[dict[str, Any], ...]:
        """The records with their times and unique event IDs, as in case files."""
        return tuple(
            {**copied(event.record), **in_sequence(self._start + dt.timedelta(seconds=event.after), position)}
            for position, event in enumerate(events)
        )

    # --- near misses ------------------------------------------------------------------------------------------

    def near_misses(self, match: Sample) -> Iterator[NearMiss | Obstacle]:
        """Sequences that lack one thing; an obstacle if the correlation still matches."""
        tried: dict[str, list[tuple[tuple[dict[str, Any], ...], tuple[Difference, ...]]]] = {}
        for what, records in self._lacking(match.records):
            tried.setdefault(what, []).append((records, _differences(match.records, records)))
        for what, ways in tried.items():
            found = next(((records, changes) for records, changes in ways if not self.matches(records)), None)
            if found is None:
                yield Obstacle("dependent", "the correlation still matches", what, self.rule.line)
            else:
                yield NearMiss(found[0], match, found[1], what, (what,), self.rule.line)

    def _lacking(self, records: tuple[dict[str, Any], ...]) -> Iterator[tuple[str, tuple[dict[str, Any], ...]]]:
        """Pairs of a description and a sequence that lacks the described thing."""
        correlation, plan = self.correlation, self._plan
        assert plan is not None  # noqa: S101  # set with the match
        of_several = correlation.type in ("temporal", "temporal_ordered")
        for record in records:
            what = f"without the event of {self._title(record)}" if of_several else "one event fewer"
            if len(records) > 1:
                yield what, tuple(each for each in records if each is not record)
        if len(records) > 1:
            for record in (records[0], records[-2]):
                end = dt.datetime.fromtimestamp((event_time(record) or 0) + correlation.timespan + 1, dt.UTC)
                late = {**records[-1], "eventTime": in_sequence(end, 0)["eventTime"]}
                yield "the last event is a second too late", (*records[:-1], late)
            for name in correlation.group_by:
                yield from self._elsewhere(records, name)
        if correlation.type == "temporal_ordered" and len(records) > 1:
            times = [record["eventTime"] for record in reversed(records)]
            turned = [{**record, "eventTime": time} for record, time in zip(records, times, strict=True)]
            yield "the events in the opposite order", tuple(turned)
        if plan.field is not None:
            yield from self._measured_less(records, plan.field)
        yield from self._more(records, plan)

    def _more(
        self, records: tuple[dict[str, Any], ...], plan: Plan
    ) -> Iterator[tuple[str, tuple[dict[str, Any], ...]]]:
        """Sequences with forbidden events, or too many events."""
        group = {
            name: (_texts(records[0], _field(self.correlation, name, plan.rules[0])) or [""])[0]
            for name in self.correlation.group_by
        }
        if plan.bounded and plan.size + plan.bounded <= MAX_EVENTS:
            larger = replace(plan, rules=plan.rules[:1] * (plan.size + plan.bounded))
            events = self._events(self.correlation, larger, plan.rules[0], group, ())
            if events is not None:
                yield "more events", self._timed(events)
        for rule_id in plan.unwanted:
            block = self._block(self.correlation, rule_id, (), group, ())
            if block is not None:
                title = self._own[rule_id].title
                more = [
                    {**event.record, **in_sequence(_moment(records[-1]), len(records) + at)}
                    for at, event in enumerate(block)
                ]
                yield f"with an event of {title!r}", (*records, *more)

    def _elsewhere(
        self, records: tuple[dict[str, Any], ...], name: str
    ) -> Iterator[tuple[str, tuple[dict[str, Any], ...]]]:
        for position in reversed(range(len(records))):
            for rule_id in self.correlation.rules:
                field = _field(self.correlation, name, rule_id)
                for value in like((_texts(records[position], field) or [""])[0]):
                    changed = _changed(records[position], field, value)
                    if changed is not None and self._own.verdicts(changed) == self._own.verdicts(records[position]):
                        yield f"one event with another {name}", _replaced(records, position, changed)
                        break

    def _measured_less(
        self, records: tuple[dict[str, Any], ...], name: str
    ) -> Iterator[tuple[str, tuple[dict[str, Any], ...]]]:
        fields_of = {_field(self.correlation, name, rule_id) for rule_id in self.correlation.rules}
        for field in fields_of:
            numbers = [
                number
                for record in records
                for each in _texts(record, field)
                if (number := operators.number(each)) is not None
            ]
            for position in reversed(range(len(records))):
                if self.correlation.type == "value_count":
                    for value in _texts(records[position - 1], field) if position else ():
                        changed = _changed(records[position], field, value)
                        if changed is not None:
                            yield (
                                f"a {name} that came before in place of another",
                                _replaced(records, position, changed),
                            )
                elif numbers:
                    for step in (-1, 1, -0.5, 0.5):
                        changed = _changed(records[position], field, float(numbers[0]) + step)
                        if changed is not None:
                            yield f"a {name} on the other side of the limit", _replaced(records, position, changed)

    def _title(self, record: Mapping[str, Any]) -> str:
        titles = [self._own[each].title for each in self._own.verdicts(record)]
        return " and ".join(repr(title) for title in titles)


# --- times, fields, comparison ------------------------------------------------------------------------------


def _declared(rules: RuleSet) -> ir.LogSource:
    """The log source that all detection rules of the set apply to."""
    sources = [rule.logsource for rule in rules if rule.logsource is not None]
    return next((each for each in sources if all(other.covers(each) for other in sources)), CLOUDTRAIL)


def _field(correlation: ir.CorrelationRule, name: str, rule_id: str) -> str:
    """The field name that one of the rules uses for a name of the correlation."""
    for alias in correlation.aliases:
        if alias.name == name:
            return dict(alias.fields).get(rule_id, name)
    return name


def _texts(record: Mapping[str, Any], field: str) -> list[str]:
    return [text for value in fields.values(record, field) if (text := operators.text(value)) is not None]


def _moment(record: Mapping[str, Any]) -> dt.datetime:
    return read_time(record.get("eventTime")) or _START


def _changed(record: Mapping[str, Any], field: str, value: Any) -> dict[str, Any] | None:
    found = list(paths(record, field))
    if len(found) != 1:
        return None
    changed: dict[str, Any] = copied(record)
    put(changed, found[0], value)
    return changed


def _replaced(records: tuple[dict[str, Any], ...], position: int, record: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return (*records[:position], record, *records[position + 1 :])


def _differences(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> tuple[Difference, ...]:
    """The differences of two sequences; records are paired by `eventID`."""
    theirs = {record.get("eventID"): record for record in after}
    found: list[Difference] = []
    for position, record in enumerate(before):
        other = theirs.pop(record.get("eventID"), None)
        if other is None:
            found.append(Difference(str(position), record, ABSENT))
        else:
            found += [replace(each, name=f"{position}.{each.name}") for each in differences(record, other)]
    return (*found, *(Difference(str(len(before)), ABSENT, record) for record in theirs.values()))
