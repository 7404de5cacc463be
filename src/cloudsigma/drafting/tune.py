"""A Sigma filter that leaves out known false positives of a rule, tried with the engine before it is written."""

from __future__ import annotations

import datetime as dt
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudsigma import ir
from cloudsigma.comparing.trail import Side, event_row
from cloudsigma.drafting.contrast import telling_fields
from cloudsigma.drafting.draft import yaml_value
from cloudsigma.drafting.shared_fields import FieldTest, shared_fields
from cloudsigma.engine.identity import event_identity
from cloudsigma.engine.match import make_match
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import CloudSigmaError, one_or_group
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.config import ScanCallbacks, ScanConfig
from cloudsigma.scanning.scan import Scan
from cloudsigma.testing.cases.suite import Suite, find_tests
from cloudsigma.testing.cases.yaml_text import flow

_SHOWN = 3
"""Callers that a message names."""

Record = Mapping[str, Any]


class NoFilterError(CloudSigmaError):
    """No filter leaves out the false positives and keeps all that must go on matching."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """A filter that passed every check, and the records that it was made from."""

    text: str
    """The filter as YAML."""
    tests: tuple[FieldTest, ...]
    """What a record must have to be left out."""
    rules: RuleSet
    """The rules of the file, without the filter."""
    filtered: RuleSet
    """The same rules with it."""
    tuned: tuple[str, ...]
    """IDs of the rules that the filter narrows."""
    false_positives: tuple[Record, ...]
    """Those that the rules match; the filter leaves all of them out."""
    unmatched: int
    """Records given as false positives that no rule matches."""
    kept: int
    """True positives that match with the filter, too."""
    unmatched_kept: int
    """Records given as true positives that no rule matches even without the filter."""
    cases: int
    """Cases that pass with the filter."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a filter does on a corpus."""

    matches: int
    """Matches of the tuned rules without the filter."""
    known: int
    """Those that are the false positives."""
    others: Side
    """Other events that the filter leaves out."""
    ledger: Ledger
    """What was read."""


def tune(path: Path, false_positives: Sequence[Record], keep: Sequence[Record] = ()) -> Tuning:
    """Make a filter for the rules of a file, as narrow as the false positives allow.

    It tests all that they share: caller, network, user agent, account, event. If that takes away a record of `keep` or
    of a case, fields that tell them apart are added.

    Args:
        path: The file of the rules; the cases beside it must pass.
        false_positives: Records that the rules must match no longer.
        keep: Records that they must go on matching.

    Raises:
        NoFilterError: There is no such filter; the message says why.
        RuleError: The file has a mistake.
        RuleErrors: It has several.
    """
    suite = find_tests(path)
    if suite.rules.errors:
        raise one_or_group(suite.rules.errors)
    _check_cases(suite, "without a filter, so it cannot show whether a filter is right")
    found = [record for record in false_positives if matched_by(suite.rules, record)]
    if not found:
        raise NoFilterError(
            f"none of the {len(false_positives)} records is matched by {path}: there is nothing to tune"
        )
    true = [record for record in keep if matched_by(suite.rules, record)]
    both = {event_identity(record) for record in found} & {event_identity(record) for record in true}
    if both:
        told = next(record.get("eventID") for record in true if event_identity(record) in both)
        raise NoFilterError(f"eventID {told!r} is a false positive and is to be kept: remove it from one of the files")
    tuned = tuple(rule.id for rule in suite.rules if any(_matches(suite.rules, rule, record) for record in found))
    cases = [
        record for test in suite.tests if test.case is not None and test.case.match for record in test.case.records
    ]
    tests, text, narrowed = _narrowest(suite, tuned, found, [*true, *cases])
    return Tuning(
        text, tests, suite.rules, narrowed.rules, tuned, tuple(found), len(false_positives) - len(found),
        len(true), len(keep) - len(true), len(narrowed.tests),
    )  # fmt: skip


def effect_on(tuning: Tuning, paths: Sequence[str], limits: Limits, watcher: Watcher | None = None) -> Effect:
    """Count the matches in logs that the filter would leave out besides the false positives.

    Args:
        tuning: The filter.
        paths: Files, folders and places in S3.
        limits: Bounds on what is read.
        watcher: Is told about the progress.
    """
    known = {event_identity(record) for record in tuning.false_positives}
    rules = tuning.rules.where(id=list(tuning.tuned))
    scan = Scan(paths, rules, ScanConfig(limits=limits), callbacks=ScanCallbacks(watcher=watcher))
    others = Side()
    matches = false = 0
    for match in scan:
        if match.rule_id not in tuning.tuned:
            continue
        matches += 1
        if event_identity(match.record) in known:
            false += 1
        elif not _matches(tuning.filtered, tuning.filtered[match.rule_id], match.record):
            others.add(event_row(match))
    return Effect(matches, false, others, scan.ledger)


