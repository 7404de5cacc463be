"""What a rule set answers, and what it is as a value."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import subprocess
import sys
from collections import UserDict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.rulesets.rule_set import RuleSet

GOLDEN = Path(__file__).parent / "golden"


def rule(number: int, **changes: Any) -> str:
    """The text of a small rule as JSON, which is YAML."""
    content = {
        "title": f"Rule {number}",
        "id": f"{number:08d}-0000-4000-8000-000000000000",
        "name": f"rule_{number}",
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {"selection": {"eventName": f"Call{number}"}, "condition": "selection"},
        **changes,
    }
    return json.dumps({key: value for key, value in content.items() if value is not None})


def compiled(*texts: str, **options: Any) -> RuleSet:
    return cloudsigma.compile_text("\n---\n".join(texts), **options)


@pytest.fixture(scope="module")
def three() -> RuleSet:
    """Three rules with different level, status and tags."""
    return compiled(
        rule(1, level="low", status="stable", tags=["attack.t1098"]),
        rule(2, level="high", status="test", tags=["attack.t1098.003", "attack.persistence"]),
        rule(3, status="stable"),
    )


def titles(rules: RuleSet) -> list[str]:
    return [rule.title for rule in rules]


def test_where_chooses(three: RuleSet) -> None:
    """`where` keeps by minimum level, status, tag with its sub-techniques, ID or name, and leaves out by ID or name."""
    assert titles(three.where(level="informational")) == ["Rule 1", "Rule 2", "Rule 3"]
    assert titles(three.where(level="LOW")) == ["Rule 1", "Rule 2"]
    assert titles(three.where(level="medium")) == ["Rule 2"]
    assert titles(three.where(status="stable")) == ["Rule 1", "Rule 3"]
    assert titles(three.where(status=["test", "stable"], level="high")) == ["Rule 2"]
    assert titles(three.where(tag="attack.t1098")) == ["Rule 1", "Rule 2"]
    assert titles(three.where(tag={"attack.persistence"})) == ["Rule 2"]
    assert titles(three.where(id="rule_3")) == ["Rule 3"]
    assert titles(three.where(id=["rule_3", "00000001-0000-4000-8000-000000000000"])) == ["Rule 1", "Rule 3"]
    assert titles(three.where(exclude="rule_1")) == ["Rule 2", "Rule 3"]


def test_where_refuses_what_is_not_there(three: RuleSet) -> None:
    """A level or a rule that does not exist is an error with the nearest name."""
    with pytest.raises(cloudsigma.UsageError, match="informational, low"):
        three.where(level="severe")
    with pytest.raises(cloudsigma.UnknownRuleError, match="Did you mean 'rule_1'"):
        three.where(exclude="rule_11")


def test_rules_by_id_and_name(three: RuleSet) -> None:
    """A rule is found by ID, in any case, and by name; an unknown one is a `KeyError` of ours."""
    assert three["rule_2"].title == "Rule 2"
    assert three["00000002-0000-4000-8000-000000000000".upper()].title == "Rule 2"
    assert "rule_2" in three
    assert "rule_9" not in three
    assert len(three) == 3
    with pytest.raises(KeyError):
        three["rule_9"]


def test_joining(three: RuleSet) -> None:
    """`+` joins; the same rule counts once; one ID for two rules is an error."""
    assert titles(three + compiled(rule(4), rule(1, level="low", status="stable", tags=["attack.t1098"]))) == [
        "Rule 1",
        "Rule 2",
        "Rule 3",
        "Rule 4",
    ]
    with pytest.raises(cloudsigma.RuleError, match="its ID is that of another rule"):
        three + compiled(rule(1))


@pytest.mark.parametrize("change", ["placeholders", "filter", "pipeline"])
def test_joining_never_drops_a_rule_that_was_compiled_differently(change: str, tmp_path: Path) -> None:
    """The same text with other placeholders, filters or pipelines is another rule: an error that says so."""
    text = rule(1, detection={"s": {"userIdentity.arn|expand": "%who%"}, "condition": "s"})
    narrowing = {
        "title": "F", "logsource": {"product": "aws"},
        "filter": {"rules": "any", "s": {"eventName": "a"}, "condition": "not s"},
    }  # fmt: skip
    pipeline = tmp_path / "p.yml"
    pipeline.write_text(
        "name: p\npriority: 1\ntransformations:\n"
        "- {id: m, type: field_name_mapping, mapping: {userIdentity.arn: who}}\n"
    )
    one = compiled(text, placeholders={"who": ["alice"]})
    other = {
        "placeholders": lambda: compiled(text, placeholders={"who": ["bob"]}),
        "filter": lambda: compiled(text, json.dumps(narrowing), placeholders={"who": ["alice"]}),
        "pipeline": lambda: compiled(text, placeholders={"who": ["alice"]}, pipelines=[pipeline]),
    }[change]()
    with pytest.raises(cloudsigma.RuleError, match="compiled with other placeholders, filters or pipelines"):
        one + other
    elsewhere = compiled(rule(2), text, placeholders={"who": ["alice"]})
    assert titles(one + elsewhere) == ["Rule 1", "Rule 2"]


def test_metadata() -> None:
    """A rule has everything that its file says about it."""
    (found,) = compiled(
        rule(
            7,
            description="What.",
            author="A, B",
            date="2025-01-02",
            modified="2025/03/04",
            references=["https://example.org"],
            falsepositives=["None"],
            fields=["a.b"],
            license="DRL-1.1",
            my_own={"x": 1},
        )
    )
    assert (found.description, found.author, found.date, found.modified) == (
        "What.",
        "A, B",
        date(2025, 1, 2),
        date(2025, 3, 4),
    )
    assert (found.references, found.falsepositives, found.fields) == (("https://example.org",), ("None",), ("a.b",))
    assert (found.license, found.custom, found.level, found.correlation) == (
        "DRL-1.1",
        {"my_own": {"x": 1}},
        None,
        None,
    )
    assert str(found.logsource) == "product=aws service=cloudtrail"


def test_log_source_decides_whether_a_rule_is_applied() -> None:
    """A rule for another log source matches nothing, but its predicate still says what it says."""
    record = {"eventName": "Call1"}
    other = compiled(rule(1, logsource={"product": "windows"}))
    assert other.verdicts(record) == ()
    assert other.match(record) == ()
    assert other["rule_1"].predicate(record) is True
    assert other.explain(record, "rule_1").matched is False
    declared = compiled(rule(1, logsource={"product": "windows"}), logsource={"product": "Windows"})
    assert declared.verdicts(record) == ("00000001-0000-4000-8000-000000000000",)


def test_evaluation_is_lazy_and_endless(three: RuleSet) -> None:
    """An endless iterable is taken record by record."""
    endless = ({"eventName": "Call1" if n % 2 else "Call9", "eventID": str(n)} for n in itertools.count())
    first = list(itertools.islice(three.evaluate(endless), 3))
    assert [match.context.event_id for match in first] == ["1", "3", "5"]
    assert next(endless)["eventID"] == "6"


def test_order_is_that_of_records_then_rules() -> None:
    """R5: matches come in the order of the records, then of the rules."""
    same = {"selection": {"eventName": "X"}, "condition": "selection"}
    rules = compiled(rule(2, detection=same), rule(1, detection=same))
    records = [{"eventName": "x", "n": 1}, {"eventName": "y"}, {"eventName": "X", "n": 2}]
    found = [(match.record["n"], match.rule.title) for match in rules.evaluate(records)]
    assert found == [(1, "Rule 2"), (1, "Rule 1"), (2, "Rule 2"), (2, "Rule 1")]


class Frozen(UserDict[str, Any]):
    """A mapping that is no dict and cannot be changed."""

    def __setitem__(self, key: str, value: Any) -> None:
        if hasattr(self, "sealed"):
            raise AssertionError("the record was changed")
        super().__setitem__(key, value)


def test_any_mapping_is_a_record_and_stays_as_it_is(three: RuleSet) -> None:
    """A mapping that is no dict is evaluated, given back itself, and never changed."""
    record = Frozen({"eventName": "call1", "requestParameters": Frozen({"a": [1, 2]})})
    record.sealed = True  # type: ignore[attr-defined]
    (match,) = three.match(record)
    assert match.record is record
    plain = {"eventName": "Call1", "userIdentity": {"type": "Root"}}
    before = copy.deepcopy(plain)
    list(three.evaluate([plain]))
    assert plain == before


@pytest.mark.parametrize("thing", [None, 5, "text", [], b"x", ["eventName"]], ids=repr)
def test_what_is_no_record_matches_nothing(three: RuleSet, thing: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A bad element never raises and is told to the logger."""
    assert list(three.evaluate([thing, {"eventName": "Call1"}]))[0].rule.title == "Rule 1"  # noqa: RUF015
    assert "no mapping" in caplog.text
    assert three.verdicts(thing) == ()


