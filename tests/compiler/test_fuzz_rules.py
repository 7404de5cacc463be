"""Whatever the text, a rule compiles or the error is ours: mutated rules, each from a seed of its own.

An ordinary run tries a thousand. The long one, whose result `docs/reference/errors.md` reports, tries 100,000:

    CLOUDSIGMA_FUZZ=100 pytest -s tests/compiler/test_fuzz_rules.py
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import random
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from effort import effort

import cloudsigma
from cloudsigma import ir
from cloudsigma.engine.evaluate.explain import evidence, explain
from cloudsigma.errors import CATEGORIES

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = effort(1000)
FIRST = int(os.environ.get("CLOUDSIGMA_FUZZ_FIRST", "0"))
"""The seed of the first example; that of a failure, with one example, is how to see it again."""
SLOWEST = 2.0
"""Seconds of processor time that one text may take, compiled and evaluated."""


def _seed_texts() -> list[str]:
    bundled = sorted((ROOT / "sigma_rules").rglob("*.yml"))
    texts = [path.read_text(encoding="utf-8") for path in bundled if not path.name.endswith(".cases.yml")]
    for path in sorted((ROOT / "tests" / "corpus" / "conformance").glob("*.yml")):
        cases = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        texts += [case["rule"] for case in cases if len(case["rule"]) < 5_000]
    return texts


TEXTS = _seed_texts()
MODIFIERS = [
    "contains", "startswith", "endswith", "all", "cased", "neq", "re", "i", "m", "s", "cidr", "lt", "lte", "gt", "gte",
    "exists", "fieldref", "windash", "base64", "base64offset", "wide", "utf16", "utf16le", "utf16be", "expand",
    "minute", "hour", "day", "week", "month", "year", "not", "nosuch",
]  # fmt: skip
TOKENS = [
    *MODIFIERS, "and", "or", "not", "1 of", "all of", "them", "sel*", "(", ")", "|", "*", "?", "\\", "%x%", "'", '"',
    ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!binary ", "!!python/name:os.system ", "<<", "---\n", "...\n", "#",
    "\n", "  ", "\t", "null", "~", "true", "No", "0o7", "1e999", "-0.0", ".nan", ".inf", "1" * 400, "2025-01-01",
    "9" * 5000, "0x" + "f" * 5000, "0001-01-01", "2025-13-01", "? ", "| ", "> ", "key: &k {<<: *k}", "product: false",
    "12:30:45", "=", "title", "id", "logsource", "detection", "condition", "filter", "correlation", "rules", "timespan",
    "group-by", "aliases", "action", "global", "repeat", "reset", "fields", "$.a[0]", "$..a", "$[", "10.0.0.0/8",
    "10.0.0.1/8", "::/0", "(a+)+$", "(?=a)", "\\x{110000}", "[[:alpha:]]", "a{1001}", "\x00", "\ufeff", "\u2028",
    "\ud800", "\u202e", "\U0001f600", "İ", "ß",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 12, 60, 2**53 + 1, 2**64, 10**400, 1.5, -0.0, 1e308, "", "*", "?", "**", "\\", "\\\\*",
    "a", "A*b?c", "%x%", "%", "10.0.0.0/8", "10.0.0.1/8", "::1", "^a.*b$", "(", "(a|b)*", "-f /x", "x" * 3000, "ß", " ",
    [], {}, [[]], [{}], {"a": {"b": 1}}, {"x": "y"}, ["a", 1, None], [["a"]], "2025-01-01", "5m", "1s", "0s", "gte",
    "event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile",
    "value_median", "any", "sel", "s1", "sel and sel", "not sel", "1 of them", "all of s*", {"gte": 1}, {"eq": "x"},
    {"lt": 2, "gt": 0}, ["rule_a", "rule_b"],
]  # fmt: skip
RECORDS: list[Any] = [
    {},
    {"eventSource": "iam.amazonaws.com", "eventName": "CreateGroup", "a": "a", "b": ["a", {"c": None}], "f": 12},
    {
        "eventTime": "2025-03-04T10:15:30Z",
        "eventID": "e1",
        "a": {"b": [{"c": "AbC"}, 1.5, True, None]},
        "eventName": ["x", ["y"]],
        "x": "10.0.0.7",
        "f": "-f /x",
    },
    {"eventTime": 12, "userIdentity": "text", "requestParameters": [1, "2", {"groupName": "\ud800"}], "a": 2**64},
    {"eventTime": "2025-03-04T10:15:31Z", "eventID": "e2", "a": "", "b": {}, "c": [], "": "", "a.b": 1, "x": "ß" * 99},
]


RULE = "{title: T, logsource: {product: aws}, detection: {s: {a: b}, condition: s}}"
ESCAPED = {
    "a key that is no text": RULE.replace("title: T", "title: T, true: x"),
    "a log source that is no text": RULE.replace("product: aws", "product: false"),
    "a selection named like a modifier": RULE.replace("{s: {a: b}", "{'s|utf16le': {a: b}").replace(
        "tion: s}", "tion: x}"
    ),
    "a threshold beyond the floats": "{title: C, correlation: {type: event_count, rules: [r], timespan: 1m, "
    f"condition: {{gt: {10**400}}}}}}}",
    "a timespan beyond what int reads": "{title: C, correlation: {type: event_count, rules: [r], condition: {gt: 1}, "
    f"timespan: '{'1' * 5001}m'}}}}",
    "line breaks that only YAML knows": "a: 1\u2028b\u2028c",
    "a number too long to be written": RULE.replace("title: T", f"title: T, x: 0x{'f' * 5000}"),
}
"""What got past the loader once, in the smallest form."""

# --- making texts -------------------------------------------------------------------------------------------------


def _characters(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(text))
        much = rng.choice((0, 0, 1, 1, 2, 9))
        text = text[:at] + rng.choice(("", rng.choice(TOKENS), chr(rng.randint(0, 0x2FF)))) + text[at + much :]
    return text


def _lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        match rng.randrange(5):
            case 0:
                lines.insert(at, lines[rng.randrange(len(lines))])
            case 1 if len(lines) > 1:
                del lines[at]
            case 2:
                lines[at] = rng.choice(("  ", "    ", "- ", "\t")) + lines[at]
            case 3:
                lines[at] = lines[at].lstrip()
            case _:
                other = rng.choice(TEXTS).splitlines(keepends=True)
                start = rng.randrange(len(other))
                lines[at:at] = other[start : start + rng.randint(1, 8)]
    return "".join(lines)


def _words(text: str, rng: random.Random) -> str:
    words = re.findall(r"\w+|\s+|[^\w\s]", text)
    for _ in range(rng.randint(1, 5)):
        if words:
            words[rng.randrange(len(words))] = rng.choice((rng.choice(TOKENS), rng.choice(words)))
    return "".join(words)


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree that can be set: container and key."""
    here: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        here = [(value, key) for key in value]
    elif isinstance(value, list):
        here = [(value, at) for at in range(len(value))]
    return here + [node for container, key in here for node in _nodes(container[key])]


