"""The JSON Schema for editors agrees with the loader, as far as a schema can tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import cloudsigma
from cloudsigma.approvals.file.entry import KEYS

MISTAKES = yaml.safe_load((Path(__file__).parent / "mistakes.yml").read_text(encoding="utf-8"))
SCHEMA = json.loads(Path(cloudsigma.Approvals.schema_path()).read_text(encoding="utf-8"))
BEYOND = {
    "a file with these is right for the schema": {
        "an end before the beginning", "ninety-one days", "a tighter limit", "a review after 400 days",
        "a day that does not exist", "every user", "a pattern of accounts in a principal", "a name as principal",
        "an unknown rule", "a network with host bits", "every address", "a number as field of expect",
        "an account without quotation marks that begins with 0", "an account that YAML reads as octal",
    },
    "a file with these is wrong for the schema alone": {"an account without quotation marks"},
}  # fmt: skip
"""Cases in which the two differ: dates, rules and breadth need more than a schema; editors ask for quotation marks."""


class Reader(yaml.SafeLoader):
    """Reads YAML 1.2's plain values, as editors do: dates and accounts are text."""


Reader.yaml_implicit_resolvers = {
    first: [(tag, found) for tag, found in resolvers if tag.endswith(("bool", "null"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for digit in "123456789":
    Reader.yaml_implicit_resolvers[digit] = [("tag:yaml.org,2002:int", re.compile(r"[1-9][0-9]*$"))]


def is_valid(text: str) -> bool:
    value: Any = yaml.load(text, Loader=Reader)  # noqa: S506  # a safe loader
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


def text_of(case: dict[str, Any]) -> str:
    text: str = MISTAKES["base"]
    for old, new in case.get("replace", {}).items():
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("case", MISTAKES["cases"], ids=lambda case: case["name"])
def test_schema_and_loader_agree(case: dict[str, Any]) -> None:
    lenient, strict = BEYOND.values()
    if case["name"] == "a broken file":
        with pytest.raises(yaml.YAMLError):
            is_valid(text_of(case))
        return
    right = not case["mistakes"]
    differs = case["name"] in (strict if right else lenient)
    assert is_valid(text_of(case)) is (right is not differs)


def test_the_schema_has_the_keys_of_the_loader() -> None:
    assert set(SCHEMA["$defs"]["approval"]["properties"]) == set(KEYS)


def test_the_schema_is_a_schema_and_takes_the_example(root: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert is_valid((root / "examples" / "approvals.yml").read_text(encoding="utf-8"))
