"""Write a case file for a rule from generated records, for `cloudsigma test --suggest`.

The text is read back and every case is run before it is returned, so a suggested case always passes.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.context.event_time import event_time
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import UsageError
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.cases.case_file import read_case_file
from cloudsigma.testing.cases.runner import run_case
from cloudsigma.testing.cases.suite import Options, RuleTest, Suite
from cloudsigma.testing.cases.yaml_text import block, flow, overrides
from cloudsigma.testing.generation.generate import generate
from cloudsigma.testing.generation.generated import Generated, NearMiss, Sample
from cloudsigma.testing.mutation.mutate import mutate
from cloudsigma.testing.records.changes import ABSENT, Difference, changes_between, differences, same
from cloudsigma.testing.records.record import record
from cloudsigma.testing.records.sequence import TIMELY


class NothingToSuggestError(UsageError):
    """No matching record was found, so there is no case to write."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """A suggested case file."""

    text: str
    remarks: tuple[str, ...]
    """Fields of the rule that the records of its call do not have, and why variants are missing."""


def suggest(
    rule: Rule,
    rules: RuleSet,
    *,
    pipelines: Sequence[str | os.PathLike[str]] = (),
    placeholders: Mapping[str, Sequence[str | int | float]] | None = None,
) -> str:
    """The text of a case file for a rule.

    The first case is the record that matches. Then come near misses, each with the test that decides it, and variants:
    records that tell the rule from one with a mistake, such as a missing value or a name compared in part. Comments at
    the top name each test without a near miss, fields that the records of the call do not have, and why variants are
    missing: they need the rule's file, and `pipelines` and `placeholders` as the rule was compiled with.

    Args:
        rule: The rule.
        rules: The rules of its file, and for a correlation the rules that it refers to.
        pipelines: As given to `compile_rules`.
        placeholders: As given to `compile_rules`.

    Raises:
        NothingToSuggestError: No matching record was found; the message says why.
        UsageError: `rules` lacks a rule that a correlation refers to, or a pipeline cannot be used.
    """
    return suggested(rule, rules, Options(tuple(pipelines), None, placeholders)).text


def suggested(rule: Rule, rules: RuleSet, options: Options) -> Suggested:
    """As `suggest`, with the remarks of the text."""
    made = generate(rule, rules)
    if made.match is None:
        raise NothingToSuggestError(f"no case for {rule.title!r}: {'; '.join(map(str, made.obstacles))}")
    several = len([each for each in rules if each.path == rule.path and each.id not in rules.hidden]) > 1
    text = _written(made, (), made.remarks, several=several)
    variants, reasons = _variants(_tests(text, rule, rules), rule, rules, options)
    if not variants and not reasons:
        return Suggested(text, made.remarks)
    remarks = (*made.remarks, *(f"no variants were made: {reason}" for reason in reasons))
    text = _written(made, variants, remarks, several=several)
    _tests(text, rule, rules)
    return Suggested(text, remarks)


def case_path(rule: Rule) -> Path:
    """The path of a rule's case file, beside the rule file."""
    if rule.path is None:
        raise UsageError(f"{rule.title!r} was not read from a file, so no case file can be written beside it")
    return Path(rule.path).with_suffix(".cases.yml")


@dataclass(frozen=True, slots=True)
class _Variant:
    """Records that tell the rule from one with a mistake."""

    mistake: str
    match: bool
    records: tuple[dict[str, Any], ...]


def _tests(text: str, rule: Rule, rules: RuleSet) -> list[RuleTest]:
    """Read the text and run its cases; raises `AssertionError` if one fails."""
    declared = rule.logsource or rules.declared
    own = RuleSet(rules.rules, declared=declared if rule.correlation is None else rules.declared)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "suggested.cases.yml"
        path.write_text(text, encoding="utf-8")
        read = read_case_file(path)
    wrong = [str(error) for error in read.errors]
    wrong += [str(result) for case in read.cases if not (result := run_case(own, case, rule)).passed]
    if wrong:
        raise AssertionError("a suggested case is wrong: " + "\n".join(wrong) + f"\n{text}")
    return [RuleTest(read.path, case.name, case.line, own, rule, case) for case in read.cases]


