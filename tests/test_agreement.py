"""Every fast path has a slow judge: properties over random rules and records."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma import ir
from cloudsigma.engine.evaluate import fields, loading, operators, runtime
from cloudsigma.engine.evaluate.evidence import EvidenceReader
from cloudsigma.engine.evaluate.explain import evidence, explain

WORDS = [
    "a",
    "A",
    "ab",
    "b.c",
    "B",
    "*",
    "?",
    "\\",
    "ß",
    "ẞ",
    "ſ",
    "K",
    "k",
    "İ",
    "Σ",
    "ς",
    "\n",
    "",
    "1",
    "10.0.0.1",
]
texts = st.lists(st.sampled_from(WORDS), max_size=4).map("".join)
numbers = st.one_of(st.integers(-3, 12), st.sampled_from([2**53, 2**53 + 1, 2**64, 1.5, 0.0, -0.0, 1e300]))
scalars = st.one_of(
    texts,
    numbers,
    st.booleans(),
    st.none(),
    st.sampled_from(["true", "No", "on", "1.50", "1e1", "01", "10.0.0.7", "::1", "2025-03-04T10:15:30Z"]),
)
keys = st.sampled_from(["a", "b", "c", "a.b", "b.c", "A"])
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
records = st.dictionaries(keys, values, max_size=4)
names = st.sampled_from(["a", "b", "a.b", "a.b.c", "b.c", "c"])


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    """One line of a selection that loads."""
    name = draw(names)
    kind = draw(st.sampled_from(["plain", "string", "re", "cidr", "compare", "exists", "fieldref", "time", "windash"]))
    several = draw(st.booleans())
    modifiers: list[str] = []

    def some(strategy: st.SearchStrategy[Any]) -> Any:
        return draw(st.lists(strategy, min_size=1, max_size=3)) if several else draw(strategy)

    value: Any
    match kind:
        case "plain":
            value = some(scalars)
        case "string":
            modifiers = draw(
                st.lists(st.sampled_from(["contains", "startswith", "endswith", "cased"]), max_size=2, unique=True)
            )
            value = some(texts)
        case "re":
            modifiers = ["re", *draw(st.lists(st.sampled_from("ims"), max_size=3, unique=True))]
            value = some(st.sampled_from(["a", "^a", "b$", ".", "a.b", "(a|B)+", "[[:alpha:]]", "\\d", "x*"]))
        case "cidr":
            modifiers = ["cidr"]
            value = some(st.sampled_from(["10.0.0.0/8", "10.0.0.1", "::/0", "0.0.0.0/0"]))
        case "compare":
            modifiers = [draw(st.sampled_from(["lt", "lte", "gt", "gte"]))]
            value = some(numbers)
        case "exists":
            modifiers, value = ["exists"], draw(st.booleans())
        case "fieldref":
            modifiers = [
                "fieldref",
                *draw(st.lists(st.sampled_from(["contains", "startswith", "endswith"]), max_size=1)),
            ]
            value = some(names)
        case "time":
            unit = draw(st.sampled_from(["minute", "hour", "day", "week", "month", "year"]))
            modifiers = [unit, *draw(st.lists(st.sampled_from(["lt", "gte"]), max_size=1))]
            value = some(st.integers(2, 11))
        case _:
            modifiers, value = ["windash"], some(st.sampled_from(["-a", "/b", "a", "-a /b"]))
    if several and kind != "exists" and draw(st.booleans()):
        modifiers.append("all")
    if draw(st.integers(0, 3)) == 0:
        modifiers.append("neq")
    return {"|".join([name, *modifiers]): value}


keywords = st.lists(texts.filter(bool), min_size=1, max_size=3)
maps = st.lists(items(), min_size=1, max_size=3).map(
    lambda several: {k: v for item in several for k, v in item.items()}
)
selections = st.one_of(maps, st.lists(maps, min_size=1, max_size=3), keywords)
CONDITIONS = [
    "s1", "not s1", "s1 and s2", "s1 or not s2", "not (s1 and s2)", "1 of s*", "all of them", "not 1 of s*",
    "(s1 or s2) and not s3", "not not s1", "s1 and s2 or s3", ["s1", "not s2"],
]  # fmt: skip


def rule_text(first: Any, second: Any, third: Any, condition: Any) -> str:
    """A rule over three selections."""
    rule = {
        "title": "T",
        "logsource": {"product": "aws"},
        "detection": {"s1": first, "s2": second, "s3": third, "condition": condition},
    }
    return yaml.safe_dump(rule, allow_unicode=True, sort_keys=False)


@fuzz(300)
@given(selections, selections, selections, st.sampled_from(CONDITIONS), st.lists(records, min_size=1, max_size=4))
def test_predicate_agrees_with_plain_evaluator(
    first: Any, second: Any, third: Any, condition: Any, given_records: list[dict[str, Any]]
) -> None:
    """The generated predicate and the evaluator behind explanations give one verdict, and a match has evidence."""
    (rule,) = cloudsigma.compile_text(rule_text(first, second, third, condition))
    from_source = loading.load(rule.source, "shown")
    reader = EvidenceReader()
    for record in given_records:
        before = json.dumps(record)
        tree = explain(rule.definition, record)
        assert rule.predicate(record) is tree.matched
        assert from_source(record) is tree.matched
        if tree.matched:
            assert evidence(tree)
            for _ in range(2):  # the second time it is remembered
                assert repr(reader.read(rule.definition, record)) == repr(evidence(tree))
        assert json.dumps(record) == before


parts = st.lists(st.sampled_from(["a", "b", "ab", "B", "ß", runtime.ONE, runtime.MANY]), max_size=6).map(tuple)


@fuzz(600)
@given(parts, st.text("abABßẞ?*", max_size=8), st.booleans())
def test_wildcards_agree_with_the_textbook(pattern: Any, subject: str, cased: bool) -> None:
    """The piecewise wildcard matcher and the character-by-character one agree."""
    fast = runtime.like(pattern, cased=cased)((subject,))
    assert fast is operators.matches(ir.Pattern(pattern, cased), subject)
    folded = [part if cased or isinstance(part, ir.Wildcard) else operators.fold(part) for part in pattern]
    assert fast is operators.match_wildcards(folded, subject if cased else operators.fold(subject))


@fuzz(100)
@given(records, names)
def test_values_are_the_scalars_of_the_nodes(record: dict[str, Any], name: str) -> None:
    """The values of a field are exactly the scalars in its nodes, and the fast reader reads the same."""

    def leaves(node: Any) -> list[Any]:
        if isinstance(node, dict):
            return [leaf for child in node.values() for leaf in leaves(child)]
        return [leaf for child in node for leaf in leaves(child)] if isinstance(node, list) else [node]

    expected = [leaf for node in fields.nodes(record, name) for leaf in leaves(node)]
    assert list(fields.values(record, name)) == expected
    assert list(fields.values_reader(name)(record)) == expected


hostile = st.text(max_size=40).map(lambda text: text + "\"\"\"'''\n{}%\\\r\u2028") | st.sampled_from(
    [
        "'); import os #",
        '"""\nimport os\n"""',
        "{record}",
        "%s",
        "\\",
        "\x00"[1:],
        "__import__('os')",
        "\n\nraise",
        "é\u202e",
    ]
)
yaml_texts = hostile.filter(
    lambda text: (
        all(c in "\t\n\r\x85" or c >= " " for c in text)
        and not any("\ud800" <= c <= "\udfff" or "\x7f" <= c <= "\x9f" or c in "\ufffe\uffff\ufeff" for c in text)
    )
)


@fuzz(60)
@given(yaml_texts, yaml_texts, yaml_texts, yaml_texts)
def test_hostile_text_never_becomes_code(title: str, name: str, field: str, value: str) -> None:
    """Text of titles, identifiers, fields and values is data: the rule compiles (or is refused) and means itself."""
    name = name.strip("_") or "s"
    field = field.replace("|", "").strip() or "f"
    text = json.dumps(
        {
            "title": title[:200],
            "logsource": {"product": "aws"},
            "detection": {name: {f"{field}|cased": value}, "condition": "all of them"},
        }
    )
    try:
        (rule,) = cloudsigma.compile_text(text)
    except cloudsigma.RuleError as error:
        assert error.category in ("schema", "yaml", "value")  # noqa: PT017
        return
    assert rule.predicate({field: "something else entirely"}) is (value.strip("*") == "" and value != "")


def test_generated_source_has_no_way_out() -> None:
    """The namespace of a predicate has no builtins and only the vocabulary."""
    (rule,) = cloudsigma.compile_text("{title: T, logsource: {product: aws}, detection: {s: {a: b}, condition: s}}")
    assert rule.predicate.__globals__["__builtins__"] == {}
    with pytest.raises(NameError):
        loading.load("def predicate(record):\n    return open('x')\n", "test")({})


def test_same_rule_gives_same_source() -> None:
    """Generation is deterministic."""
    text = "{title: T, logsource: {product: aws}, detection: {s: {a: [b, c], d|re: e}, t: [x], condition: s or t}}"
    (first,), (second,) = cloudsigma.compile_text(text), cloudsigma.compile_text(text)
    assert first.source == second.source
    assert first == second
