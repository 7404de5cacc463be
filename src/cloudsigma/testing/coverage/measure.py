"""Measure condition coverage (MC/DC): do the cases show the effect of each part of a rule?

A *clause* is one value of one test of a rule: field, modifiers, value. It is covered if the cases ask for it: in one
case it is true, in another it is false, both pass, and each fails once the clause is turned in its records. So a clause
that is covered cannot be removed without a failing case. This is *masking* MC/DC (modified condition/decision coverage;
in logic testing, correlated active clause coverage) in which a record counts only if its case depends on it: other
clauses may differ between the two cases, as long as none masks this one.

The parts of a correlation are the rules that it refers to, its condition, their order, each field of `group-by` and the
time span. A part is covered by a case that expects a match and one that fails if the part is removed. The cases of a
correlation also cover the clauses of the rules that it refers to.

Outcomes come from the operators that explanations use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from cloudsigma import ir
from cloudsigma.engine.rule import Rule
from cloudsigma.escaping import printable
from cloudsigma.testing.cases.suite import RuleTest, Suite
from cloudsigma.testing.coverage.clause_places import Places, label
from cloudsigma.testing.coverage.clauses import Predicate
from cloudsigma.testing.coverage.correlation_parts import CorrelationPart, parts_of
from cloudsigma.testing.coverage.trials import Trial, trials_of

Seen = Literal["true", "false"]
_SHOWN = 100


class ClauseCoverage(msgspec.Struct, frozen=True):
    """Coverage of one clause, or of one part of a correlation. Each witness is the name of a case."""

    part: str
    """The selection; `correlation` for a part of a correlation."""
    label: str
    """Field, modifiers and value as the rule writes them."""
    path: str | None = None
    """The file of the rule, or of the Sigma filter that contains the clause."""
    line: int | None = None
    """Line of the value, from 1."""
    column: int | None = None
    """Column of the value, from 1."""
    seen_true: str | None = None
    """A case in which the clause is true."""
    seen_false: str | None = None
    """A case in which the clause is false."""
    true_match: str | None = None
    """A case in which the clause is true and decides, and the rule matches."""
    true_no_match: str | None = None
    """A case in which the clause is true and decides, and the rule does not match (below `not`, for example)."""
    false_match: str | None = None
    """A case in which the clause is false and decides, and the rule matches."""
    false_no_match: str | None = None
    """A case in which the clause is false and decides, and the rule does not match."""
    unused: bool = False
    """Whether no condition uses its selection."""

    @property
    def covered(self) -> bool:
        """Whether two records show that the clause decides."""
        return bool((self.true_match and self.false_no_match) or (self.true_no_match and self.false_match))

    @property
    def missing(self) -> str:
        """The reason that the clause is not covered, as text; empty if it is covered."""
        if self.covered:
            return ""
        if self.unused:
            return "the condition does not use its selection"
        if not self.seen_true and not self.seen_false:
            return "no case evaluates it"
        if not self.seen_true or not self.seen_false:
            return f"never {'false' if self.seen_true else 'true'}"
        for shown, word in (
            (self.true_match or self.true_no_match, "true"),
            (self.false_match or self.false_no_match, "false"),
        ):
            if not shown:
                return f"where it is {word}, the verdict never depends on it"
        return "it flips the verdict in one direction only"

    def merge(self, other: ClauseCoverage) -> ClauseCoverage:
        """The union of both; of two witnesses, the first by name."""
        given = {name: _least(getattr(self, name), getattr(other, name)) for name in _WITNESSES}
        return msgspec.structs.replace(self, label=min(self.label, other.label), **given)

    def __str__(self) -> str:
        text = self.label if len(self.label) <= _SHOWN else f"{self.label[: _SHOWN - 1]}…"
        return f"{self.part}  {printable(text)}"


_WITNESSES = ("seen_true", "seen_false", "true_match", "true_no_match", "false_match", "false_no_match")


def _least(one: str | None, other: str | None) -> str | None:
    return min(one, other) if one is not None and other is not None else one or other


class RuleCoverage(msgspec.Struct, frozen=True):
    """The coverage of one rule."""

    rule_id: str
    title: str
    path: str | None
    line: int | None
    cases: tuple[str, ...]
    """Sorted names of the cases that ran the rule, cases of correlations included."""
    clauses: tuple[ClauseCoverage, ...]
    """In the order of the rule."""

    @property
    def missed(self) -> tuple[ClauseCoverage, ...]:
        """The clauses that are not covered."""
        return tuple(clause for clause in self.clauses if not clause.covered)

    @property
    def percent(self) -> float:
        """The share of clauses that are covered, from 0 to 100."""
        return _percent(len(self.clauses) - len(self.missed), len(self.clauses))

    def merge(self, other: RuleCoverage) -> RuleCoverage:
        """The union of both."""
        theirs = dict(_placed(other.clauses))
        clauses = [clause.merge(theirs.pop(key, clause)) for key, clause in _placed(self.clauses)]
        cases = tuple(sorted({*self.cases, *other.cases}))
        return msgspec.structs.replace(self, cases=cases, clauses=(*clauses, *theirs.values()))


class Coverage(msgspec.Struct, frozen=True):
    """The coverage of rules by their cases. `str()` is the report."""

    rules: tuple[RuleCoverage, ...] = ()

    @property
    def total(self) -> int:
        """The number of clauses."""
        return sum(len(rule.clauses) for rule in self.rules)

    @property
    def covered(self) -> int:
        """The number of those that are covered."""
        return self.total - sum(len(rule.missed) for rule in self.rules)

    @property
    def percent(self) -> float:
        """The share of clauses that are covered, from 0 to 100; 100 if there are no clauses."""
        return _percent(self.covered, self.total)

    def shortfall(self, limit: float | None) -> str | None:
        """Why the coverage misses a limit in percent, or `None`. A limit is also missed if nothing was measured."""
        if not limit:
            return None
        if not self.total:
            return "condition coverage was not measured: no rule was found, or no case of one was run"
        if self.percent >= limit:
            return None
        return f"condition coverage {self.percent:.2f} % is below {limit:g} %"

    def merge(self, other: Coverage) -> Coverage:
        """The union of both, for a run in several processes.

        Merging is commutative and idempotent, except for the order of the rules.
        """
        theirs = {(rule.path, rule.rule_id): rule for rule in other.rules}
        rules = []
        for rule in self.rules:
            also = theirs.pop((rule.path, rule.rule_id), None)
            rules.append(rule.merge(also) if also is not None else rule)
        return Coverage((*rules, *theirs.values()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        for rule, shown in zip(self.rules, found["rules"], strict=True):
            shown["percent"] = round(rule.percent, 2)
            for clause, each in zip(rule.clauses, shown["clauses"], strict=True):
                each |= {"covered": clause.covered, "missing": clause.missing}
        return {"percent": round(self.percent, 2), "covered": self.covered, "total": self.total, **found}

    @staticmethod
    def from_dict(value: Any) -> Coverage:
        """Read the result of `to_dict`; raises `ValueError` (msgspec's) for anything else."""
        return msgspec.convert(value, Coverage)

    def __str__(self) -> str:
        return "\n".join(_report(self))


def _placed(clauses: Iterable[ClauseCoverage]) -> Iterator[tuple[tuple[Any, ...], ClauseCoverage]]:
    """Each clause with a key: its place, since a pipeline may change its label."""
    counts: dict[tuple[Any, ...], int] = {}
    for clause in clauses:
        place = (clause.path, clause.line, clause.column, clause.part)
        counts[place] = counts.get(place, 0) + 1
        yield (*place, counts[place]), clause


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0


# --- measuring ----------------------------------------------------------------------------------------------


def measure_coverage(suite: Suite, tests: Iterable[RuleTest] | None = None) -> Coverage:
    """Measure the condition coverage of a suite's rules.

    Args:
        suite: The suite; all its rules are in the result, rules without cases included.
        tests: The tests to count; default: all tests of the suite.
    """
    measured = _Measured(suite)
    for test, trial in trials_of(suite.tests if tests is None else tests):
        measured.add(test, trial)
    return measured.coverage()


class _Measured:
    def __init__(self, suite: Suite) -> None:
        self._places = Places()
        self._rules: dict[tuple[str | None, str, int], RuleCoverage] = {}
        """A rule that was compiled with several lists of pipelines has several entries."""
        self._suite = suite
        for rule in suite.rules:
            self._of(rule)

    def coverage(self) -> Coverage:
        found: dict[tuple[str | None, str], RuleCoverage] = {}
        for (path, rule_id, _), rule in self._rules.items():
            # Clauses that a pipeline added have no line.
            own = tuple(clause for clause in rule.clauses if clause.line is not None)
            placed = msgspec.structs.replace(rule, clauses=own)
            known = found.get((path, rule_id))
            found[path, rule_id] = known.merge(placed) if known is not None else placed
        return Coverage(tuple(sorted(found.values(), key=lambda rule: (rule.path or "", rule.line or 0))))

    def _of(self, rule: Rule) -> RuleCoverage:
        key = _key(rule)
        if key not in self._rules:
            definition = rule.definition
            if isinstance(definition, ir.DetectionRule):
                clauses = tuple(self._clauses(Predicate(definition), rule.path))
            else:
                names = {each.id: each.name or each.title for each in self._suite.rules}
                clauses = tuple(
                    ClauseCoverage(
                        "correlation", part.label(names), *self._places.of_key(rule.path, rule.line, *part.way)
                    )
                    for part in parts_of(definition)
                )
            self._rules[key] = RuleCoverage(rule.id, rule.title, rule.path, rule.line, (), clauses)
        return self._rules[key]

    def _clauses(self, predicate: Predicate, path: str | None) -> Iterator[ClauseCoverage]:
        for position, clause in enumerate(predicate.clauses):
            place = self._places.of_clause(clause, path)
            text = f"{label(clause.test)}: {clause.written}"
            yield ClauseCoverage(clause.selection.name, text, *place, unused=position in predicate.unused)

    def add(self, test: RuleTest, trial: Trial) -> None:
        """Count one case."""
        passes = trial.passes()
        for rule_id in trial.needs:
            rule = test.rules[rule_id] if rule_id != trial.rule_id or test.rule is None else test.rule
            known = self._of(rule)
            given: list[dict[str, str]] = [{} for _ in known.clauses]
            if isinstance(rule.definition, ir.DetectionRule):
                predicate = trial.predicates.get(rule_id) or Predicate(rule.definition)
                witnesses = clause_witnesses(trial, rule_id, predicate, passes=passes)
            else:
                witnesses = _of_parts(trial, parts_of(rule.definition)) if passes else iter(())
            for position, name in witnesses:
                given[position][name] = trial.name
            clauses = tuple(map(_with, known.clauses, given))
            cases = tuple(sorted({*known.cases, trial.name}))
            self._rules[_key(rule)] = msgspec.structs.replace(known, cases=cases, clauses=clauses)


Witnesses = Iterator[tuple[int, str]]
"""Positions of clauses, and the members of `ClauseCoverage` that a case is named in."""


def clause_witnesses(trial: Trial, rule_id: str, predicate: Predicate, *, passes: bool) -> Witnesses:
    """The outcomes of a rule's clauses in a case; if it passes, also the clauses that it asks for."""
    verdicts = trial.verdicts()
    own = verdicts.get(rule_id, (False,) * len(trial.case.records))
    outcomes = [trial.outcomes(predicate, position) for position in range(len(own))]
    for row in outcomes:
        yield from ((position, "seen_true" if outcome else "seen_false") for position, outcome in enumerate(row))
    if not passes or rule_id not in verdicts:
        return
    deciding = [predicate.deciding(row) for row in outcomes]
    fails: dict[tuple[bool, ...], bool] = {tuple(own): False}
    """Verdicts of the rule → whether the case fails with them."""
    for position in frozenset[int]().union(*deciding):
        for outcome in (True, False):
            turns = [
                position in each and row[position] is outcome for each, row in zip(deciding, outcomes, strict=True)
            ]
            turned = tuple(verdict is not turn for verdict, turn in zip(own, turns, strict=True))
            if turned not in fails:
                fails[turned] = not trial.accepts({**verdicts, rule_id: turned})
            if fails[turned]:
                word = "true" if outcome else "false"
                for verdict in {verdict for verdict, turn in zip(own, turns, strict=True) if turn}:
                    yield position, f"{word}_{'match' if verdict else 'no_match'}"


def _of_parts(trial: Trial, parts: Sequence[CorrelationPart]) -> Witnesses:
    """The parts of a correlation that a passing case asks for."""
    verdicts = trial.verdicts()
    for position, part in enumerate(parts):
        if not trial.accepts(verdicts, {part.correlation.metadata.id: part.without()}):
            yield from ((position, "seen_false"), (position, "false_no_match"))
        if trial.case.match:
            yield position, "seen_true"
            absent = {**verdicts, part.name: (False,) * len(trial.case.records)}
            if part.name not in verdicts or not trial.accepts(absent):
                yield position, "true_match"


def _key(rule: Rule) -> tuple[str | None, str, int]:
    return rule.path, rule.id, id(rule.definition)  # the suite keeps it alive


def _with(clause: ClauseCoverage, given: Mapping[str, str]) -> ClauseCoverage:
    new = {
        name: least
        for name, case in given.items()
        if (least := _least(getattr(clause, name), case)) != getattr(clause, name)
    }
    return msgspec.structs.replace(clause, **new) if new else clause


# --- report -------------------------------------------------------------------------------------------------


def _report(coverage: Coverage) -> Iterator[str]:
    for rule in coverage.rules:
        if not rule.missed:
            continue
        share = f"{len(rule.clauses) - len(rule.missed)} of {len(rule.clauses)} clauses"
        yield f"{rule.path or '<text>'}:{rule.line}: {printable(rule.title)}: {share} ({rule.percent:.0f} %)"
        if not rule.cases:
            yield "  it has no cases"
            continue
        for clause in rule.missed:
            elsewhere = f"{clause.path}, " if clause.path != rule.path else ""
            yield f"  {elsewhere}line {clause.line}: {clause}: {clause.missing}"
    complete = sum(not rule.missed for rule in coverage.rules)
    yield (
        f"condition coverage {coverage.percent:.1f} %: {coverage.covered} of {coverage.total} clauses, "
        f"{complete} of {len(coverage.rules)} rules complete"
    )