def _tree(text: str, rng: random.Random) -> str:
    """Stays good YAML, so that what lies behind the YAML reader is met."""
    try:
        documents = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    except Exception:  # noqa: BLE001  # a text that is no YAML already
        return _words(text, rng)
    for _ in range(rng.randint(1, 3)):
        nodes = _nodes(documents)
        if not nodes:
            break
        container, key = rng.choice(nodes)
        match rng.randrange(5):
            case 0:
                del container[key]
            case 1 if isinstance(container, dict) and isinstance(key, str):
                container[rng.choice((f"{key}|{rng.choice(MODIFIERS)}", key.split("|")[0], rng.choice(TOKENS)))] = (
                    container.pop(key)
                )
            case 2 if isinstance(container, dict):
                container[rng.choice((rng.choice(TOKENS), None, 1, True))] = copy.deepcopy(rng.choice(VALUES))
            case 3:
                other, other_key = rng.choice(nodes)
                container[key] = copy.deepcopy(other[other_key])
            case _:
                container[key] = copy.deepcopy(rng.choice(VALUES))
    try:
        return _dumped(documents)
    except ValueError:  # a number too long to be written in base 10
        return _words(text, rng)


def _dumped(documents: list[Any]) -> str:
    try:
        return "\n---\n".join(yaml.dump(document, sort_keys=False, Dumper=yaml.CSafeDumper) for document in documents)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can write
        return "\n---\n".join(json.dumps(_named(document), default=str) for document in documents)


def _named(value: Any) -> Any:
    """The value with texts for keys."""
    if isinstance(value, dict):
        return {str(key): _named(item) for key, item in value.items()}
    return [_named(item) for item in value] if isinstance(value, list) else value


def _item(rng: random.Random) -> dict[str, Any]:
    name = rng.choice(("eventName", "a", "a.b", "b.c", "x", "f", "", " a", "a..b", "eventTime"))
    key = "|".join([name, *rng.sample(MODIFIERS, rng.choice((0, 1, 1, 2, 3)))])
    return {key: [rng.choice(VALUES) for _ in range(rng.randint(0, 3))] if rng.random() < 0.4 else rng.choice(VALUES)}


def _selection(rng: random.Random) -> Any:
    items = [_item(rng) for _ in range(rng.randint(1, 3))]
    return rng.choice((dict(pair for item in items for pair in item.items()), items, rng.choice(VALUES)))


