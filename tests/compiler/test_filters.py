"""Filters narrow rules as if they were written into them, say when they do nothing, and show their own file."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import cloudsigma
from cloudsigma import ir
from cloudsigma.ir.walk import filters_of, without_filters
from cloudsigma.rulesets.filter_counts import FilterCounts

FILTERS = 1000
SOURCE = {"product": "aws", "service": "cloudtrail"}
RULE = """\
title: A
name: a
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {eventName: X}
    condition: selection
"""
FILTER = """\
---
title: F
logsource: {product: aws, service: cloudtrail}
filter:
    rules: [a]
    known: {user: x}
    condition: not known
"""


def warnings(text: str) -> list[str]:
    return [f"{warning.line}: {warning.reason}" for warning in cloudsigma.compile_text(text).warnings]


def _item(rng: random.Random) -> dict[str, Any]:
    field = rng.choice(("a", "b", "c.d"))
    modifier = rng.choice(("", "|contains", "|startswith", "|neq", "|re", "|exists"))
    values = [rng.choice(("x", "y", "xy", "1")) for _ in range(rng.randint(1, 2))]
    return {f"{field}{modifier}": rng.random() < 0.5 if modifier == "|exists" else values}


def _detection(rng: random.Random, names: list[str]) -> dict[str, Any]:
    return {name: _item(rng) if rng.random() < 0.7 else [_item(rng), _item(rng)] for name in names}


def _condition(rng: random.Random, names: list[str], depth: int = 0) -> str:
    if depth > 2 or rng.random() < 0.4:
        return rng.choice((*names, f"1 of {names[0][:2]}*", "all of them"))
    if rng.random() < 0.3:
        return f"not {_condition(rng, names, depth + 1)}"
    left, right = _condition(rng, names, depth + 1), _condition(rng, names, depth + 1)
    return f"({left} {rng.choice(('and', 'or'))} {right})"


def _spelled_out(condition: str, prefix: str, names: list[str]) -> str:
    """The condition over selections with a prefix; patterns become the names that they mean."""
    condition = re.sub(r"all of them", f"({' and '.join(names)})", condition)
    condition = re.sub(
        r"1 of (\w+)\*", lambda found: f"({' or '.join(n for n in names if n.startswith(found[1]))})", condition
    )
    return re.sub(r"\b(?!and\b|or\b|not\b)\w+", lambda found: prefix + found[0], condition)


def test_random_filters_agree_with_the_rule_written_out() -> None:
    """A rule with one to three filters has the verdicts of one rule that says `(rule) and (filter) and …`."""
    verdicts = {True: 0, False: 0}
    made = seed = 0
    while made < FILTERS:
        seed += 1
        rng = random.Random(seed)  # noqa: S311  # no secret
        names = [f"s_{at}" for at in range(rng.randint(1, 3))]
        detection, own = _detection(rng, names), _condition(rng, names)
        documents: list[Any] = [
            {"title": "R", "name": "r", "logsource": SOURCE, "detection": {**detection, "condition": own}}
        ]
        whole = {f"r_{name}": item for name, item in detection.items()}
        parts = [f"({_spelled_out(own, 'r_', names)})"]
        for at in range(rng.randint(1, 3)):
            their_names = [f"s_{number}" for number in range(rng.randint(1, 3))]
            theirs, condition = _detection(rng, their_names), _condition(rng, their_names)
            source = rng.choice((SOURCE, {"product": "AWS"}, {"service": "CloudTrail"}))
            body = {"rules": rng.choice((["r"], "any")), **theirs, "condition": condition}
            documents.insert(
                rng.randint(0, len(documents)),
                {"title": f"F{rng.choice((at, 0))}", "logsource": source, "filter": body},
            )
            whole |= {f"f{at}_{name}": item for name, item in theirs.items()}
            parts.append(f"({_spelled_out(condition, f'f{at}_', their_names)})")
        made += len(parts) - 1
        written = {"title": "R", "logsource": SOURCE, "detection": {**whole, "condition": " and ".join(parts)}}
        narrowed = cloudsigma.compile_text("\n---\n".join(map(yaml.safe_dump, documents)))
        judge = cloudsigma.compile_text(yaml.safe_dump(written))
        for _ in range(30):
            record = {key: rng.choice(("x", "y", "xy", "1", 1, None)) for key in ("a", "b") if rng.random() < 0.8}
            record |= {"c": {"d": rng.choice(("x", "q"))}} if rng.random() < 0.7 else {}
            verdict = bool(judge.match(record))
            assert bool(narrowed.match(record)) is verdict, f"seed {seed}: {documents} {record}"
            verdicts[verdict] += 1
    assert min(verdicts.values()) > FILTERS


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("rules: [a]", "rules: [b]", "11: the filter is for a rule 'b' that is not loaded"),
        ("service: cloudtrail}\nfilter", "service: other}\nfilter", "11: the filter does not narrow 'a'"),
        ("service: cloudtrail}\nfilter:\n    rules: [a]", "service: other}\nfilter:\n    rules: any",
         "11: the filter is for any rule, and no rule with its log source"),
        ("condition: not known", "condition: known", "13: the condition of the filter has no not"),
    ],
)  # fmt: skip
def test_a_filter_that_does_nothing_says_so(old: str, new: str, expected: str) -> None:
    """References, log sources and conditions that are surely a mistake are warned of, at their line."""
    [warning] = warnings(RULE + FILTER.replace(old, new))
    assert warning.startswith(expected)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("product: aws, service: cloudtrail}\nfilter", "product: AWS, service: CloudTrail}\nfilter"),
        ("service: cloudtrail}\nfilter", "category: null}\nfilter"),
        ("known: {user: x}\n    condition: not known", "known: {user|neq: x}\n    condition: known"),
        ("rules: [a]", "rules: any"),
    ],
)
def test_a_filter_that_works_is_quiet_and_narrows(old: str, new: str) -> None:
    """Letter case of the log source does not count."""
    text = RULE + (FILTER.replace(old, new) if old else FILTER)
    assert warnings(text) == []
    rules = cloudsigma.compile_text(text)
    assert [bool(rules.match({"eventName": "X", "user": user})) for user in ("x", "y")] == [False, True]


def test_a_filter_for_a_correlation_says_that_filters_do_not_reach_it() -> None:
    """It is told as such, not as a rule that is not loaded."""
    correlation = (
        "---\ntitle: C\nname: c\ncorrelation: {type: event_count, rules: [a], timespan: 1m, condition: {gte: 2}}\n"
    )
    [warning] = warnings(RULE + correlation + FILTER.replace("[a]", "[c]"))
    assert "'c' is a correlation, and filters do not reach correlations" in warning


def test_an_empty_list_of_rules_is_an_error() -> None:
    """It used to be any rule."""
    with pytest.raises(cloudsigma.RuleError, match="an empty list") as caught:
        cloudsigma.compile_text(RULE + FILTER.replace("[a]", "[]"))
    assert (caught.value.category, caught.value.line) == ("schema", 11)


@pytest.mark.parametrize("own_id", ["", "id: 6d8f3a52-6c5b-4d3e-9b0e-2f3f7f1b6a10\n"])
def test_its_own_file_and_line_are_shown(tmp_path: Path, own_id: str) -> None:
    """In the explanation, the generated source and tracebacks, with and without an ID."""
    (tmp_path / "rule.yml").write_text(RULE)
    file = tmp_path / "filter.yml"
    file.write_text(FILTER.removeprefix("---\n").replace("filter:", f"{own_id}filter:"))
    rules = cloudsigma.compile_rules(tmp_path)
    line = 6 if own_id else 5
    explained = str(rules.explain({"eventName": "X", "user": "x"}, "a"))
    assert f"F: known  ({file}:{line})" in explained
    assert f'user: x; met by "x"  ({file}:{line})' in explained
    assert 'eventName: X; met by "X"  (line 5)' in explained
    source = rules["a"].source
    assert source is not None
    assert f"FILTERS = ('{file}',)" in source
    assert f"# FILTERS[0] line {line}" in source
    assert "# rule line 5" in source


def test_a_rule_knows_itself_without_its_filters() -> None:
    """What each filter takes away can be counted: the rule before filters, and with one of them alone."""
    text = RULE + FILTER + FILTER.replace("title: F", "title: G").replace("user: x", "user: y")
    [rule] = cloudsigma.compile_text(text)
    definition = rule.definition
    assert isinstance(definition, ir.DetectionRule)
    assert len(filters_of(definition)) == 2
    plain = cloudsigma.Rule(without_filters(definition)).predicate
    second = cloudsigma.Rule(without_filters(definition, 1)).predicate
    assert plain is not None
    assert second is not None
    verdicts = [(plain({"eventName": "X", "user": user}), second({"eventName": "X", "user": user})) for user in "xyz"]
    assert verdicts == [(True, True), (True, False), (True, True)]


def test_thousands_of_filters_take_little_time() -> None:
    """5,000 filters on one rule compile in time that grows with their number."""
    text = RULE + "".join(FILTER.replace("user: x", f"user: u{number}") for number in range(5000))
    before = time.process_time()
    rules = cloudsigma.compile_text(text)
    took = time.process_time() - before
    assert not rules.match({"eventName": "X", "user": "u4999"})
    assert rules.match({"eventName": "X", "user": "u5000"})
    assert took < 30, f"{took:.1f} s"


def test_what_each_filter_takes_away_is_counted() -> None:
    """Each filter that alone would take a match away counts it; matches that stay and other records do not count."""
    text = RULE + FILTER + FILTER.replace("title: F", "title: G").replace("user: x", "user|startswith: x")
    counts = FilterCounts(cloudsigma.compile_text(text))
    for user in ("x", "x", "xy", "z"):
        counts.add({"eventName": "X", "user": user})
    counts.add({"eventName": "Y", "user": "x"})
    assert sorted(counts.counts.values()) == [2, 3]
    assert not FilterCounts(cloudsigma.compile_text(RULE)).counts
