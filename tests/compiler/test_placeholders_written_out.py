"""A rule with placeholders means the same as the rule with their values written out, whatever the modifiers."""

from __future__ import annotations

import random
from base64 import b64encode
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import re2
import yaml

import cloudsigma

COMBINATIONS = 1000

TEXTS: dict[str, list[Any]] = {
    "who": ["alice", "bo*", "car?l", "dan", "ERIN"],
    "tool": ["mimikatz", "-enc", "/c whoami", "a.b", "c+", "x(y", "100%", "C:\\dir\\", "%HOME%"],
    "net": ["10.0.0.0/8", "192.168.1.0/24", "2001:db8::/32"],
    "field": ["other", "third"],
    "n": [5, 7, 23],
    "flag": [True],
}
TEMPLATES = {
    "text": ["%who%", "%tool%", "x%who%", "%tool%y", "%who%-%tool%", "%who%%n%", "plain", "50%", "pre %tool% post"],
    "re": ["^%who%$", "%tool%", "a%tool%b|%who%", "^x.*%tool%"],
    "cidr": ["%net%"],
    "field": ["%field%"],
    "number": ["%n%"],
    "exists": ["%flag%"],
}
KINDS: list[tuple[str, list[list[str]]]] = [
    (
        "text",
        [
            [], ["contains"], ["startswith"], ["endswith"], ["cased"], ["contains", "cased"], ["contains", "all"],
            ["all"], ["neq"], ["windash"], ["windash", "contains"], ["windash", "contains", "all"], ["base64"],
            ["base64", "contains"], ["base64offset", "contains"], ["wide", "base64offset", "contains"],
            ["utf16", "base64", "contains"], ["utf16be", "base64"], ["windash", "base64"],
        ],
    ),
    ("re", [["re"], ["re", "i"], ["re", "i", "s"], ["re", "neq"], ["re", "all"]]),
    ("cidr", [["cidr"], ["cidr", "neq"], ["cidr", "all"]]),
    ("field", [["fieldref"], ["fieldref", "contains"], ["fieldref", "neq"]]),
    ("number", [["gt"], ["gte"], ["lt"], ["lte", "all"], ["hour"], ["minute"]]),
    ("exists", [["exists"]]),
]  # fmt: skip
HEAD = {"title": "T", "logsource": {"product": "aws", "service": "cloudtrail"}}


def written_out(template: str, values: dict[str, list[Any]], *, literal: bool) -> list[Any]:
    """The texts that an author would have written for a template."""
    names = [name for name in values if f"%{name}%" in template]
    texts: list[Any] = []
    for combination in product(*(values[name] for name in names)):
        if len(names) == 1 and template == f"%{names[0]}%" and not isinstance(combination[0], str):
            texts.append(combination[0])
            continue
        marks = {f"%{name}%": f"\0{at}\0" for at, name in enumerate(names)}  # so that a value is not replaced again
        text = template
        for name, mark in marks.items():
            text = text.replace(name, mark)
        for at, value in enumerate(combination):
            text = text.replace(f"\0{at}\0", re2.escape(str(value)) if literal else str(value))
        texts.append(text)
    return texts


def compiled(modifiers: list[str], texts: list[Any], **options: Any) -> cloudsigma.RuleSet | cloudsigma.RuleError:
    detection = {"s": {"|".join(["field", *modifiers]): texts}, "condition": "s"}
    rules = cloudsigma.compile_text(yaml.safe_dump({**HEAD, "detection": detection}), on_error="skip", **options)
    return rules.errors[0] if rules.errors else rules


def records(texts: list[Any], rng: random.Random) -> list[dict[str, Any]]:
    """Records with values near those of a rule."""
    found: list[Any] = [None, "", "x", 5, 6, "7", "10.1.2.3", "192.168.1.9", "2001:db8::1", "2026-12-01T05:07:00Z"]
    for text in [str(text) for text in texts[:12]]:
        plain = text.replace("*", "zz").replace("?", "q")
        found += [text, plain, plain.upper(), f"a {plain} b", plain.replace("-", "/"), plain.replace("\\", "")]
        for encoding, shift in product(("utf-8", "utf-16-le", "utf-16-be", "utf-16"), range(3)):
            found.append(b64encode(b" " * shift + plain.encode(encoding)).decode())
    rng.shuffle(found)
    return [{"field": value, "other": rng.choice(found), "third": "x"} for value in found] + [{"other": "x"}]


@pytest.mark.parametrize("by", ["argument", "pipeline", "both"])
def test_any_combination_agrees_with_the_rule_written_out(by: str, tmp_path: Path) -> None:
    """The verdicts are the same on records near the values; a refusal has the same category."""
    verdicts = {True: 0, False: 0}
    for seed in range(COMBINATIONS // 3 + 1):
        rng = random.Random(f"{by} {seed}")  # noqa: S311  # no secret
        kind, choices = rng.choice(KINDS)
        modifiers = rng.choice(choices)
        templates = rng.sample(TEMPLATES[kind], rng.randint(1, min(3, len(TEMPLATES[kind]))))
        values = {name: rng.sample(some, rng.randint(1, len(some))) for name, some in TEXTS.items()}
        expanded = modifiers[:]
        expanded.insert(rng.randint(0, len(modifiers)), "expand")
        texts = [text for each in templates for text in written_out(each, values, literal="re" in modifiers)]
        given, pipeline = values, dict[str, list[Any]]()
        if by != "argument":
            given = {name: some for name, some in values.items() if by == "both" and name in ("who", "net", "n")}
            pipeline = {name: some for name, some in values.items() if name not in given and name != "flag"}
            given |= {"flag": values["flag"]}
        file = tmp_path / "pipeline.yml"
        file.write_text(yaml.safe_dump({"vars": pipeline, "transformations": [{"type": "value_placeholders"}]}))
        options = {"placeholders": given, "pipelines": [file] if by != "argument" else []}
        mine, judge = compiled(expanded, templates, **options), compiled(modifiers, texts)
        about = f"seed {seed}: {expanded} {templates} {values}"
        if isinstance(mine, cloudsigma.RuleError) or isinstance(judge, cloudsigma.RuleError):
            assert isinstance(mine, cloudsigma.RuleError), f"{about}: {judge}"
            assert isinstance(judge, cloudsigma.RuleError), f"{about}: {mine}"
            assert mine.category == judge.category, about
            continue
        for record in records(texts, rng):
            verdict = bool(judge.match(record))
            assert bool(mine.match(record)) is verdict, f"{about}: {record}"
            verdicts[verdict] += 1
    assert min(verdicts.values()) > COMBINATIONS
