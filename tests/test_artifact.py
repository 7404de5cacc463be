"""Rule sets as data: saved and loaded, shipped, and used where nothing that compiles is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma import RuleSet, UsageError
from cloudsigma.rulesets.resources import packaged_correlations

ROOT = Path(__file__).parent.parent
RULE = """\
title: {title}
logsource: {{product: aws, service: cloudtrail}}
detection:
    selection: {detection}
    condition: selection
"""
RECORD = {"eventName": "CreateGroup", "eventSource": "iam.amazonaws.com", "eventID": "e1"}


def rule(detection: str, title: str = "R") -> str:
    return RULE.format(title=title, detection=detection)


def saved(rules: RuleSet, path: Path) -> RuleSet:
    rules.save(path)
    return cloudsigma.load_rules(path)


def everything() -> RuleSet:
    """A set with every kind of value, an error, a warning, and correlations."""
    text = "\n---\n".join(
        [
            rule("{eventName|contains|all: ['a?b', 'c*d'], 'a.b|cidr': 10.0.0.0/8, n|gte: 1.5, t|hour: 3}", "A"),
            rule("{e|re|i: '^x+', d: [1, true, null, 0.5], f|fieldref|endswith: g, h|exists: false}", "B"),
            rule("{i|neq: 'q', w|windash|contains: ' -x', c|cased: Aé}", "C"),
            rule("['keyword', 'other*']", "D") + "fields: [eventName, '$.a[*].b', '$..c']\nmy_own: {a: [1, 'x']}\n",
        ]
    )
    return cloudsigma.compile_text(text) + cloudsigma.compile_rules(packaged_correlations(), bundled=True)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    rules = everything()
    loaded = saved(rules, tmp_path / "rules.json")
    assert loaded == rules
    assert [r.source for r in loaded] == [r.source for r in rules]
    assert loaded.where(level="high").supporting == rules.where(level="high").supporting
    assert saved(rules.where(level="high"), tmp_path / "some.json") == rules.where(level="high")


@pytest.mark.parametrize("number", ["18446744073709551617", "-9223372036854775809", "0.1", "1.0e+300"])
def test_numbers_come_back_digit_by_digit(tmp_path: Path, number: str) -> None:
    rules = cloudsigma.compile_text(rule(f"{{a: {number}, b|gt: {number}}}"))
    assert saved(rules, tmp_path / "rules.json") == rules


def test_errors_and_warnings_are_kept(tmp_path: Path) -> None:
    rules = cloudsigma.compile_text(rule("{a: b}") + "---\n" + rule("{a|no: b}"), on_error="skip")
    loaded = saved(rules, tmp_path / "rules.json")
    assert loaded.errors == rules.errors
    assert loaded.errors[0].line == rules.errors[0].line


def test_public_rules_come_back(tmp_path: Path, shared_corpus: Path) -> None:
    folders = [shared_corpus / "sigmahq_rules", shared_corpus / "suzaku_rules"]
    rules = cloudsigma.compile_rules(*folders, on_error="skip")
    assert saved(rules, tmp_path / "rules.json") == rules


def test_the_file_is_for_reading_and_holds_no_code(tmp_path: Path) -> None:
    rules = cloudsigma.bundled_rules()
    rules.save(tmp_path / "rules.json")
    text = (tmp_path / "rules.json").read_text(encoding="utf-8")
    content = json.loads(text)["rule_set"]
    assert len(text.splitlines()) > 100
    assert "\n".join(content["predicates"][rules.rules[0].id]).strip() == (rules.rules[0].source or "").strip()
    content["predicates"] = {rules.rules[0].id: ["raise SystemExit('code of the file was run')"]}
    (tmp_path / "rules.json").write_text(json.dumps({"format": 1, "written_by": "x", "rule_set": content}))
    loaded = cloudsigma.load_rules(tmp_path / "rules.json")
    assert [match.rule_id for match in loaded.evaluate([RECORD])] == [loaded.rules[0].id]
    assert loaded.rules[0].source == rules.rules[0].source


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no compiled rule set"),
        (b"title: x", "is no compiled rule set"),
        (b'{"format": 1}', "is no compiled rule set"),
        (b"\xff\xfe", "is no compiled rule set"),
        (b'{"format": 99, "written_by": "7.0", "rule_set": {}}', "its format is 99 (written by cloudsigma 7.0)"),
        (b'{"format": 1, "written_by": "x", "rule_set": {"rules": [{"kind": "Rule"}]}}', "it is damaged"),
        (b'{"format": 1, "written_by": "x", "rule_set": ' + b"[" * 5000 + b"]" * 5000 + b"}", "cannot be used"),
    ],
    ids=["empty", "a rule", "half a header", "no text", "another format", "another IR", "deep"],
)
def test_what_cannot_be_loaded_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "rules.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot be used.*ompile") as error:
        cloudsigma.load_rules(tmp_path / "rules.json")
    assert said in str(error.value)


def test_what_json_cannot_hold_is_not_saved(tmp_path: Path) -> None:
    """It compiles and matches, but a file that says something else would be worse than none."""
    rules = cloudsigma.compile_text(rule("{a: b}", "Good") + "---\n" + rule("{a: c}", "Odd") + "my_own: .nan\n")
    with pytest.raises(UsageError, match="the rule 'Odd' has a value that JSON cannot hold exactly"):
        rules.save(tmp_path / "rules.json")
    assert not (tmp_path / "rules.json").exists()


@pytest.mark.parametrize("correlations", [False, True])
def test_the_bundled_rules_are_those_of_the_rule_files(correlations: bool) -> None:
    """They ship compiled: `scripts/compile_bundled.py` writes them anew after a change."""
    folders = [packaged_correlations()] if correlations else []
    fresh = cloudsigma.compile_rules(*folders, bundled=True)
    assert cloudsigma.bundled_rules(correlations=correlations) == fresh, "run: python scripts/compile_bundled.py"


BARE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"sigma", "yaml", "pyparsing", "jsonpath_ng", "re2", "click", "platformdirs"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import cloudsigma
"""


