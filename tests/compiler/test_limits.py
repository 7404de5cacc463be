"""What a rule may cost is bounded: every refusal names its limit and the option, and takes little time and memory."""

from __future__ import annotations

import gc
import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma import RuleLimits
from cloudsigma.compiler import read_placeholders

HOSTILE = Path(__file__).parent.parent / "corpus" / "cases" / "hostile-rules"
MOST_SECONDS = 2.0
"""CPU time that a hostile rule may take."""
MOST_BYTES = 300_000_000
"""Memory that Python may hold meanwhile."""


def rule(item: str, more: str = "") -> str:
    return (
        "title: T\nlogsource: {product: aws, service: cloudtrail}\n"
        f"{more}detection:\n    s: {{{item}}}\n    condition: s\n"
    )


def bounded(text: str, **options: Any) -> cloudsigma.RuleSet:
    """Compile within the bounds on time and memory."""
    tracemalloc.start()
    before = time.process_time()
    rules = cloudsigma.compile_text(text, on_error="skip", **options)
    took = time.process_time() - before
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < MOST_SECONDS * 5, f"{took:.1f} s"  # tracing makes it several times slower
    assert peak < MOST_BYTES, f"{peak:,} bytes"
    return rules


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ((HOSTILE / "base64offset12.yml").read_text(), "expansions"),
        (rule(f"'a|{'|'.join(['wide'] * 26)}': x"), "modifiers"),
        (rule(f"'a|{'|'.join(['wide'] * 19)}': {'x' * 30}"), "characters"),
        (rule(f"'a|{'|'.join(['base64'] * 20)}': {'x' * 30000}"), "characters"),
        (rule(f"'a|windash|{'|'.join(['base64offset'] * 4)}|windash': '/a -b /a -b'"), "expansions"),
        (rule(f"'a|{'|'.join(['base64offset'] * 5)}': [" + "x, " * 1000 + "]"), "variants"),
        (rule("a: b", "fields: ['$..a..b..c..d']\n"), "searches"),
        (rule("a: b", "x: [" + "1, " * 250_000 + "]\n"), "nodes"),
        ("---\n" * 30_000, "documents"),
        ("# " + "x" * (11 << 20), "file"),
    ],
    ids=["offset", "many", "wide", "base64", "windash", "list", "searches", "nodes", "documents", "file"],
)  # fmt: skip
def test_a_rule_that_grows_without_bound_is_refused(text: str, limit: str) -> None:
    """The reason names the limit and the option that changes it."""
    [error] = bounded(text).errors
    assert f"(the limit {limit!r}; --rule-limit {limit}=N changes it)" in error.reason


@pytest.mark.parametrize(
    ("transformations", "limit"),
    [
        ((HOSTILE / "pipe4.yml").read_text(), "names"),
        ("transformations:\n" + "- {type: replace_string, regex: '(.+)', replacement: '\\1\\1'}\n" * 40, "characters"),
        ("transformations:\n- {type: replace_string, regex: '', replacement: " + "x" * 5_000_000 + "}\n", "characters"),
    ],
    ids=["names", "doubling", "long"],
)
def test_a_pipeline_that_grows_without_bound_is_refused(tmp_path: Path, transformations: str, limit: str) -> None:
    """Mappings of one name to several, and replacements that double, stop at their limits."""
    path = tmp_path / "p.yml"
    path.write_text(transformations)
    [error] = bounded(rule("eventName: CreateGroup"), pipelines=[path]).errors
    assert f"--rule-limit {limit}=N" in error.reason


def chain(length: int) -> str:
    """A rule, and correlations of which each refers to the one before, the last one first."""
    links = [
        f"title: C{at}\nname: c{at}\ncorrelation: {{type: event_count, rules: [c{at - 1}], timespan: 1m, "
        "condition: {gte: 2}}\n"
        for at in range(length, 0, -1)
    ]
    return "---\n".join([*links, rule("a: b", "name: c0\n")])


def test_a_long_chain_of_correlations_is_refused() -> None:
    """The first one beyond the limit names it, in whatever order they are written; those below it stay."""
    assert not bounded(chain(10)).errors
    rules = bounded(chain(11))
    assert len(rules) == 11
    [error] = rules.errors
    assert "C11" in str(error)
    assert "more deeply than 10 (the limit 'correlation_depth'; --rule-limit correlation_depth=N" in error.reason
    assert len(bounded(chain(11), limits=RuleLimits(correlation_depth=11))) == 12
    assert len(bounded(chain(300)).errors) == 290


def test_limits_can_be_changed() -> None:
    """A higher one lets the rule through, a lower one does not; one that is not a number is wrong usage."""
    text = rule("'a|base64offset|contains': x12345")
    assert len(cloudsigma.compile_text(text, limits=RuleLimits(expansions=3))) == 1
    with pytest.raises(cloudsigma.RuleError, match="more than 2"):
        cloudsigma.compile_text(text, limits=RuleLimits(expansions=2))
    with pytest.raises(cloudsigma.UsageError, match="rule limit expansions"):
        RuleLimits(expansions=0)
    with pytest.raises(cloudsigma.UsageError, match="limits"):
        cloudsigma.compile_text(text, limits=3)  # type: ignore[arg-type]  # what a caller without types may give


@pytest.mark.parametrize("limit", [1000, 2000])
def test_a_file_above_the_limit_is_told_by_its_size(tmp_path: Path, limit: int) -> None:
    """A sparse file of a terabyte is not read."""
    path = tmp_path / "r.yml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    [error] = cloudsigma.compile_rules(path, on_error="skip", limits=RuleLimits(file=limit)).errors
    assert error.category == "file"
    assert f"larger than {limit:,} (the limit 'file'; --rule-limit file=N changes it) bytes" in error.reason


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("use", ["rules", "pipelines", "placeholders"])
def test_devices_and_pipes_are_refused(tmp_path: Path, kind: str, use: str) -> None:
    """None is waited for, and none is read until memory ends."""
    path = Path("/dev/zero") if kind == "device" else tmp_path / "p.yml"
    if kind == "pipe":
        os.mkfifo(path)
    reader = {
        "rules": cloudsigma.compile_rules,
        "pipelines": lambda path: cloudsigma.compile_text(rule("a: b"), pipelines=[path]),
        "placeholders": read_placeholders,
    }[use]
    with pytest.raises(cloudsigma.RuleError, match="it is not a regular file"):
        reader(path)


def test_compile_time_grows_with_the_text() -> None:
    """Ten times as many documents, values or selections take about ten times as long, not a hundred times."""

    def took(text: str) -> float:
        gc.collect()
        gc.disable()  # a collection looks at the objects of every test before this one
        try:
            before = time.process_time()
            cloudsigma.compile_text(text, on_error="skip")
            return time.process_time() - before
        finally:
            gc.enable()

    makers = {
        "documents": lambda n: "---\n".join([rule("a: b")] * n),
        "empty documents": lambda n: "---\n" * (20 * n),
        "values": lambda n: rule("a: [" + ", ".join(f"v{at}" for at in range(50 * n)) + "]"),
        "items": lambda n: rule(", ".join(f"a{at}: v" for at in range(20 * n))),
    }
    for name, make in makers.items():
        small, large = min(took(make(50)) for _ in range(3)), took(make(500))
        assert large < max(small, 0.01) * 40, f"{name}: {small:.3f} s and {large:.3f} s"
