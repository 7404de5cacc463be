"""SigmaHQ's regression data, read as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

import cloudsigma
from cloudsigma import testing

MISCOUNTED = {
    "0b9ad457-2554-44c1-82c2-d56a99c42377",
    "8fbf3271-1ef6-4e94-8210-03c2317947f6",
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393",
}
"""Three events of these match, read by hand; `info.yml` says 1."""

ROOT = Path(__file__).parent.parent.parent
OURS = ROOT / "regression_data" / "rules" / "cloud" / "aws" / "cloudtrail"

RULE = """
title: Group created
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateGroup}, condition: s}
"""
WINDOWS = """
title: Whoami
id: 0f3f0b56-9a8e-4a52-8b1f-7c2d5e6a9b01
logsource: {product: windows, category: process_creation}
detection: {s: {Image|endswith: '\\whoami.exe'}, condition: s}
"""


def write(folder: Path, *, info: str | None = None, rule: str = RULE, events: str | None = None) -> Path:
    data = folder / "regression_data" / "rules" / "group"
    data.mkdir(parents=True)
    (folder / "rules").mkdir()
    (folder / "rules" / "group.yml").write_text(rule)
    rule_id = rule.partition("id: ")[2][:36]
    (data / f"{rule_id}.json").write_text(events or json.dumps(testing.record("iam:CreateGroup")))
    text = info or (
        "id: 1\ndescription: N/A\nrule_metadata: [{id: ID, title: x}]\nregression_tests_info:\n"
        "  - {name: Positive, type: json, match_count: 1, path: regression_data/rules/group/ID.json}\n"
    )
    (data / "info.yml").write_text(text.replace("ID", rule_id))
    return folder


def test_all_of_sigmahqs_cases_as_they_are(shared_corpus: Path) -> None:
    """101 cases: the number that `info.yml` says, or at least one; three numbers in the data are wrong."""
    suite = testing.find_tests(shared_corpus / "sigmahq_regression")
    results = list(suite.run())
    assert len(results) == 101
    assert all(result.error is None for result in results)
    failed = [result for result in results if not result.passed]
    assert {result.rule.id for result in failed if result.rule} == MISCOUNTED
    assert [(each.before, each.after) for result in failed for each in result.differences] == [(1, 3)] * 3
    assert [rule.title for rule in suite.untested] == ["Cisco Dot1x Disabled"]  # its test is commented out


@pytest.mark.parametrize("form", ["one", "several", "list"])
def test_events_of_cloudtrail(tmp_path: Path, form: str) -> None:
    record, other = testing.record("iam:CreateGroup"), testing.record("iam:DeleteGroup")
    events = {
        "one": json.dumps(record, indent=2),
        "several": f"{json.dumps(other)}\n{json.dumps(record, indent=1)}\n",
        "list": json.dumps([other, record]),
    }[form]
    [test] = testing.find_tests(write(tmp_path, events=events)).tests
    assert test.name.startswith("Positive (")
    assert test.run().passed
    assert test.case is not None
    assert (test.case.count, test.line) == (1, 5)


def test_windows_events_are_reached_through_a_pipeline(tmp_path: Path) -> None:
    event = {
        "Event": {
            "System": {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1},
            "EventData": {"Image": "C:\\whoami.exe"},
        }
    }
    folder = write(
        tmp_path,
        rule=WINDOWS,
        events=json.dumps(event),
        info="rule_metadata: [{id: ID}]\nregression_tests_info:\n"
        "  - {name: Positive, type: evtx, path: regression_data/rules/group/ID.evtx}\n",
    )
    [test] = testing.find_tests(folder).tests
    assert test.run().passed
    assert testing.find_tests(folder).untested == ()


@pytest.mark.parametrize(("count", "passed"), [(0, False), (1, False), (2, True), (3, False)])
def test_each_event_counts(tmp_path: Path, count: int, passed: bool) -> None:
    record = testing.record("iam:CreateGroup")
    info = (
        "rule_metadata: [{id: ID}]\nregression_tests_info:\n"
        f"  - {{name: P, type: json, match_count: {count}, path: regression_data/rules/group/ID.json}}\n"
    )
    [result] = testing.find_tests(write(tmp_path, info=info, events=json.dumps([record, record]))).run()
    assert result.passed is passed
    if not passed:
        assert f"expected {count} matches, but there are 2" in str(result)


def test_file_without_tests_is_none(tmp_path: Path) -> None:
    suite = testing.find_tests(write(tmp_path, info="rule_metadata: [{id: ID}]\n#regression_tests_info:\n"))
    assert suite.tests == ()
    assert [rule.title for rule in suite.untested] == ["Group created"]


TEST = "{name: P, type: json, path: regression_data/rules/group/ID.json}"
TOP = "rule_metadata: [{id: ID}]\nregression_tests_info:\n"


@pytest.mark.parametrize(
    ("info", "line", "said"),
    [
        ("[", 1, "it is not valid YAML"),
        (f"regression_tests_info: [{TEST}]", 1, "the file names no rule"),
        (f"rule_metadata: []\nregression_tests_info: [{TEST}]", 1, "the file names 0 rules"),
        (f"rule_metadata: [{{title: x}}]\nregression_tests_info: [{TEST}]", 1, "the rule has no id"),
        (f"{TOP}  - {{name: P, path: x}}", 3, "the test has no type"),
        (f"{TOP}  - {{name: P, type: pcap, path: x}}", 3, "unknown test type 'pcap'"),
        (f"{TOP}  - {{name: P, type: json, path: regression_data/gone.json}}", 3, "its events cannot be read"),
        (f"{TOP}  - {{name: P, type: json, match_count: -1, path: x}}", 3, "Write a whole number, 0 or above"),
        (f"{TOP}  - text", 3, "is text, but must be a map"),
        (f"rule_metadata: [{{id: other}}]\nregression_tests_info: [{TEST}]", 1, "there is no rule 'other'"),
    ],
)
def test_what_is_wrong_is_a_failing_test(tmp_path: Path, info: str, line: int, said: str) -> None:
    [test] = testing.find_tests(write(tmp_path, info=info)).tests
    result = test.run()
    assert not result.passed
    assert said in str(result)
    assert result.error is not None
    assert result.error.line in (line, 2)


@pytest.mark.parametrize("events", ["{", "[]", "[1]"])
def test_events_that_are_none(tmp_path: Path, events: str) -> None:
    [test] = testing.find_tests(write(tmp_path, events=events)).tests
    assert not test.run().passed


@pytest.mark.parametrize("path", ["../secret.json", "/etc/hostname", "rules/group.yml", "regression_data/link.json"])
def test_events_outside_of_the_regression_data_are_never_read(tmp_path: Path, path: str) -> None:
    folder = write(tmp_path / "a", info=f"{TOP}  - {{name: P, type: json, path: {path}}}")
    (tmp_path / "secret.json").write_text("{secret")
    (folder / "regression_data" / "link.json").symlink_to(tmp_path / "secret.json")
    [result] = testing.find_tests(folder).run()
    assert "the path leads out of" in str(result)
    assert "secret}" not in str(result)
    allowed = testing.find_tests(folder, record_folders=[tmp_path])
    assert "leads out" not in str(next(allowed.run())) or path.startswith("/etc")


def test_events_in_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path, info=f"{TOP}  - {{name: P, type: json, path: regression_data/pipe.json}}")
    os.mkfifo(folder / "regression_data" / "pipe.json")
    [result] = testing.find_tests(folder).run()
    assert "it is not a regular file" in str(result)


def test_events_that_nest_without_end_are_an_error(tmp_path: Path) -> None:
    [result] = testing.find_tests(write(tmp_path, events="[" * 100_000)).run()
    assert "not valid JSON" in str(result)


# --- the project's own --------------------------------------------------------------------------------------


def test_each_bundled_rule_has_an_event_in_sigmahqs_layout() -> None:
    rules = cloudsigma.bundled_rules()
    for rule in rules:
        folder = OURS / str(rule.name)
        assert sorted(path.name for path in folder.iterdir()) == sorted(["info.yml", f"{rule.id}.json"])
        info = yaml.safe_load((folder / "info.yml").read_text(encoding="utf-8"))
        assert list(info) == ["id", "description", "date", "author", "rule_metadata", "regression_tests_info"]
        assert info["rule_metadata"] == [{"id": rule.id, "title": rule.title}]
        assert [ROOT / test["path"] for test in info["regression_tests_info"]] == [folder / f"{rule.id}.json"]
    assert len(list(OURS.iterdir())) == len(rules) == 4
    assert len({yaml.safe_load(path.read_text())["id"] for path in OURS.rglob("info.yml")}) == 4


def test_regression_data_of_the_bundled_rules_passes() -> None:
    suite = testing.find_tests(ROOT / "regression_data", ROOT / "sigma_rules")
    own = [test for test in suite.tests if test.path.endswith("info.yml")]
    assert len(own) == 4
    for test in own:
        result = test.run()
        assert result.passed, str(result)
        assert test.case is not None
        assert test.case.count == 1