def _condition(rng: random.Random, depth: int = 0) -> str:
    if depth > 4 or rng.random() < 0.3:
        return rng.choice(("s1", "s2", "s3", "1 of s*", "all of them", "any of s?", "1 of them", "s9", "all of x*"))
    match rng.randrange(5):
        case 0:
            return f"not {_condition(rng, depth + 1)}"
        case 1:
            return f"({_condition(rng, depth + 1)})"
        case 2:
            return "not " * rng.choice((2, 30, 300)) + "s1" if rng.random() < 0.1 else "s1 or s2"
        case 3:
            return "(" * (many := rng.choice((5, 60, 600))) + "s1" + ")" * many if rng.random() < 0.1 else "s1"
        case _:
            return f"{_condition(rng, depth + 1)} {rng.choice(('and', 'or'))} {_condition(rng, depth + 1)}"


def _grammar(_: str, rng: random.Random) -> str:
    """Rules, a correlation and a filter from a small grammar of right and wrong parts."""
    logsource = {"product": "aws", "service": "cloudtrail"}
    documents: list[Any] = []
    for at in range(rng.randint(1, 2)):
        detection = {f"s{number}": _selection(rng) for number in range(1, 4)}
        detection["condition"] = [_condition(rng)] * 2 if rng.random() < 0.1 else _condition(rng)
        documents.append(
            {"title": f"T{at}", "name": f"rule_{'ab'[at]}", "logsource": logsource, "detection": detection}
        )
        if rng.random() < 0.3:
            documents[-1]["fields"] = [rng.choice(("$.a[0]", "a.b", "$..c", "$[", "$.a[?(@.b)]", ""))]
    kinds = [value for value in VALUES if isinstance(value, str) and "_" in value] + ["temporal"]
    if rng.random() < 0.5:
        correlation: dict[str, Any] = {
            "type": rng.choice(kinds),
            "rules": rng.choice((["rule_a"], ["rule_a", "rule_b"], "rule_a", [], ["nosuch"], ["self"])),
            "timespan": rng.choice(("5m", "1s", "1h", "0s", "-1m", "1x", "9" * 30 + "y", 5, None)),
            "condition": rng.choice(({"gte": 1}, {"gt": 0, "field": "a"}, {"eq": -1}, "rule_a and rule_b", {}, None)),
        }
        if rng.random() < 0.5:
            correlation["group-by"] = rng.choice((["a"], ["x", "y"], "a", [], [1], None))
        if rng.random() < 0.3:
            correlation["aliases"] = rng.choice(({"x": {"rule_a": "a", "rule_b": "b"}}, {"x": {}}, [], {"x": "a"}))
        documents.append({"title": "C", "name": "self", "correlation": correlation})
    if rng.random() < 0.4:
        wanted = rng.choice(("any", ["rule_a"], [], ["nosuch"], None, 1))
        body = {"rules": wanted, "s1": _selection(rng), "condition": rng.choice(("s1", "not s1", _condition(rng)))}
        documents.append({"title": "F", "logsource": logsource, "filter": body})
    return _dumped(documents)


MUTATORS: tuple[Callable[[str, random.Random], str], ...] = (_characters, _lines, _words, _tree, _tree, _grammar)


def text_of(seed: int) -> str:
    """The text of a seed, the same in every run."""
    rng = random.Random(seed)  # noqa: S311  # no secret
    text = rng.choice(TEXTS)
    for _ in range(rng.choice((1, 1, 1, 2))):
        text = rng.choice(MUTATORS)(text, rng)
    if rng.random() < 0.05:
        text = rng.choice(MUTATORS[:3])(text + "\n---\n" + rng.choice(TEXTS), rng)
    return text


# --- what must hold -----------------------------------------------------------------------------------------------


PLACEHOLDERS: dict[str, list[Any]] = {
    "x": ["a", "b*", "10.0.0.0/8", "(", "\\", 5, True],
    "y": ["%x%", "", "-f"],
    "many": list(range(300)),
}
PIPELINES = [
    "- {type: field_name_mapping, mapping: {a: [a, b, c.d], eventName: [x, y]}}\n",
    "- {type: field_name_prefix, prefix: p.}\n- {type: value_placeholders}\n",
    "- {type: replace_string, regex: '[a-z]', replacement: '\\\\g<0>\\\\g<0>'}\n",
    "- {type: convert_type, target_type: str}\n- {type: case, method: upper}\n",
    "- {type: wildcard_placeholders}\n- {type: map_string, mapping: {a: [b, c], x: y}}\n",
    "- {type: set_value, value: 5}\n- {type: add_condition, conditions: {a|contains: b}}\n",
    "- {type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [a]}]}\n",
]