def test_one_record_instead_of_many_is_told(three: RuleSet) -> None:
    """A record, or text, in the place of an iterable of records is an error before any work."""
    for thing in ({"eventName": "Call1"}, "text", 5):
        with pytest.raises(cloudsigma.UsageError, match="iterable of records"):
            three.evaluate(thing)  # type: ignore[arg-type]


def test_evidence_says_what_matched() -> None:
    """Evidence names selection, field, modifiers, pattern and values; of a `not`, what was there instead (R36)."""
    (match,) = compiled(
        rule(
            1,
            detection={
                "selection": {"eventName": ["CreateGroup", "DeleteGroup"], "roles|contains|all": ["a", "b"]},
                "filter_error": {"errorCode|exists": True},
                "filter_who": {"userIdentity.arn|endswith": ":root"},
                "none": {"errorMessage": None},
                "condition": "selection and none and not 1 of filter_*",
            },
        )
    ).match({"eventName": "creategroup", "roles": ["xa", "yb", "c"], "userIdentity": {"arn": "arn:x"}})
    found = [(e.selection, e.field, e.modifiers, e.pattern, e.values, e.negated) for e in match.evidence]
    assert found == [
        ("selection", "eventName", (), "CreateGroup", ("creategroup",), False),
        ("selection", "roles", ("contains", "all"), "a", ("xa",), False),
        ("selection", "roles", ("contains", "all"), "b", ("yb",), False),
        ("none", "errorMessage", (), "null", (), False),
        ("filter_error", "errorCode", ("exists",), "true", (), True),
        ("filter_who", "userIdentity.arn", ("endswith",), ":root", ("arn:x",), True),
    ]


