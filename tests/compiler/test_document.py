"""Rule text is read as PyYAML's safe loader reads it, with the place of every node."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.compiler.document import Document, read_documents
from cloudsigma.errors import RuleError

SCALARS = [
    "yes", "No", "ON", "true", "~", "null", "", "0644", "0o17", "0x1F", "1_000", "12:30:45", "1e3", "1.5e+3", ".5",
    "-.inf", ".NaN", "2024-01-01", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00.5 +02:00", "012345678901", "'1'",
    '"a\\tb"', "!!str 5", "!!int '5'", "!!float 1", "!!bool yes", "!!binary aGk=", "! x", "|-\n  a\n  b", ">\n  a\n  b",
    "[a, {b: c}]", "{a: [1, 2]}", "a: b", "x # comment", "'it''s'", "- 1\n- 2",
]  # fmt: skip


def values_of(text: str) -> list[object]:
    found = list(read_documents(text, None))
    assert not any(isinstance(each, RuleError) for each in found), found
    return [each.value for each in found if isinstance(each, Document)]


@pytest.mark.parametrize("scalar", SCALARS)
def test_values_are_those_of_the_safe_loader(scalar: str) -> None:
    """Every kind of plain, quoted, tagged and block value, as a value and in a list."""
    indented = scalar.replace("\n", "\n  ")
    for text in (f"k:\n  {indented}", f"- {indented}", f"k: &a\n  {indented}\nl: *a", f"---\n{scalar}\n---\nz: 1\n..."):
        expected = [value for value in yaml.safe_load_all(text) if value is not None]
        assert repr(values_of(text)) == repr(expected)


def test_merge_keys_are_those_of_the_safe_loader() -> None:
    """Own keys win over merged ones, earlier maps over later ones."""
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc:\n  <<: [*a, *b]\n  y: 3\nd: {<<: *b}\n"
    assert values_of(text) == [yaml.safe_load(text)]


trees = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=12,
)


@fuzz(60)
@given(trees, st.booleans())
def test_what_is_dumped_is_read_back(tree: object, flow: bool) -> None:
    """Whatever PyYAML writes is read as PyYAML reads it."""
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True)
    expected = yaml.safe_load(text)
    assert values_of(text) == ([expected] if expected is not None else [])


def test_public_rules_are_read_as_the_safe_loader_reads_them(shared_corpus: Path) -> None:
    """All 4,605 public rule files have the values of PyYAML's safe loader."""
    count = 0
    for folder in ("sigmahq_all", "suzaku_rules"):
        for file in (shared_corpus / folder).rglob("*.yml"):
            text = file.read_text(encoding="utf-8")
            expected = [value for value in yaml.load_all(text, Loader=yaml.CSafeLoader) if value is not None]
            assert values_of(text) == expected, file
            count += 1
    assert count == 4605


def test_utf16le_of_the_specification_is_wide() -> None:
    """pySigma knows `utf16le` as `wide` only; both load and mean the same, and evidence keeps the written name."""
    text = "{title: T, logsource: {product: aws}, detection: {s: {f|%s|base64offset|contains: 'foobar'}, condition: s}}"
    (one,), (two,) = (cloudsigma.compile_text(text % name) for name in ("utf16le", "wide"))
    assert one.source == two.source
    record = {"f": "x" + "ZgBvAG8AYgBhAHIA" + "y"}
    assert one.predicate is not None
    assert one.predicate(record)
    (match,) = cloudsigma.compile_text(text % "utf16le").match(record)
    assert match.evidence[0].modifiers == ("utf16le", "base64offset", "contains")