def matched_by(rules: RuleSet, record: Record) -> frozenset[str]:
    """IDs of the detection rules that match a record, those that exist only for a correlation included."""
    return frozenset(rule.id for rule in rules if _matches(rules, rule, record))


def _matches(rules: RuleSet, rule: Rule, record: Record) -> bool:
    source, predicate = rule.logsource, rule.predicate
    return predicate is not None and source is not None and source.covers(rules.declared) and predicate(record)


def _narrowest(
    suite: Suite, tuned: Sequence[str], found: Sequence[Record], wanted: Sequence[Record]
) -> tuple[tuple[FieldTest, ...], str, Suite]:
    """The tests of the filter, its text, and the cases with it, which pass."""
    tests = shared_fields(found)
    if not any(test.names_origin for test in tests):
        raise NoFilterError(_nothing_shared(suite, found))
    text, narrowed = _tried(suite, tuned, tests)
    lost = list(_lost(suite, narrowed, wanted))
    if lost:
        fields, left = telling_fields(found, lost)
        if left:
            raise NoFilterError(
                f"no stable field that the false positives share tells them from {len(left)} of the records that must "
                f"go on matching (--keep, cases), such as eventID {left[0].get('eventID')!r}"
            )
        tests = (*tests, *(FieldTest(name, value) for name, value in fields.items()))
        text, narrowed = _tried(suite, tuned, tests)
        lost = list(_lost(suite, narrowed, wanted))
    if lost:
        raise NoFilterError(f"the filter would take away eventID {lost[0].get('eventID')!r}, which must go on matching")
    still = [record for record in found if matched_by(narrowed.rules, record)]
    if still:
        raise NoFilterError(f"the filter would not take away eventID {still[0].get('eventID')!r}")
    _check_cases(narrowed, "with the filter")
    return tests, text, narrowed


def _lost(suite: Suite, narrowed: Suite, wanted: Sequence[Record]) -> Iterator[Record]:
    return (each for each in wanted if matched_by(suite.rules, each) - matched_by(narrowed.rules, each))


def _tried(suite: Suite, tuned: Sequence[str], tests: Sequence[FieldTest]) -> tuple[str, Suite]:
    """The text of the filter, and the rules and cases compiled with it."""
    text = _filter_text([suite.rules[key] for key in tuned], tests)
    with tempfile.TemporaryDirectory(prefix="cloudsigma-") as folder:
        file = Path(folder) / "filter.yml"
        file.write_text(text, encoding="utf-8", newline="\n")
        narrowed = find_tests(*suite.rule_files, file)
    if narrowed.rules.errors:
        raise one_or_group(narrowed.rules.errors)
    return text, narrowed


def _check_cases(suite: Suite, when: str) -> None:
    for result, test in ((test.run(), test) for test in suite.tests):
        if not result.passed:
            raise NoFilterError(f"the case {test.name!r} of {test.path} fails {when} ({result.summary.rstrip('.')})")


def _nothing_shared(suite: Suite, found: Sequence[Record]) -> str:
    matches = (make_match(suite.rules[min(matched_by(suite.rules, record))], record) for record in found)
    principals = (match.context.principal for match in matches)
    callers = list(
        dict.fromkeys((each.issuer_arn or str(each)) if each is not None else "nobody" for each in principals)
    )
    named = ", ".join(callers[:_SHOWN]) + (f" and {len(callers) - _SHOWN} more" if len(callers) > _SHOWN else "")
    return (
        f"the false positives share neither a caller nor a network ({named}), and a filter without one would leave "
        "out the calls of anybody. Give the records of one caller at a time"
    )


def _filter_text(rules: Sequence[Rule], tests: Sequence[FieldTest]) -> str:
    title = f"Known Callers Of {rules[0].title}" + (f" And {len(rules) - 1} More" if len(rules) > 1 else "")
    source = rules[0].logsource or ir.LogSource()
    attributes = {"product": source.product, "category": source.category, "service": source.service}
    lines = [
        f"title: {flow(title[:110].rstrip())}",  # SigmaHQ's limit
        f"id: {uuid.uuid4()}",
        "description: Leaves out known false positives.",
        f"date: {dt.datetime.now(dt.UTC).date().isoformat()}",
        "logsource:",
        *(f"    {key}: {flow(value)}" for key, value in attributes.items() if value is not None),
        "filter:",
        "    rules:",
        *(f"        - {flow(_reference(rule))}" for rule in rules),
        "    known:",
        *(f"        {test.key}: {yaml_value(test.value)}" for test in tests),
        "    condition: not known",
    ]
    return "\n".join(lines) + "\n"


def _reference(rule: Rule) -> str:
    """The ID or name of a rule; an ID that was made from its content would change with it."""
    text = Path(rule.path).read_text(encoding="utf-8", errors="replace") if rule.path is not None else ""
    if rule.id in text.lower():
        return rule.id
    if rule.name is None:
        raise NoFilterError(f"{rule.title!r} has neither an ID nor a name for a filter to refer to. Add an id to it")
    return rule.name