def test_explanation_reads_as_a_tree(three: RuleSet) -> None:
    """An explanation shows each test with what the record has, and is plain data as well."""
    explanation = three.explain({"eventName": "Other"}, "rule_1")
    assert str(explanation) == (
        "Rule 1 (00000001-0000-4000-8000-000000000000) does not match\n"
        "  ✗ selection  (line 1)\n"
        '    ✗ eventName: Call1; the record has "Other"  (line 1)'
    )
    assert json.loads(json.dumps(explanation.to_dict()))["matched"] is False


def test_fields_of_a_rule_are_shown() -> None:
    """`fields` shows dotted names and JSONPath, with an empty list where the record has nothing."""
    (match,) = compiled(rule(1, fields=["a.b", "$.c[*].d", "$..d", "missing", "$.c[0]"])).match(
        {"eventName": "Call1", "a": [{"b": 1}, {"b": [2, 3]}], "c": [{"d": 4}, {"d": None}]}
    )
    assert match.context.fields == {
        "a.b": [1, 2, 3],
        "$.c[*].d": [4, None],
        "$..d": [4, None],
        "missing": [],
        "$.c[0]": [{"d": 4}],
    }


def test_values_pickle_and_compare(three: RuleSet) -> None:
    """Rule sets, rules, matches and explanations come back equal from pickling."""
    record = {"eventName": "Call2", "eventTime": "2025-03-04T10:15:30Z"}
    (match,) = three.match(record)
    for value in (three, three["rule_1"], match, match.context, match.evidence, three.explain(record, "rule_2")):
        again = pickle.loads(pickle.dumps(value))  # noqa: S301
        assert again == value
        assert repr(again) == repr(value)
    assert pickle.loads(pickle.dumps(three)).verdicts(record) == three.verdicts(record)  # noqa: S301
    assert three.where(level="low") != three
    with pytest.raises(AttributeError):
        three.rules = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        match.key = "x"  # type: ignore[misc]


def test_unpickling_needs_no_compiler(three: RuleSet, tmp_path: Path) -> None:
    """A process that only evaluates loads neither pySigma nor YAML."""
    file = tmp_path / "rules.pickle"
    file.write_bytes(pickle.dumps(three))
    program = (
        "import pickle, sys\n"
        f"rules = pickle.load(open({str(file)!r}, 'rb'))\n"
        "assert rules.verdicts({'eventName': 'CALL3'}), rules\n"
        "assert rules.match({'eventName': 'CALL3'})[0].to_json()\n"
        "assert not {'sigma', 'yaml', 'jsonpath_ng', 'pyparsing', 'click', 'cloudsigma.compiler'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_key_is_that_of_rule_and_event(three: RuleSet) -> None:
    """The key depends on rule and event alone: not on the order of keys, the run, or a second delivery."""
    first = {"eventName": "Call1", "eventID": "e1", "eventTime": "t"}
    keys = {three.match(record)[0].key for record in (first, dict(reversed(first.items())), {**first, "more": 1})}
    assert len(keys) == 1
    assert three.match({**first, "eventID": "e2"})[0].key not in keys
    assert three.match({"eventName": "Call1", "a": 1})[0].key == three.match({"a": 1, "eventName": "Call1"})[0].key
    assert three.match({"eventName": "Call1", "a": 1})[0].key != three.match({"eventName": "Call1", "a": 2})[0].key


def golden_match() -> cloudsigma.Match:
    """A match with something in every part of its JSON."""
    text = rule(
        1,
        level="medium",
        status="experimental",
        author="Someone",
        tags=["attack.t1098"],
        references=["https://example.org"],
        falsepositives=["Administration"],
        description="What.",
        fields=["requestParameters.groupName"],
    )
    record = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDACKCEVSQ6C2EXAMPLE",
            "arn": "arn:aws:iam::111122223333:user/alice",
            "accountId": "111122223333",
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "alice",
        },
        "eventTime": "2025-03-04T10:15:30Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "Call1",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.24",
        "userAgent": "aws-cli/2.17",
        "requestParameters": {"groupName": "Grüße\u202e\x7f", "n": float("nan")},
        "responseElements": None,
        "requestID": "r",
        "eventID": "e",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }
    (match,) = compiled(text).match(record, origin=cloudsigma.Origin("trail/a.json.gz", 17, "log_file"))
    return match