def options_of(seed: int, folder: Path) -> dict[str, Any]:
    """Placeholders and pipelines for some texts, the same in every run."""
    rng = random.Random(-seed)  # noqa: S311  # no secret
    options: dict[str, Any] = {}
    if rng.random() < 0.5:
        options["placeholders"] = {name: PLACEHOLDERS[name] for name in rng.sample(sorted(PLACEHOLDERS), 2)}
    if rng.random() < 0.3:
        path = folder / "pipeline.yml"
        path.write_text("vars: {x: [a, 'b*'], y: 1}\ntransformations:\n" + rng.choice(PIPELINES))
        options["pipelines"] = [path]
    return options


def check(text: str, folder: Path | None = None, **options: Any) -> tuple[int, list[str]]:
    """The promises for one text; returns how many rules it gave, and the categories of its errors.

    With a folder the text is read from a file there, as bytes that may be no UTF-8.
    """
    if folder is None:
        rules = cloudsigma.compile_text(text, on_error="skip", **options)
    else:
        path = folder / "rule.yml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        rules = cloudsigma.compile_rules(path, on_error="skip", **options)
    for error in (*rules.errors, *rules.warnings):
        assert error.category in CATEGORIES
        assert str(error)
        json.dumps(error.to_dict())
        assert pickle.loads(pickle.dumps(error)) == error  # noqa: S301  # our own
    assert pickle.loads(pickle.dumps(rules)) == rules  # noqa: S301
    for rule in rules:
        if rule.predicate is None:
            continue
        assert isinstance(rule.definition, ir.DetectionRule)
        for record in RECORDS:
            tree = explain(rule.definition, record)
            assert rule.predicate(record) is tree.matched, (rule.title, record)
            json.dumps(tree.to_dict())
            evidence(tree)
    for match in rules.evaluate(RECORDS):
        match.to_dict()
    return len(rules), [error.category for error in rules.errors]


def _raised_in(error: Exception) -> str:
    """The innermost function of the package that the exception passed through."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [
        frame.f_code.co_qualname.split(".<")[0]
        for frame in frames
        if "cloudsigma" in Path(frame.f_code.co_filename).parts
    ]
    return ours[-1] if ours else "the test"


def _fails(text: str, kind: type[Exception]) -> bool:
    try:
        check(text)
    except Exception as error:  # noqa: BLE001  # what is looked for
        return type(error) is kind
    return False


def _smallest(text: str, kind: type[Exception]) -> str:
    """The text without the pieces that the failure does not need; at most five seconds are spent on it."""
    until = time.monotonic() + 5
    size = max(1, len(text) // 2)
    while size and time.monotonic() < until:
        at = 0
        while at < len(text) and time.monotonic() < until:
            shorter = text[:at] + text[at + size :]
            if _fails(shorter, kind):
                text = shorter
            else:
                at += size
        size //= 2
    return text


@pytest.mark.parametrize("name", ESCAPED)
def test_what_escaped_once_does_not_again(name: str) -> None:
    """Each text that the long run has found compiles or has an error of ours."""
    check(ESCAPED[name])


@pytest.mark.fuzz
def test_every_text_compiles_or_has_our_error(tmp_path: Path) -> None:
    """No mutated rule lets a foreign exception out or takes long, and one that compiles has one verdict."""
    failures: dict[tuple[str, str], str] = {}
    failed = 0
    counts: Counter[str] = Counter()
    slowest = (0.0, -1)
    for seed in range(FIRST, FIRST + EXAMPLES):
        text = text_of(seed)
        before = time.process_time()
        try:
            compiled, categories = check(text, tmp_path if seed % 10 == 0 else None, **options_of(seed, tmp_path))
        except Exception as error:  # noqa: BLE001  # what is looked for
            place = (type(error).__name__, _raised_in(error))
            failed += 1
            if place not in failures:
                failures[place] = f"seed {seed}: {error!r:.300}\n{_smallest(text, type(error))[:1500]!r}"
            continue
        slowest = max(slowest, (time.process_time() - before, seed))
        counts["rules"] += compiled
        counts["texts with a rule"] += compiled > 0
        counts.update(categories)
    tally = ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))
    print(f"\n{EXAMPLES:,} texts, {failed} failures, slowest {slowest[0]:.3f} s (seed {slowest[1]}): {tally}")
    if failures:
        found = "\n".join(f"{kind} in {where}\n  {what}" for (kind, where), what in failures.items())
        pytest.fail(f"{failed} of {EXAMPLES:,} texts failed:\n{found}", pytrace=False)
    assert slowest[0] < SLOWEST
    assert counts["texts with a rule"] > EXAMPLES // 10
