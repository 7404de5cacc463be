"""Run a case: compare the rule's verdict and matches with those that the case expects, and explain a difference."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cloudsigma import ir
from cloudsigma.correlation.explain import CorrelationExplanation
from cloudsigma.engine.evaluate.explain import Explanation, Step
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.match import Match, make_match
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import CaseError, RuleError
from cloudsigma.escaping import printable
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.cases.case import Case, CaseFile
from cloudsigma.testing.cases.expectations import compare
from cloudsigma.testing.cases.sequence_text import sequence_lines
from cloudsigma.testing.records.changes import ABSENT, Difference, differences

_SHOWN_CHANGES = 20
"""Show at most this many differences between a record and its base."""
_SHOWN_LINES = 6
"""Show at most this many lines of the rule."""
_DERIVED = frozenset({"eventID", "requestID"})
"""Members that a template derives from its arguments, so that they differ whenever an argument does."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a case; `str()` explains a failure."""

    passed: bool
    case: Case | None = None
    """The case; `None` if the rule does not compile, or the case cannot be read."""
    rule: Rule | None = None
    """The rule; `None` if it was not found, or does not compile."""
    error: CaseError | RuleError | None = None
    """Why the case could not run."""
    differences: tuple[Difference, ...] = ()
    """Differences to the expectation: `before` is the expected value, `after` the actual one."""
    matches: tuple[Match, ...] = ()
    """The matches of the rule."""
    explanations: tuple[Explanation, ...] = ()
    """An explanation for each record; for a correlation, for each record and each rule that it refers to."""
    changes: tuple[tuple[Difference, ...], ...] = ()
    """For each record, its differences to its base."""
    correlation: CorrelationExplanation | None = None
    """If a case of a correlation failed, its groups, their values and the nearest frames."""

    @property
    def summary(self) -> str:
        """The failure in one line; empty if the case passed."""
        if self.error is not None:
            return f"{self.error.reason}. {self.error.remedy or ''}".strip()
        return "; ".join(_difference(difference) for difference in self.differences)

    def __str__(self) -> str:
        return "\n".join(_described(self))


def run_case(rules: RuleSet, case: Case, rule: Rule | str | None = None) -> Result:
    """Run a case. Its rule is searched in the file beside the case file, or in the whole set if that has no such rule.

    Args:
        rules: Compiled rules; for a correlation, with the rules that it refers to.
        case: The case; it is independent of other cases.
        rule: The rule, or its ID or name; default: the rule that the case names.

    Raises:
        CaseError: The rule was not found, several rules have the title that the case names, or the case has a sequence
            and the rule is not a correlation.
        UnknownRuleError: No rule has the ID or name `rule`.
    """
    if rule is None:
        rule = find_rule(rules, case)
    elif isinstance(rule, str):
        rule = rules[rule]
    if rule.correlation is not None:
        return _run_correlation(rules, case, rule)
    if case.sequence:
        reason = f"it has a sequence of records, but {rule.title!r} is not a correlation"
        raise case.error(reason, "Make a case of each record.")
    explanations = tuple(rules.explain(record, rule.id) for record in case.records)
    matching = _matching(rules, case, rule)
    matches = tuple(make_match(rule, record) for record in matching)
    return _result(case, rule, matches, explanations)


def passes(rules: RuleSet, case: Case, rule: Rule) -> bool:
    """Whether the case has its verdict and number of matches; faster than `run_case`, but without reasons."""
    if rule.correlation is not None:
        return run_case(rules, case, rule).passed
    return _counted(case, len(_matching(rules, case, rule))) is None


def _matching(rules: RuleSet, case: Case, rule: Rule) -> list[dict[str, Any]]:
    predicate = rule.predicate
    if predicate is None or rule.logsource is None or not rule.logsource.covers(rules.declared):
        return []
    return [record for record in case.records if predicate(record)]


def _run_correlation(rules: RuleSet, case: Case, rule: Rule) -> Result:
    own = rules.where(id=rule.id)
    own = RuleSet(own.rules, declared=rules.declared, supporting=own.supporting - {rule.id})
    matches = tuple(match for match in own.evaluate(case.records) if match.rule_id == rule.id)
    referred = [each for each in own if isinstance(each.definition, ir.DetectionRule)]
    explanations = tuple(own.explain(record, each.id) for record in case.records for each in referred)
    result = _result(case, rule, matches, explanations)
    return result if result.passed else replace(result, correlation=own.explain(case.records, rule.id))


def _result(case: Case, rule: Rule, matches: tuple[Match, ...], explanations: tuple[Explanation, ...]) -> Result:
    wrong = _counted(case, len(matches))
    found = [wrong] if wrong is not None else []
    if matches and case.expected:
        found += compare(case.expected, matches, case.records)
    changes = tuple(differences(base, record) for base, record in zip(case.bases, case.records, strict=False))
    return Result(not found, case, rule, None, tuple(found), matches, explanations, changes)


def _counted(case: Case, matches: int) -> Difference | None:
    """The difference between the actual and the expected number of matches, if any."""
    if case.count is not None and len(case.records) > 1:
        return Difference("matches", case.count, matches) if matches != case.count else None
    if case.match is not (matches > 0):
        return Difference("match", case.match, matches > 0)
    return None


# --- which rule ---------------------------------------------------------------------------------------------