def test_json_of_a_match_is_pinned() -> None:
    """The JSON form is byte for byte that of the golden file (rewrite it by hand, with a line in the changelog)."""
    match = golden_match()
    assert match.to_json() + "\n" == (GOLDEN / "match.json").read_text()
    without = json.loads(match.to_json(record=False))
    assert "record" not in without
    assert without == {key: value for key, value in json.loads(match.to_json()).items() if key != "record"}


def test_source_of_a_predicate_is_pinned() -> None:
    """The generated source is that of the golden file."""
    text = rule(
        1,
        detection={
            "selection": {
                "eventName": ["A", "b"],
                "a.b|contains|all": ["x", "y*z"],
                "c|cidr": "10.0.0.0/8",
                "d": [1, True, None],
                "e|re|i": "^x",
                "f|fieldref": "g",
                "h|exists": False,
                "i|neq": "q?",
            },
            "words": ["k", "l"],
            "condition": "selection or not (words and selection)",
        },
    )
    assert compiled(text)["rule_1"].source == (GOLDEN / "predicate.py.txt").read_text()


def test_deep_and_strange_records_end_in_json(three: RuleSet) -> None:
    """R42: a record of any depth and with values that JSON lacks still gives one line of JSON."""
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    strange = {"eventName": "Call1", "deep": deep, "when": datetime(2025, 1, 1, tzinfo=UTC), "set": {1}, "s": "\ud800"}
    (match,) = three.match(strange)
    assert json.loads(match.to_json())["record"]["when"] == "2025-01-01T00:00:00Z"
    match.to_json().encode()


def test_real_records_match_as_expected(shared_corpus: Path) -> None:
    """SigmaHQ's 57 rules match exactly the real records that they must."""
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules")
    expected = json.loads((shared_corpus / "expected_sigmahq.json").read_text())
    assert len(rules) == len(expected) == 57
    for name in ("invictus", "stratus"):
        found: dict[str, list[str]] = {rule_id: [] for rule_id in expected}
        for match in cloudsigma.scan(shared_corpus / name, rules=rules):
            found[match.rule_id].append(match.context.event_id or "")
        assert {rule_id: sorted(ids) for rule_id, ids in found.items()} == {
            rule_id: entry[name] for rule_id, entry in expected.items()
        }


def test_probes_match_as_expected(shared_corpus: Path) -> None:
    """Every one of the 857 probes matches the rules that it names, under the reading of any scalar inside."""
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules")
    count = 0
    for line in (shared_corpus / "sigmahq_probes.jsonl").read_text().splitlines():
        probe = json.loads(line)
        expected = probe.get("expect")
        if expected is None:
            (expected,) = (ids for reading, ids in probe["expect_by_reading"].items() if "leaf" in reading)
        assert sorted(rules.verdicts(probe["record"])) == sorted(expected), probe["id"]
        count += 1
    assert count == 857


def test_bundled_rules_on_real_records(shared_corpus: Path) -> None:
    """The bundled rules find exactly the two trust anchors and the two profiles that are in the real records."""
    found = [
        (
            match.rule.title,
            str(match.context.principal),
            str(match.context.resource).rsplit(":", 1)[1],
            match.context.region,
        )
        for match in cloudsigma.scan(shared_corpus / "invictus", shared_corpus / "stratus")
    ]
    anchor, profile = (
        "AWS IAM Roles Anywhere Trust Anchor Created with External CA",
        "AWS IAM Roles Anywhere Profile Created",
    )
    one, two = "arn:aws:iam::123837392027:user/bert-jan", "arn:aws:iam::791182566784:user/christophe"
    assert found == [
        (anchor, one, "trust-anchor/49e25ec3-bdfe-4150-8683-b4ea4ee85cfd", "us-east-1"),
        (profile, one, "profile/ac4e09d1-a150-4924-bb76-23b00fa7c34a", "us-east-1"),
        (anchor, two, "trust-anchor/4d07f6a0-1c50-44d3-951b-b68b783daa0a", "cn-northsouth-3r"),
        (profile, two, "profile/910042eb-8463-427d-8095-6fd60ac303d9", "cn-northsouth-3r"),
    ]