def _variants(
    tests: Sequence[RuleTest], rule: Rule, rules: RuleSet, options: Options
) -> tuple[list[_Variant], tuple[str, ...]]:
    """Records that kill the mutants that the cases let survive, and the reasons why rules were not mutated."""
    needed = [each for each in rules.where(id=rule.id) if each.definition is not None]
    filters = {
        selection.path
        for each in needed
        if isinstance(each.definition, ir.DetectionRule)
        for selection in each.definition.selections
        if selection.filter is not None and selection.path is not None
    }
    paths = [each.path for each in needed if each.path is not None and Path(each.path).is_file()]
    if len(paths) < len(needed):
        return [], ("they need the files of the rules, and a rule was not read from a file",)
    files = tuple(dict.fromkeys((*paths, *sorted(filters))))
    report = mutate(Suite(tuple(tests), rules, rule_files=files, options=options))
    found: dict[str, _Variant] = {}
    for mutated in report.rules:
        for mutant in mutated.of("survived"):
            if (proposal := mutant.proposal) is not None and proposal.yaml not in found:
                found[proposal.yaml] = _Variant(mutant.id, proposal.match, proposal.records)
    return list(found.values()), report.unread


# --- the text -----------------------------------------------------------------------------------------------


def _written(made: Generated, variants: Sequence[_Variant], remarks: Sequence[str], *, several: bool) -> str:
    assert made.match is not None  # noqa: S101  # checked by the caller
    rule = made.rule
    lines = [
        f"# Suggested by `cloudsigma test --suggest` for {_one_line(rule.title)}.",
        "# The verdicts are the rule's own: read each case, and correct the rule or the case where one is wrong.",
    ]
    lines += [f"# {_one_line(remark)}." for remark in remarks]
    lines += [f"# No near miss for {_one_line(str(obstacle))}" for obstacle in made.obstacles]
    lines.append("")
    if several:
        lines += [f"rule: {flow(rule.id)}", ""]
    samples = made.matching
    if rule.correlation is not None:
        return "\n".join([*lines, *_sequences(made, variants)]) + "\n"
    bases = [_from(samples[0])]
    lines += _source(samples[0], "")
    if more := [sample for sample in samples[1:] if not any(same(_from(sample), base) for base in bases)]:
        lines.append("bases:")
        for sample in more:
            bases.append(_from(sample))
            lines += [f"  match {len(bases)}:", *_source(sample, "    ")]
    lines += ["", "cases:"]
    names: set[str] = set()
    for at, sample in enumerate(samples, start=1):
        name = "what the rule is for" if at == 1 else f"match {at}"
        lines += _of_one(_unique(name, names), _why(sample, made), sample.record, _from(sample), bases, match=True)
    for miss in made.near_misses:
        base = _from(miss.matching)
        lines += _of_one(_unique(_name(miss), names), miss.reason, miss.record, base, bases, match=False)
    for variant in variants:
        [record] = variant.records
        base = min(bases, key=lambda base: (changes_between(base, record) is None, len(differences(base, record))))
        name = "; ".join(map(_difference, differences(base, record))) or variant.mistake
        lines += _of_one(_unique(name, names), _mistaken(variant), record, base, bases, match=variant.match)
    return "\n".join(lines) + "\n"


def _mistaken(variant: _Variant) -> str:
    return f"with the mistake {variant.mistake!r} the rule would {'not match' if variant.match else 'match'}"


def _of_one(
    name: str,
    reason: str,
    wanted: dict[str, Any],
    base: dict[str, Any],
    bases: Sequence[dict[str, Any]],
    *,
    match: bool,
) -> list[str]:
    """The lines of a case with one record."""
    at = next(at for at, each in enumerate(bases) if same(each, base))
    lines = [f"    {line}" for line in overrides(base, wanted)]
    whole = lines[:1] == ["    record:"]
    return [*_case(name, reason, match=match, base=f"match {at + 1}" if at and not whole else None), *lines]


def _unique(name: str, names: set[str]) -> str:
    """The name, with a number if another case has it."""
    found = next(each for each in (name, *(f"{name} ({at})" for at in range(2, len(names) + 3))) if each not in names)
    names.add(found)
    return found


