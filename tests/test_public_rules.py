"""Every public rule, judged twice: the predicate and the plain evaluator agree on records made from the rule."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma import ir
from cloudsigma.engine.evaluate import runtime
from cloudsigma.engine.evaluate.explain import explain


def items_of(body: ir.Group | ir.Test) -> Iterator[ir.Test]:
    if isinstance(body, ir.Test):
        yield body
    else:
        for member in body.members:
            yield from items_of(member)


def value_for(matcher: ir.Matcher, chance: random.Random) -> Any:
    """A value that the matcher is likely to pass."""
    match matcher:
        case ir.Pattern(parts):
            text = "".join(
                part if isinstance(part, str) else chance.choice(["", "x", "yz"])[:1] or "q" for part in parts
            )
            return chance.choice([text, text.upper(), text + "\n"])
        case ir.Number(value) | ir.Boolean(value):
            return chance.choice([value, str(value).lower()])
        case ir.Compare(_, value):
            return value + chance.choice([-1, 0, 1])
        case ir.Cidr(network):
            return network.split("/")[0]
        case ir.OneOf(variants):
            return value_for(chance.choice(variants), chance)
        case ir.Regex(pattern):
            return pattern.replace("\\", "").replace(".*", "x")
        case _:
            return chance.choice([None, "x", ""])


def put(record: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for segment in path:
        child = record.setdefault(segment, {})
        if not isinstance(child, dict):
            record[name] = value
            return
        record = child
    record[last] = value


def records_for(rule: ir.DetectionRule, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Records with values from the rule's own selections: all of them, and some of them."""
    for share in (1.0, 1.0, 0.8, 0.5, 0.2):
        record: dict[str, Any] = {}
        for selection in rule.selections:
            for test in items_of(selection.body):
                if chance.random() <= share and not ("filter" in selection.name and share == 1.0):
                    chosen = test.matchers if test.all_of else [chance.choice(test.matchers)]
                    made = [value_for(matcher, chance) for matcher in chosen]
                    put(record, test.field or f"keyword{len(record)}", made if len(made) > 1 else made[0])
        yield record


def test_predicate_agrees_on_every_public_rule(shared_corpus: Path) -> None:
    """On five records made from each of 3,782 public rules, both evaluators agree, and most rules match one."""
    chance = random.Random(1)  # noqa: S311  # the same records in every run
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_all", on_error="skip")
    compared = matched = 0
    for rule in rules:
        assert isinstance(rule.definition, ir.DetectionRule)
        assert rule.predicate is not None
        hit = False
        for record in records_for(rule.definition, chance):
            verdict = rule.predicate(record)
            assert verdict is explain(rule.definition, record).matched, (rule.id, record)
            compared += 1
            hit = hit or verdict
        matched += hit
    assert len(rules) > 3700
    assert compared == 5 * len(rules)
    assert matched > 0.6 * len(rules)


def test_no_public_rule_takes_long_to_compile(shared_corpus: Path) -> None:
    """The largest rule files compile in well under a second each."""
    files = sorted((shared_corpus / "sigmahq_all").rglob("*.yml"), key=lambda file: -file.stat().st_size)[:20]
    for file in files:
        started = time.process_time()
        cloudsigma.compile_rules(file, on_error="skip")
        assert time.process_time() - started < 1, file


CATASTROPHES = ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "(a*)*b"]


@pytest.mark.parametrize("pattern", CATASTROPHES)
@pytest.mark.parametrize("length", [129, 100_000])
def test_catastrophic_patterns_are_linear(pattern: str, length: int) -> None:
    """Patterns that take ages in a backtracking engine take milliseconds, also on 100 KB."""
    test = runtime.search(pattern)
    for letter in "ax":
        started = time.process_time()
        test((letter * (length - 1) + "!",))
        assert time.process_time() - started < 0.5


def test_many_wildcards_are_not_exponential() -> None:
    """A pattern of a thousand `*` against 100 KB that almost fits."""
    test = runtime.like((runtime.MANY, *(("a", runtime.MANY) * 1000), "b"))
    started = time.process_time()
    assert not test(("a" * 100_000,))
    assert test(("a" * 100_000 + "b",))
    assert time.process_time() - started < 0.5