def find_rule(rules: RuleSet, case: Case) -> Rule:
    """The rule of a case; raises `CaseError` if it was not found, or if several rules fit.

    It is searched in the rule file beside the case file, or in the whole set if that has no rule of the file.
    """
    beside: Sequence[Rule] = ()
    if case.path is not None:
        files = {os.path.abspath(path) for path in CaseFile(case.path).rule_files}  # noqa: PTH100  # keeps links
        beside = [rule for rule in rules if rule.path is not None and os.path.abspath(rule.path) in files]  # noqa: PTH100
    return choose_rule(beside or rules.rules, rules.hidden, case)


def choose_rule(rules: Sequence[Rule], hidden: Collection[str], case: Case) -> Rule:
    """Choose the rule of a case, as `find_rule` does.

    If the case names no rule, `hidden` rules are chosen only if there are no others: a rule keeps its cases when a
    correlation elsewhere refers to it.
    """
    wanted = case.rule
    if wanted is None:
        found = [rule for rule in rules if rule.id not in hidden] or list(rules)
        reason = f"{len(found)} rules fit it" if found else "there is no rule for it"
        listed = found
    else:
        named = [rule for rule in rules if wanted in (rule.name, rule.id)]
        found = named or [rule for rule in rules if rule.title == wanted]
        places = " and ".join(f"{rule.path}:{rule.line}" for rule in found)
        reason = f"several rules are called {wanted!r} ({places})" if found else f"there is no rule {wanted!r}"
        listed = list(rules)
    if len(found) == 1:
        return found[0]
    known = ", ".join(repr(rule.name or rule.title) for rule in listed[:8])
    remedy = "Name one by its ID." if found and wanted else f"Name one with rule: {known}." if known else None
    raise case.error(reason, remedy, location=case.rule_location)


# --- text ---------------------------------------------------------------------------------------------------


def _described(result: Result) -> Iterator[str]:
    if result.error is not None:
        yield str(result.error)
        yield from (f"    {line}" for line in (getattr(result.error, "excerpt", None) or "").splitlines())
        return
    case, rule = result.case, result.rule
    if case is None or rule is None:  # not reached without an error
        return
    yield f"{case.location}: {case.name}: {'passed' if result.passed else 'FAILED'}"
    for difference in result.differences:
        yield f"  {_difference(difference)}"
    if case.reason:
        yield f"  because {case.reason}"
    single = rule.correlation is None and len(case.records) == 1
    lines = list(_deciding_lines(rule, result.explanations[0])) if single else []
    yield f"  rule {rule.title!r} ({rule.path or '<text>'}:{rule.line}){', decided by' if lines else ''}"
    yield from (f"    {line}" for line in lines)
    for position, changes in enumerate(result.changes):
        shown = [change for change in changes if change.name not in _DERIVED] or list(changes)
        if shown:
            which = f"record {position}" if len(case.records) > 1 else "the record"
            yield f"  {which} differs from its base:"
            yield from (f"    {_change(change)}" for change in shown[:_SHOWN_CHANGES])
            if len(shown) > _SHOWN_CHANGES:
                yield f"    … and {len(shown) - _SHOWN_CHANGES} more"
    if rule.correlation is not None:
        yield from sequence_lines(rule.correlation, case, result.matches, result.explanations, result.correlation)
    elif not single:
        found = [str(position) for position, each in enumerate(result.explanations) if each.matched]
        yield f"  of the {len(case.records)} events, from 0, these match: {', '.join(found) or 'none'}"
    else:
        yield from (f"  {line}" for explanation in result.explanations for line in str(explanation).splitlines())


def _difference(difference: Difference) -> str:
    match difference.name:
        case "match":
            return "expected a match, but there is none" if difference.before else "expected no match, but there is one"
        case "matches":
            return f"expected {difference.before} matches, but there are {difference.after}"
        case name:
            return f"{name}: expected {_value(difference.before)}, is {_value(difference.after)}"


def _change(change: Difference) -> str:
    if change.before is ABSENT:
        return f"{change.name}: {_value(change.after)} (was absent)"
    if change.after is ABSENT:
        return f"{change.name}: absent (was {_value(change.before)})"
    return f"{change.name}: {_value(change.after)} (was {_value(change.before)})"


def _deciding_lines(rule: Rule, explanation: Explanation) -> Iterator[str]:
    """The lines whose tests decide the verdict, each with the file of the rule, or of the Sigma filter that has it."""
    if rule.path is None or not explanation.applies:
        return
    texts: dict[str, list[str]] = {}
    places = list(dict.fromkeys(_deciding(explanation.tree, rule.path)))
    for path in dict.fromkeys(path for path, _ in places):
        with suppress(OSError, ValueError):
            texts[path] = Path(path).read_text(encoding="utf-8").splitlines()
    shown = [(path, number) for path, number in places if number <= len(texts.get(path, ()))]
    for path, number in shown[:_SHOWN_LINES]:
        yield printable(f"{path}:{number}: {texts[path][number - 1].strip()}")
    if len(shown) > _SHOWN_LINES:
        yield f"… and {len(shown) - _SHOWN_LINES} more lines"


def _deciding(step: Step, path: str) -> Iterator[tuple[str, int]]:
    """File and line number of the tests that decide the outcome of a step."""
    if step.kind == "test":
        if step.line is not None:
            yield path, step.line
        return
    single = step.kind in ("not", "selection")
    for child in step.steps:
        if single or child.matched is step.matched:
            yield from _deciding(child, step.path or path)


def _value(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    text = json.dumps(json_ready(value), ensure_ascii=False)
    return printable(text if len(text) <= 200 else f"{text[:199]}…")