def _why(sample: Sample, made: Generated) -> str:
    """The reason of a matching case."""
    note = f"; {sample.note}" if sample.note else ""
    shown = [test for miss in made.near_misses if miss.matching is sample for test in miss.tests]
    if sample is made.match or not shown:
        return f"every test that the condition needs holds{note}"
    return f"here {shown[0]} decides the verdict{note}"


def _from(sample: Sample) -> dict[str, Any]:
    """The base of a sample in the file: the template's record if the sample is close to it, or the sample itself."""
    if sample.template is not None:
        started = record(**sample.template)
        if changes_between(started, sample.record) is not None and len(differences(started, sample.record)) <= 6:
            return started
    return sample.record


def _source(sample: Sample, indent: str) -> list[str]:
    base = _from(sample)
    if base is sample.record:
        return [f"{indent}record:", *block(sample.record, indent + "  ")]
    return [f"{indent}template: {flow(dict(sample.template or {}))}"]


def _case(name: str, reason: str, *, match: bool, base: str | None) -> list[str]:
    lines = ["", f"  - name: {flow(name)}", f"    reason: {flow(reason)}", f"    match: {flow(match)}"]
    return [*lines, *([f"    base: {base}"] if base is not None else [])]


def _name(miss: NearMiss) -> str:
    return "; ".join(_difference(each) for each in miss.differences) if miss.differences else miss.reason


def _difference(difference: Difference) -> str:
    if difference.after is ABSENT:
        return f"no {difference.name}"
    shown = json.dumps(difference.after, ensure_ascii=False, default=str)
    return f"{difference.name} is {shown if len(shown) <= 100 else shown[:99] + '…'}"


# --- correlations -------------------------------------------------------------------------------------------


def _sequences(made: Generated, variants: Sequence[_Variant]) -> list[str]:
    """Bases, and cases with their records at times after the start."""
    assert made.match is not None  # noqa: S101
    records = made.match.records
    start = event_time(records[0]) or 0
    bases: list[dict[str, Any]] = []
    for each in records:
        plain = _timeless(each)
        if not any(changes_between(base, plain) is not None and len(differences(base, plain)) <= 3 for base in bases):
            bases.append(plain)
    time = dt.datetime.fromtimestamp(start, dt.UTC)
    lines = [f"start: '{time:%Y-%m-%dT%H:%M:%SZ}'", "", "bases:"]
    for at, base in enumerate(bases, start=1):
        lines += [f"  event {at}:", "    record:", *block(base, "      ")]
    lines += ["", "cases:"]
    cases: Sequence[tuple[str, str, bool, tuple[dict[str, Any], ...]]] = [
        ("what the rule is for", _why(made.match, made), True, records),
        *(
            (each.reason, f"{each.reason}, so that the condition does not hold", False, each.records)
            for each in made.near_misses
        ),
        *((f"tells it from {each.mistake!r}", _mistaken(each), each.match, each.records) for each in variants),
    ]
    names: set[str] = set()
    for name, reason, match, sequence in cases:
        lines += [*_case(_unique(name, names), reason, match=match, base=None), "    records:"]
        for each in sequence:
            plain = _timeless(each)
            base = min(bases, key=lambda base: (changes_between(base, plain) is None, len(differences(base, plain))))
            lines.append(f"      - base: event {bases.index(base) + 1}")
            lines.append(f"        after: {(event_time(each) or 0) - start}s")
            lines += [f"        {line}" for line in overrides(base, plain)]
    return lines


def _timeless(made: Mapping[str, Any]) -> dict[str, Any]:
    """The record without time and event ID, which a sequence sets."""
    return {key: value for key, value in made.items() if key not in TIMELY}


def _one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def write_suggestion(rule: Rule, rules: RuleSet, options: Options | None = None) -> tuple[Path, tuple[str, ...]]:
    """Write the suggested cases beside the rule's file, which must not have any yet; returns their path and remarks.

    Raises:
        UsageError: A case file exists, or the rule was not read from a file.
        NothingToSuggestError: No matching record was found.
        OSError: The file cannot be written.
    """
    path = case_path(rule)
    if os.path.lexists(path):
        raise UsageError(f"{path} exists, so nothing was written. Move it away first")
    made = suggested(rule, rules, options or Options())
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(made.text)
    return path, made.remarks


__all__ = ["NothingToSuggestError", "case_path", "suggest", "suggested", "write_suggestion"]
