"""The JSON Schemas take every rule that compiles, and refuse what a schema can tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from commands import run
from sigma.modifiers import modifier_mapping

import cloudsigma
from cloudsigma.editor.schemas import DRAFT, schema_of
from cloudsigma.editor.words import MODIFIERS

RULES = jsonschema.Draft7Validator(schema_of("rules"))


class Yaml12(yaml.CSafeLoader):
    """Dates are text, as YAML servers read them."""


Yaml12.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def faults(text: str) -> list[str]:
    """What the schema refuses, by place."""
    found = []
    for document in yaml.load_all(text, Yaml12):  # a subclass of the safe loader
        found += [".".join(map(str, error.absolute_path)) for error in RULES.iter_errors(document)]
    return found


def test_the_schemas_are_valid() -> None:
    jsonschema.Draft7Validator.check_schema(schema_of("rules"))
    assert schema_of("rules")["$schema"] == DRAFT
    assert "cases" in schema_of("cases")["properties"]


def test_every_modifier_is_known_and_described() -> None:
    assert set(MODIFIERS) == set(modifier_mapping)


def test_the_bundled_rules_are_taken(root: Path) -> None:
    for folder in ("sigma_rules", "sigma_correlations"):
        for path in (root / folder).rglob("*.yml"):
            if not path.name.endswith(".cases.yml"):
                assert faults(path.read_text()) == [], path.name


def test_public_rules_that_compile_are_taken(shared_corpus: Path) -> None:
    paths = [path for folder in ("sigmahq_rules", "suzaku_rules") for path in (shared_corpus / folder).rglob("*.yml")]
    refused = [
        path.name
        for path in paths
        if faults(path.read_text()) and not cloudsigma.compile_rules(path, on_error="skip").errors
    ]
    assert len(paths) > 700
    assert refused == []


RULE = """title: T
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName: CreateGroup}
  condition: s
"""


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("eventName:", "eventName|beginswith:", "detection.s"),
        ("title: T\n", "", ""),
        ("  condition: s\n", "", "detection"),
        ("title: T", "title: T\nlevel: hihg", "level"),
        ("title: T", "title: T\nstatus: tested", "status"),
        ("title: T", "title: T\nid: one", "id"),
        ("title: T", "title: T\ntags: t1098", "tags"),
        ("title: T", "title: T\ntags: [t1098]", "tags.0"),
        ("title: T", "title: T\ndate: 1.2.2026", "date"),
        ("{eventName: CreateGroup}", "{userIdentity: {type: Root}}", "detection.s"),
        ("logsource: {product: aws, service: cloudtrail}\n", "", ""),
    ],
)
def test_mistakes_are_told_at_their_place(old: str, new: str, place: str) -> None:
    assert old in RULE
    assert place in faults(RULE.replace(old, new))


def test_mistakes_of_correlations_are_told() -> None:
    text = "title: T\ncorrelation: {type: count, rules: [a], timeframe: 5m, condition: {more: 3}}\n"
    assert faults(text).count("correlation") == 1
    assert "correlation.type" in faults(text)
    assert "correlation.condition" in faults(text)


@pytest.mark.parametrize("kind", ["rules", "cases"])
def test_the_command_writes_them(kind: str) -> None:
    done = run("schema", kind)
    written: Any = json.loads(done.stdout)
    assert (written, done.returncode, done.stderr) == (schema_of(kind), 0, "")
