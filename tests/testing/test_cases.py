"""Files of cases: what they may say, what is refused and where, and the JSON Schema that editors use."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cloudsigma import testing
from cloudsigma.errors import CaseError
from cloudsigma.testing.cases.expectations import CONTEXT_NAMES
from cloudsigma.testing.cases.yaml_text import flow, scalar
from cloudsigma.testing.records.changes import ChangeError, changed
from cloudsigma.testing.records.record import CALLERS, OUTCOMES, PRINCIPALS

ROOT = Path(__file__).parent.parent.parent
SCHEMA = json.loads(Path(testing.case_schema_path()).read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CASE_FILES = sorted([*ROOT.glob("sigma_rules/**/*.cases.yml"), *ROOT.glob("sigma_correlations/*.cases.yml")])

RECORD = (
    "record: {eventName: CreateGroup, eventSource: iam.amazonaws.com, roles: [a, b], who: {name: alice, key: null}}"
)


def read(tmp_path: Path, text: str) -> testing.CaseFile:
    path = tmp_path / "rule.cases.yml"
    path.write_text(text, encoding="utf-8")
    return testing.read_case_file(path)


def one(tmp_path: Path, case: str, *, top: str = RECORD) -> testing.Case:
    file = read(tmp_path, f"{top}\ncases:\n  - {{name: n, reason: r, match: true, {case}}}\n")
    assert [str(error) for error in file.errors] == []
    [found] = file.cases
    return found


def schema_accepts(text: str) -> bool:
    def with_text_keys(value: Any) -> Any:  # an editor sees the key `null` as text
        if isinstance(value, dict):
            return {"null" if key is None else key: with_text_keys(inner) for key, inner in value.items()}
        return [with_text_keys(inner) for inner in value] if isinstance(value, list) else value

    return bool(VALIDATOR.is_valid(with_text_keys(yaml.safe_load(text))))


# --- what a case says ---------------------------------------------------------------------------------------


def test_case_without_overrides_is_the_base_itself(tmp_path: Path) -> None:
    case = one(tmp_path, "context: {principal: null}")
    assert case.records == case.bases
    assert (case.name, case.reason, case.match, case.rule, case.count) == ("n", "r", True, None, None)
    assert (case.line, case.column) == (3, 5)


@pytest.mark.parametrize(
    ("override", "changed_record"),
    [
        ("set: {eventName: DeleteGroup}", {"eventName": "DeleteGroup"}),
        ("set: {who.name: bob, new: [1]}", {"who": {"name": "bob", "key": None}, "new": [1]}),
        ("set: {roles.1: c}", {"roles": ["a", "c"]}),
        ("null: [who.name]", {"who": {"name": None, "key": None}}),
        ('"null": [roles]', {"roles": None}),
        ("append: {roles: c}", {"roles": ["a", "b", "c"]}),
        ("append: {roles: [c, d]}", {"roles": ["a", "b", "c", "d"]}),
        ("remove: [roles.0, who.key]", {"roles": ["b"], "who": {"name": "alice"}}),
        ("remove: [who], set: {who: {}}", {"who": {}}),
    ],
)
def test_overrides(tmp_path: Path, override: str, changed_record: dict[str, Any]) -> None:
    case = one(tmp_path, override)
    assert case.records == ({**case.bases[0], **changed_record},)


def test_names_reach_keys_with_dots() -> None:
    record = {"a": {"b.c": {"d": 1}, "b": {"x": 1}}}
    assert changed(record, set={"a.b.c.d": 2}) == {"a": {"b.c": {"d": 2}, "b": {"x": 1}}}
    assert changed(record, set={"a.b.x": 2, "a.b.new": 3}) == {"a": {"b.c": {"d": 1}, "b": {"x": 2, "new": 3}}}
    assert record == {"a": {"b.c": {"d": 1}, "b": {"x": 1}}}


def test_places_that_shared_an_object_change_alone() -> None:
    shared = {"x": 1}
    assert changed({"a": shared, "b": shared}, set={"a.x": 2}) == {"a": {"x": 2}, "b": {"x": 1}}


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), ("1", 1), (None, False), ([1], [1.0])])
def test_values_of_other_types_are_a_change(before: Any, after: Any) -> None:
    assert changed({"x": before}, set={"x": after}) == {"x": after}
    assert len(testing.differences({"x": before}, {"x": after})) == 1
    with pytest.raises(ChangeError):
        changed({"x": before}, set={"x": before})


def test_base_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"Records": [{"eventName": "A", "eventID": "1", "eventSource": "iam"}]}')
    case = one(tmp_path, "set: {eventName: B}", top="record_file: r.json")
    assert case.records == ({"eventName": "B", "eventID": "1", "eventSource": "iam"},)


def test_base_from_a_template_and_cases_that_change_its_arguments(tmp_path: Path) -> None:
    top = "template: {call: 'iam:CreateGroup', request: {groupName: ops}}"
    case = one(tmp_path, "template: {principal: root}, set: {errorCode: x}", top=top)
    assert case.bases == (testing.record("iam:CreateGroup", request={"groupName": "ops"}),)
    assert case.records == (
        testing.record("iam:CreateGroup", request={"groupName": "ops"}, principal="root") | {"errorCode": "x"},
    )
    whole = one(tmp_path, "template: {call: 'iam:DeleteGroup'}", top=top)
    assert whole.records == whole.bases == (testing.record("iam:DeleteGroup"),)


def test_named_bases(tmp_path: Path) -> None:
    top = "bases:\n  a: {record: {eventName: A}}\n  b: {template: {call: 'iam:CreateGroup'}}"
    assert one(tmp_path, "base: a", top=top).records == ({"eventName": "A"},)
    case = one(tmp_path, "base: b, template: {caller: console}", top=top)
    assert case.records == (testing.record("iam:CreateGroup", caller="console"),)


def test_sequence_has_times_and_events_of_its_own(tmp_path: Path) -> None:
    top = "start: 2026-11-20T10:00:00Z\nbases: {a: {record: {eventName: A, eventTime: x}}}"
    steps = "records: [{base: a, after: 0s}, {base: a, after: 90m, set: {eventName: B}}, {base: a, after: 1d}]"
    case = one(tmp_path, f"{steps}, group: {{x: y}}, members: [0, 2]", top=top)
    assert [record["eventTime"] for record in case.records] == [
        "2026-11-20T10:00:00Z",
        "2026-11-20T11:30:00Z",
        "2026-11-21T10:00:00Z",
    ]
    assert [record["eventName"] for record in case.records] == ["A", "B", "A"]
    assert len({record["eventID"] for record in case.records}) == 3
    assert (case.group, case.members, case.count, case.sequence) == ({"x": "y"}, (0, 2), 1, True)


def test_several_matches_are_counted(tmp_path: Path) -> None:
    steps = "records: [{after: 0s}, {after: 1s}]"
    case = one(tmp_path, f"{steps}, matches: [{{members: [0]}}, {{members: [1], context: {{region: x}}}}]")
    assert case.count == 2
    assert [(match.members, dict(match.context)) for match in case.expected] == [((0,), {}), ((1,), {"region": "x"})]


def test_rule_of_the_file_and_of_a_case(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        f"rule: one\n{RECORD}\ncases:\n"
        "  - {name: a, reason: r, match: true}\n"
        "  - {name: b, reason: the same record for another rule, match: false, rule: two}\n",
    )
    assert file.errors == ()
    assert [(case.rule, case.rule_location.line) for case in file.cases] == [("one", 1), ("two", 5)]
    assert file.rule == "one"


# --- what is refused ----------------------------------------------------------------------------------------

GOOD = "  - {name: good, reason: r, match: true}\n"
TWO = "  - {name: n, reason: r, match: true, "

BROKEN: dict[str, tuple[str, str]] = {
    # name: the case, with § before the place that the error names, and what it says
    "unknown key": (TWO + "§sett: {a: 1}}", "unknown key 'sett'. Did you mean 'set'?"),
    "no reason": ("  - §{name: n, match: true}", "the case has no reason. Add reason:"),
    "empty reason": ("  - {name: n, §reason: ' ', match: true}", "reason is empty"),
    "no name": ("  - §{reason: r, match: true}", "the case has no name"),
    "no verdict": ("  - §{name: n, reason: r}", "the case has no match. Add match: true"),
    "verdict as text": ("  - {name: n, reason: r, §match: 'true'}", "match is text. Write true or false"),
    "case that is no map": ("  - §n", "cases[1] is text, but must be a map"),
    "set that changes nothing": (TWO + "set: {§who.name: alice}}", "who.name has this value already"),
    "null that changes nothing": (TWO + "null: [§who.key]}", "who.key has this value already"),
    "remove of what is not there": (TWO + "remove: [roles, §whom]}", "no 'whom'. Did you mean 'who'?"),
    "set below what is not there": (TWO + "set: {§whom.name: x}}", "the record has no 'whom'"),
    "set below null": (TWO + "set: {§who.key.x: x}}", "who.key is null and has no 'x'. Set who.key as a whole"),
    "set below text": (TWO + "set: {§who.name.x: x}}", "who.name is a text and has no 'x'"),
    "position outside a list": (TWO + "set: {§roles.2: x}}", "roles is a list of 2. Positions"),
    "append to no list": (TWO + "append: {§who: x}}", "who is no list"),
    "append of nothing": (TWO + "append: {§roles: []}}", "appending an empty list to roles"),
    "empty override": (TWO + "§set: {}}", "set is empty, so the override changes nothing"),
    "name with an empty part": (TWO + "set: {§who..name: x}}", "is not a dotted name"),
    "date": (TWO + "set: {§a: 2026-11-20}}", "YAML reads 2026-11-20 as a date"),
    "not a number": (TWO + "set: {§a: .nan}}", "YAML reads nan as a number, which JSON records cannot hold"),
    "number as a key": (TWO + "set: {a: {§1: x}}}", "the key 1 is a number. Put it in quotation marks"),
    "same record": (
        "  - §{name: n, reason: r, match: true, context: {region: x}}",
        "it has the same records as the case 'good' (line 3)",
    ),
    "same name": ("  - §{name: good, reason: r, match: true, set: {a: 1}}", "another case has this name (line 3)"),
    "unknown context": (TWO + "set: {a: 1}, context: {§princpal: x}}", "Did you mean 'principal'"),
    "empty context": (TWO + "set: {a: 1}, §context: {}}", "context is empty"),
    "context of no match": (
        "  - {name: n, reason: r, match: false, set: {a: 1}, §context: {region: x}}",
        "context describes a match, but match is false",
    ),
    "members without a sequence": (TWO + "set: {a: 1}, §members: [0]}", "members is for correlations"),
    "unknown base": (TWO + "§base: x}", "there is no base 'x'. Bases: none."),
    "two records": (TWO + "record: {a: 1}, §record_file: x}", "record_file and record are given"),
    "record beside base": (TWO + "record: {a: 1}, §base: x}", "both base and a whole record are given"),
    "file that is not there": (TWO + "§record_file: gone.json}", "the record cannot be read"),
    "template without a call": (TWO + "§template: {principal: root}}", "the template has no call"),
    "unknown call": (TWO + "template: {§call: 'iam:CreateGruop'}}", "Did you mean 'iam:CreateGroup'"),
    "unknown principal": (
        TWO + "template: {call: 'iam:CreateGroup', §principal: rolesession}}",
        "no kind of principal 'rolesession'. Did you mean 'role_session'",
    ),
    "unknown argument": (TWO + "template: {call: 'iam:CreateGroup', §who: x}}", "unknown key 'who'"),
    "override beside a sequence": (TWO + "§set: {a: 1}, records: [{after: 0s}]}", "both set and records are given"),
    "record without a time": (TWO + "records: [§{set: {a: 1}}]}", "the record has no time. Add after"),
    "no duration": (TWO + "records: [{§after: 1 hour}]}", "'1 hour' is not a duration"),
    "empty sequence": (TWO + "§records: []}", "the sequence is empty"),
    "member that is not there": (TWO + "records: [{after: 0s}], members: [§1]}", "no record 1. Positions"),
    "member twice": (TWO + "records: [{after: 0s}], §members: [0, 0]}", "names a record twice"),
    "no matches": (TWO + "records: [{after: 0s}], §matches: []}", "matches is empty, but match is true"),
    "group beside matches": (
        TWO + "records: [{after: 0s}], §group: {a: b}, matches: [{}]}",
        "both group and matches are given",
    ),
    "group that is no text": (TWO + "records: [{after: 0s}], group: {§a: 1}}", "a is a number, but must be text"),
}

SEEN_BY_AUTHOR_ONLY = {
    # What a schema cannot know: other parts of the file, other files, and what YAML made of a value.
    *("set that changes nothing", "null that changes nothing", "remove of what is not there"),
    *("set below what is not there", "set below null", "set below text", "position outside a list"),
    *("append to no list", "append of nothing", "name with an empty part", "date", "not a number", "number as a key"),
    *("same record", "same name", "unknown base", "file that is not there", "template without a call"),
    "member that is not there",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_said_with_its_place_and_hides_nothing(tmp_path: Path, name: str) -> None:
    marked, said = BROKEN[name]
    text = f"{RECORD}\ncases:\n{GOOD}{marked}\n"
    file = read(tmp_path, text.replace("§", ""))
    before = text.partition("§")[0]
    place = (before.count("\n") + 1, len(before) - before.rindex("\n"))
    assert [each.name for each in file.cases] == ["good"]
    [error] = file.errors
    assert said in str(error)
    assert (error.line, error.column) == place
    assert error.path == str(tmp_path / "rule.cases.yml")
    assert str(error).startswith(f"{error.path}:{place[0]}:{place[1]}: case error: ")


@pytest.mark.parametrize("name", sorted(BROKEN.keys() - SEEN_BY_AUTHOR_ONLY))
def test_editors_see_it_too(name: str) -> None:
    assert not schema_accepts(f"{RECORD}\ncases:\n{GOOD}{BROKEN[name][0]}\n".replace("§", ""))


FILES = {
    "empty": ("", "the file is empty", 1),
    "no YAML": ("record: [}", "it is not valid YAML", 1),
    "a list": ("- a", "the file is a list, but must be a map", 1),
    "two documents": (f"{RECORD}\ncases: []\n---\ncases: []", "the file holds 2 YAML documents", 1),
    "repeated key": (f"{RECORD}\ncases: []\ncases: []", "the key 'cases' appears twice", 3),
    "no cases": (RECORD, "the file has no cases", 1),
    "unknown key": (f"{RECORD}\nrules: x\ncases: []", "unknown key 'rules'. Did you mean 'rule'?", 2),
    "cases that are no list": (f"{RECORD}\ncases: {{}}", "cases is a map, but must be a list", 2),
    "start that is no time": (f"{RECORD}\nstart: noon\ncases: []", "start is not a time", 2),
    "two records": (f"{RECORD}\ntemplate: {{call: 'iam:CreateGroup'}}\ncases: []", "template and record are given", 2),
    "base without a record": ("bases:\n  a: {}\ncases: []", "the base 'a' has no record", 2),
    "rule that is no text": (f"rule: [a]\n{RECORD}\ncases: []", "rule is a list, but must be text", 1),
    "bytes": ("record: \udc80", "it is not valid YAML: the file is not UTF-8", 1),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_wrong_with_a_file(tmp_path: Path, name: str) -> None:
    text, said, line = FILES[name]
    path = tmp_path / "rule.cases.yml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    [error] = testing.read_case_file(path).errors
    assert said in str(error)
    assert error.line == line


def test_file_that_is_not_there(tmp_path: Path) -> None:
    [error] = testing.read_case_file(tmp_path / "gone.cases.yml").errors
    assert "it cannot be read (No such file or directory)" in str(error)


def test_cases_of_a_base_that_cannot_be_used_are_named_and_others_are_read(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        "bases:\n  a: {template: {call: 'iam:Nothing'}}\n  b: {record: {x: 1}}\ncases:\n"
        "  - {name: of a, reason: r, match: true, base: a}\n  - {name: of b, reason: r, match: true, base: b}\n",
    )
    assert [case.name for case in file.cases] == ["of b"]
    assert [(error.line, error.case) for error in file.errors] == [(2, None), (5, "of a")]


def test_case_without_anything_to_start_from(tmp_path: Path) -> None:
    [error] = read(tmp_path, f"cases:\n{GOOD}").errors
    assert "there is no record to start from" in str(error)


def test_errors_survive_pickling() -> None:
    error = CaseError("wrong", path="a.cases.yml", line=3, column=5, case="a case", remedy="Correct it.")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    assert again == error
    assert hash(again) == hash(error)
    assert str(again) == "a.cases.yml:3:5: case error: case 'a case': wrong. Correct it."


# --- the schema ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_files_of_the_project_fit_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert schema_accepts(text)
    assert (path.parent / text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")).resolve() == Path(
        testing.case_schema_path()
    )
    assert testing.read_case_file(path).errors == ()


def test_schema_is_one_and_lists_what_there_is() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    arguments = SCHEMA["$defs"]["template"]["properties"]
    assert arguments["call"]["enum"] == list(testing.calls())
    assert arguments["outcome"]["enum"] == list(OUTCOMES)
    assert arguments["caller"]["enum"] == list(CALLERS)
    assert arguments["principal"]["oneOf"][0]["enum"] == list(PRINCIPALS)
    assert set(SCHEMA["$defs"]["context"]["properties"]) == set(CONTEXT_NAMES)


def test_schema_describes_every_key() -> None:
    for part in (SCHEMA, *SCHEMA["$defs"].values()):
        if part is not SCHEMA["$defs"]["context"]:
            assert [key for key, value in part.get("properties", {}).items() if not value.get("description")] == []


@pytest.mark.parametrize("text", [text for name, (text, _, _) in FILES.items() if name in {"a list", "unknown key"}])
def test_schema_refuses_wrong_files(text: str) -> None:
    assert not schema_accepts(text)


# --- text that is written -----------------------------------------------------------------------------------


def test_any_character_comes_back_as_it_was() -> None:
    planes = [*range(0, 0x3000, 64), *range(0xD000, 0x10400, 64), *range(0x10400, 0x110000, 0x1FC0)]
    for start in planes:
        text = "".join(map(chr, range(start, start + 64)))
        for value in (text, f"a{text[0]}", f"{text[-1]}: "):
            written = f"x: {scalar(value)}\ny: {flow({value: [value]})}\n"
            assert yaml.safe_load(written) == {"x": value, "y": {value: [value]}}, hex(start)


# --- why the case of a correlation failed -------------------------------------------------------------------

SEVERAL = """\
title: Failed
name: failed
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin}, condition: s}
---
title: Made
name: made
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateUser}, condition: s}
---
title: Own
id: 6c0f5c1e-0000-4000-8000-000000000009
correlation: {%s, group-by: [sourceIPAddress], timespan: 10m}
"""


@pytest.mark.parametrize(
    ("correlation", "records", "expected"),
    [
        (
            "type: event_count, rules: [failed], condition: {gte: 3}",
            "{after: 0s}, {after: 5m}, {after: 11m}, {after: 2m, set: {sourceIPAddress: 192.0.2.9}}",
            [
                '0  2026-11-20T10:15:30Z  ConsoleLogin: matches Failed (sourceIPAddress="192.0.2.8")',
                "sourceIPAddress=192.0.2.8: 3 events; nearest: 2, 2026-11-20T10:15:30Z to 2026-11-20T10:20:30Z",
                "the condition fails: event_count is 2 in the frame, and it needs gte 3",
                "the time frame leaves out 1 of the group's 3 events",
                "the events are in 2 groups, by sourceIPAddress",
            ],
        ),
        (
            "type: value_count, rules: [failed], condition: {field: awsRegion, gte: 2}",
            "{after: 0s, set: {awsRegion: a}}, {after: 1s, set: {awsRegion: a}}",
            ['(sourceIPAddress="192.0.2.8"; awsRegion="a")', "value_count of awsRegion is 1 in the frame"],
        ),
        ("type: temporal, rules: [failed, made]", "{after: 0s}, {after: 1s}", ["the frame has no event of 'Made'"]),
        (
            "type: temporal_ordered, rules: [failed, made]",
            "{after: 0s, set: {eventName: CreateUser}}, {after: 1s}",
            ["the frame has events of all rules, but not in the order of the rules"],
        ),
    ],
)
def test_a_failed_correlation_explains_itself(
    tmp_path: Path, correlation: str, records: str, expected: list[str]
) -> None:
    (tmp_path / "rule.yml").write_text(SEVERAL % correlation)
    (tmp_path / "rule.cases.yml").write_text(
        "rule: Own\nrecord: {eventName: ConsoleLogin, sourceIPAddress: 192.0.2.8}\n"
        f"cases:\n  - {{name: a, reason: r, match: true, records: [{records}]}}\n"
    )
    [result] = testing.find_tests(tmp_path).run()
    assert not result.passed
    text = str(result)
    for line in expected:
        assert line in text