def bare(code: str) -> Any:
    """Run code in a process that lacks all that compiles."""
    run = subprocess.run([sys.executable, "-c", BARE + code], capture_output=True, check=False, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_run_side_alone_evaluates_and_scans(tmp_path: Path) -> None:
    cloudsigma.compile_rules(packaged_correlations(), bundled=True).save(tmp_path / "rules.json")
    (tmp_path / "a.json").write_text(json.dumps({"Records": [RECORD]}))
    code = f"""
import json
rules = cloudsigma.load_rules({str(tmp_path / "rules.json")!r})
found = [match.rule_id for match in rules.evaluate([{RECORD!r}])]
found += [match.rule_id for match in cloudsigma.scan({str(tmp_path / "a.json")!r})]
print(json.dumps(found))
"""
    first = cloudsigma.bundled_rules().rules[0].id
    assert bare(code) == [first, first]


def test_a_regular_expression_says_what_it_needs(tmp_path: Path) -> None:
    cloudsigma.compile_text(rule("{a|re: x+}")).save(tmp_path / "rules.json")
    code = f"""
import json
try:
    cloudsigma.load_rules({str(tmp_path / "rules.json")!r})
except cloudsigma.UsageError as error:
    print(json.dumps(str(error)))
"""
    assert "pip install google-re2" in bare(code)


# --- what evaluation relies on --------------------------------------------------------------------------------

SOUND = """
title: A
name: a
id: 00000001-0000-4000-8000-000000000000
level: high
logsource: {product: aws}
detection:
    s1: {a|re: x+, b|cidr: 10.0.0.0/8, c|hour: 3, d|base64offset|contains: foobar}
    s2: {e: f}
    condition: 1 of s* and not s2
---
title: B
name: b
id: 00000002-0000-4000-8000-000000000000
logsource: {product: aws}
detection: {s: {x: y}, condition: s}
---
title: C
name: c
id: 00000003-0000-4000-8000-000000000000
correlation: {type: event_count, rules: [a], group-by: [u], timespan: 1m, condition: {gte: 2}}
---
title: D
id: 00000004-0000-4000-8000-000000000000
correlation: {type: temporal, rules: [a, c], timespan: 1m, condition: a and c}
---
title: E
id: 00000005-0000-4000-8000-000000000000
correlation: {type: value_percentile, rules: [b], timespan: 1m, condition: {gte: 2, field: n, percentile: 50}}
"""


def replaced(node: Any, old: Any, new: Any) -> Any:
    """The JSON with every value `old` replaced."""
    if node == old:
        return new
    if isinstance(node, dict):
        return {key: replaced(value, old, new) for key, value in node.items()}
    return [replaced(value, old, new) for value in node] if isinstance(node, list) else node


def at(path: str, new: Any) -> Any:
    """A change at a dotted path below the list of rules."""

    def change(rules: Any) -> Any:
        node = rules
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            node = node[part]
        node[last] = new
        return rules

    return change


DAMAGES: list[tuple[str, Any, str]] = [
    ("regex", lambda rules: replaced(rules, "x+", "x("), "the regular expression 'x(', which is not valid"),
    ("look-around", lambda rules: replaced(rules, "x+", "(?=x)"), "the regular expression '(?=x)'"),
    ("network", lambda rules: replaced(rules, "10.0.0.0/8", "10.0.0.1/8"), "the network '10.0.0.1/8'"),
    ("no network", lambda rules: replaced(rules, "10.0.0.0/8", "x"), "the network 'x'"),
    ("level", lambda rules: replaced(rules, "high", "severe"), "the unknown level 'severe'"),
    ("ID twice", at("1.metadata.id", "00000001-0000-4000-8000-000000000000"), "two rules have the ID"),
    ("no ID", at("1.metadata.id", ""), "a rule has no ID"),
    ("selection gone", at("1.selections.0.name", "other"), "names the selection 's', which is not there"),
    ("selection twice", at("0.selections.1.name", "s1"), "two selections of one name"),
    ("no condition", at("1.conditions", []), "no condition"),
    ("condition", at("1.conditions.0.expression.name", "z"), "names the selection 'z'"),
    ("no members", at("0.selections.0.body.members", []), "a group without members"),
    ("rule gone", at("2.rules", ["00000009-0000-4000-8000-000000000000"]), "which is not there"),
    ("no rules", at("2.rules", []), "no rules"),
    ("itself", at("2.rules", ["00000003-0000-4000-8000-000000000000"]), "refers to itself"),
    ("timespan", at("2.timespan", 0), "the timespan 0"),
    ("no threshold", at("2.threshold", None), "no condition, or two"),
    ("expression", at("4.expression", {"kind": "Identifier", "name": "z"}), "names the rule 'z'"),
    ("percentile", at("3.threshold.percentile", 101), "the percentile 101"),
    ("no field", at("3.threshold.fields", []), "no field to measure"),
]


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES])
def test_everything_that_evaluation_relies_on_is_checked(change: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    cloudsigma.compile_text(SOUND).save(path)
    assert len(cloudsigma.load_rules(path)) == 5
    saved = json.loads(path.read_text())
    saved["rule_set"]["rules"] = change(saved["rule_set"]["rules"])
    path.write_text(json.dumps(saved))
    with pytest.raises(UsageError, match=r"cannot be used: it is damaged: .*Compile the rules again") as caught:
        cloudsigma.load_rules(path)
    assert said in str(caught.value)
