"""Nothing recurses or nests once a value: a rule with thousands of values, maps or filters is as good as a small one.

Each rule is compiled, matched, explained, printed, saved and loaded in a process of its own, within seconds of CPU time
and some hundred megabytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma import ir
from cloudsigma.engine.evaluate.codegen import generate, generate_part
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.engine.evaluate.loading import Vocabulary
from cloudsigma.engine.prefilter.partial import PartialEvaluator

VALUES, FILTERS = 10_000, 5_000
SECONDS = 30
"""CPU time that one rule may take on a slow machine; most take one or two seconds."""
MEMORY = 500 << 20
RUNNER = Path(__file__).parent.parent / "made" / "large_rule.py"
RECORD = {
    "eventName": "X", "eventSource": "s", "eventTime": "2025-03-04T10:15:30Z", "f": "v9999", "ip": "10.0.39.15", "n": 1,
}  # fmt: skip
HEAD = """\
title: Large
id: 00000000-0000-4000-8000-000000000001
logsource: {product: aws, service: cloudtrail}
detection:
"""


def values(field: str, make: Callable[[int], Any]) -> str:
    listed = "".join(f"      - {make(number)}\n" for number in range(VALUES))
    return f"{HEAD}  s:\n    {field}:\n{listed}  condition: s\n"


def selections(number: int, value: Callable[[int], str], condition: str) -> str:
    return HEAD + "".join(f"  s_{at}: {{f: {value(at)}}}\n" for at in range(number)) + f"  condition: {condition}\n"


def filters(titles: Callable[[int], str]) -> str:
    documents = [
        f"---\ntitle: {titles(at)}\nid: 00000000-0000-4000-9000-{at:012}\nlogsource: {{product: aws}}\n"
        f"filter: {{rules: any, approved: {{f: w{at}}}, condition: not approved}}\n"
        for at in range(FILTERS)
    ]
    return HEAD + "  s: {eventName: X}\n  condition: s\n" + "".join(documents)


def maps(make: Callable[[int], str], condition: str = "s") -> str:
    listed = "".join(f"    - {{{make(number)}}}\n" for number in range(VALUES))
    return f"{HEAD}  t: {{eventName: X}}\n  s:\n{listed}  condition: {condition}\n"


def joined(operator: str, parts: Iterable[str]) -> str:
    return f" {operator} ".join(parts)


RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (values("f", lambda n: f"v{n}"), {}),
    "numbers": (values("n", lambda n: n), {}),
    "contains": (values("f|contains", lambda n: f"v{n}"), {"f": "a v9999 b"}),
    "startswith": (values("f|startswith", lambda n: f"v{n}x"), {"f": "v9999x"}),
    "endswith": (values("f|endswith|cased", lambda n: f"v{n}"), {}),
    "wildcards": (values("f", lambda n: f"'v?{n}*x'"), {"f": "vz9999yx"}),
    "re": (values("f|re", lambda n: f"v{n}$"), {}),
    "cidr": (values("ip|cidr", lambda n: f"10.0.{n >> 8}.{n & 255}/32"), {}),
    "lt": (values("n|lt", lambda n: n), {}),
    "year": (values("eventTime|year|lt", lambda n: 2 + n % 9998), {}),
    "fieldref": (values("f|fieldref", lambda n: f"g{n}"), {"g9999": "v9999"}),
    "windash": (values("f|windash", lambda n: f"-v{n}"), {"f": "/v9999"}),
    "base64offset": (values("f|base64offset|contains", lambda n: f"v{n}"), {"f": "xdjk5OTk"}),
    "neq": (values("f|neq", lambda n: f"v{n}"), {"f": "z"}),
    "contains-all": (values("f|contains|all", lambda n: f"v{n % 99}x"), {"f": "".join(f"v{n}x" for n in range(99))}),
    "re-all": (values("f|re|all", lambda n: f"v[{n % 10}]"), {"f": "".join(f"v{n}" for n in range(10))}),
    "keywords": (values("''", lambda n: f"v{n}").replace("    '':\n", ""), {}),
    "keywords-all": (values("'|all'", lambda n: f"v{n % 50}x"), {"f": "".join(f"v{n}x" for n in range(50))}),
    "maps": (maps(lambda n: f"f: v{n}, ip: 10.0.{n >> 8}.{n & 255}"), {}),
    "maps-with-names": (maps(lambda n: f"eventName: n{n}, f: v{n}"), {"eventName": "n9999"}),
    "not-maps": (maps(lambda n: f"f: v{n}, ip: 10.0.0.1", "t and not s"), {"f": "z"}),
    "and-not": (
        selections(FILTERS, lambda n: f"v{n}", joined("and not", (f"s_{n}" for n in range(FILTERS)))),
        {"f": "v0"},
    ),
    "or": (selections(FILTERS, lambda n: f"v{n}", joined("or", (f"s_{n}" for n in range(FILTERS)))), {"f": "v4999"}),
    "all-of": (selections(FILTERS, lambda n: f"'*v{n % 7}*'", "all of s_*"), {"f": "v0v1v2v3v4v5v6"}),
    "not-1-of": (selections(FILTERS, lambda n: f"v{n}", "not 1 of s_*"), {"f": "z"}),
    "filters": (filters(lambda n: f"Filter {n}"), {}),
    "filters-of-one-title": (filters(lambda _: "Filter"), {}),
    "placeholders": (f"{HEAD}  s: {{'f|expand': 'v%names%'}}\n  condition: s\n", {}),
    "placeholders-contains": (f"{HEAD}  s: {{'f|expand|contains': 'v%names%'}}\n  condition: s\n", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_large_rules_are_as_good_as_small_ones(tmp_path: Path, name: str) -> None:
    """Every way to use the rule gives the one verdict, within its bounds of time and memory."""
    text, more = RULES[name]
    (tmp_path / "rule.yml").write_text(text)
    (tmp_path / "record.json").write_text(json.dumps({**RECORD, **more}))
    if name.startswith("placeholders"):
        given = {"names": [str(number) for number in range(VALUES)]}
        (tmp_path / "placeholders.json").write_text(json.dumps(given))
    done = subprocess.run([sys.executable, RUNNER, tmp_path], capture_output=True, check=False, text=True, timeout=300)
    assert not done.returncode, done.stderr[-2000:]
    figures = json.loads(done.stdout)
    print(f"{figures['seconds']:.1f} s, {figures['peak'] >> 20} MiB")
    assert figures["verdicts"] == [True] * 6
    assert bool(figures["other"]) is (name in ("neq", "not-1-of"))
    assert all(figures["printed"])
    assert figures["seconds"] < SECONDS
    assert figures["peak"] < MEMORY


def test_a_thousand_maps_give_a_verdict(shared: Path) -> None:
    """The list of 1,000 indicators that used to be too deep for Python."""
    rules = cloudsigma.compile_rules(shared / "cases" / "hostile" / "ioc1000.yml")
    assert rules.verdicts({"eventName": "X", "sourceIPAddress": "10.0.0.5", "userAgent": "u5"})
    assert not rules.verdicts({"eventName": "X", "sourceIPAddress": "10.0.0.5", "userAgent": "u6"})


@pytest.mark.parametrize("depth", [150, 3_000])
def test_nesting_is_no_matter_of_recursion(depth: int) -> None:
    """IR that nests deeper than Python's brackets or calls may is evaluated by all evaluators."""
    expression: ir.Expression = ir.Identifier("s")
    body: ir.Group | ir.Test = ir.Test("f", (), (ir.Pattern(("x",)),), ("x",))
    other = ir.Test("g", (), (ir.Pattern(("y",)),), ("y",))
    for number in range(depth):
        body = ir.Group((body, other), all_of=number % 2 == 0)
        expression = ir.Not(ir.Or((expression, ir.Identifier("t")) if number % 2 else (expression,)))
    selections_of_rule = (ir.Selection("s", body), ir.Selection("t", other))
    metadata = ir.Metadata(id="r", title="T")
    rule = ir.DetectionRule(metadata, ir.LogSource(product="aws"), selections_of_rule, (ir.Condition(expression, ""),))
    left = PartialEvaluator(rule).reduce(lambda *_: None)
    for record in ({"f": "x", "g": "y"}, {"f": "x"}, {"g": "y"}, {}):
        expected = explain(rule, record).matched
        assert Vocabulary().load(generate(rule), "rule")(record) is expected
        part = left if isinstance(left, bool) else Vocabulary().load(generate_part(left), "rule")(record)
        assert part is expected
