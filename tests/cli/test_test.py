"""`cloudsigma test` as people and CI use it: output, files for other programs, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

MISCOUNTED = {
    "0b9ad457-2554-44c1-82c2-d56a99c42377",
    "8fbf3271-1ef6-4e94-8210-03c2317947f6",
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393",
}
"""Three events of these match, read by hand; `info.yml` says 1."""

RULE = """\
title: Group Created
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10
status: test
level: high
tags: [attack.t1098.001]
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: CreateGroup, eventSource: iam.amazonaws.com}
  condition: selection
"""
CASES = """\
template: {call: 'iam:CreateGroup'}
cases:
  - {name: by a user, reason: that is it., match: true}
  - {name: by a role, reason: whoever it is., match: true, template: {principal: role_session}}
"""
WRONG = """\
  - {name: deleted, reason: on purpose., match: true, set: {eventName: DeleteGroup}}
"""
KEY = """\
title: Key Created
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d11
level: low
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: CreateAccessKey}, condition: selection}
"""
BROKEN = """\
title: Broken
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d12
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName|contians: Create}
  condition: selection
"""


def run(folder: Path, *arguments: str | Path, env: dict[str, str] | None = None) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "cloudsigma", "test", *map(os.fspath, arguments)],
        cwd=folder, capture_output=True, check=False, timeout=60, text=True, env={**os.environ, **(env or {})},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder with a rule and two cases, in a folder that is worked in."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "group.yml").write_text(RULE)
    (folder / "group.cases.yml").write_text(CASES)
    return folder


def test_all_is_well(tmp_path: Path, rules: Path) -> None:
    done = run(tmp_path, "rules")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 passed\n", "")


def test_only_what_fails_is_shown_in_full(tmp_path: Path, rules: Path) -> None:
    (rules / "group.cases.yml").write_text(CASES + WRONG)
    done = run(tmp_path, "rules")
    assert done.returncode == 1
    assert (
        done.stdout
        == """\
rules/group.cases.yml:5:5: deleted: FAILED
  expected a match, but there is none
  because on purpose.
  rule 'Group Created' (rules/group.yml:1), decided by
    rules/group.yml:8: selection: {eventName: CreateGroup, eventSource: iam.amazonaws.com}
  the record differs from its base:
    eventName: "DeleteGroup" (was "CreateGroup")
  Group Created (6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10) does not match
    ✗ selection  (line 8)
      ✗ all of
        ✗ eventName: CreateGroup; the record has "DeleteGroup"  (line 8)
        ✓ eventSource: iam.amazonaws.com; met by "iam.amazonaws.com"  (line 8)

1 failed, 2 passed
"""
    )


@pytest.mark.parametrize("path", ["rules", "rules/group.yml", "rules/group.cases.yml", "."])
def test_paths(tmp_path: Path, rules: Path, path: str) -> None:
    assert run(tmp_path, path).stdout == "2 passed\n"


def test_rules_without_cases_are_named_and_are_no_failure(tmp_path: Path, rules: Path) -> None:
    (rules / "key.yml").write_text(KEY)
    done = run(tmp_path, "rules")
    assert done.returncode == 0
    assert done.stdout == "2 passed\n1 rule has no cases:\n  rules/key.yml: Key Created\n"


def test_other_yaml_in_a_folder_is_counted(tmp_path: Path, rules: Path) -> None:
    (tmp_path / "compose.yml").write_text("services: {}\n")
    done = run(tmp_path, ".")
    assert (done.returncode, done.stderr) == (0, "1 YAML file is neither rule nor cases\n")


def test_virtual_environments_and_hidden_folders_are_passed_over(tmp_path: Path, rules: Path) -> None:
    for name in ("env", ".hidden", "node_modules"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.yml").write_text(BROKEN)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert run(tmp_path, ".").returncode == 0


def test_a_pipe_in_a_folder_fails_and_is_not_waited_for(tmp_path: Path, rules: Path) -> None:
    os.mkfifo(rules / "pipe.yml")
    done = run(tmp_path, "rules")
    assert done.returncode == 3
    assert done.stdout.startswith("rules/pipe.yml: file error: it is not a regular file.")
    assert done.stdout.endswith("1 failed, 2 passed\n")


def test_a_broken_link_fails(tmp_path: Path, rules: Path) -> None:
    (rules / "gone.yml").symlink_to("nowhere.yml")
    assert run(tmp_path, "rules").returncode == 3


def test_a_folder_with_nothing_to_test_fails_beside_others(tmp_path: Path, rules: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(tmp_path, "rules", "empty")
    assert done.returncode == 3
    assert "empty: file error: the folder holds neither rules nor cases. Check the path.\n" in done.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_fails(tmp_path: Path, rules: Path) -> None:
    (rules / "sub").mkdir()
    (rules / "sub").chmod(0)
    (rules / "key.yml").write_text(KEY)
    (rules / "key.yml").chmod(0)
    done = run(tmp_path, "rules")
    (rules / "sub").chmod(0o700)
    assert done.returncode == 3
    assert "rules/sub: file error: it cannot be read" in done.stdout
    assert "rules/key.yml: file error: it cannot be read" in done.stdout


def test_endings_may_be_in_capitals(tmp_path: Path, rules: Path) -> None:
    (rules / "group.yml").rename(rules / "group.YAML")
    assert run(tmp_path, "rules").stdout == "2 passed\n"
    (rules / "group.cases.yml").rename(rules / "group.CASES.YML")
    assert run(tmp_path, "rules").stdout == "2 passed\n"


# --- exit codes ---------------------------------------------------------------------------------------------


def test_rule_that_does_not_compile_gives_3_also_for_its_cases(tmp_path: Path, rules: Path) -> None:
    (rules / "broken.yml").write_text(BROKEN)
    (rules / "broken.cases.yml").write_text(CASES)
    done = run(tmp_path, "rules")
    assert done.returncode == 3
    assert "rules/broken.yml:5:15: modifier error" in done.stdout
    assert "there is no modifier 'contians'. Did you mean 'contains'?" in done.stdout
    assert done.stdout.endswith("3 failed, 2 passed\n")


@pytest.mark.parametrize("text", ["[", "cases: 1\n", CASES + "  - {name: x}\n"])
def test_cases_that_cannot_be_read_give_4(tmp_path: Path, rules: Path, text: str) -> None:
    (rules / "group.cases.yml").write_text(text)
    done = run(tmp_path, "rules")
    assert done.returncode == 4
    assert "rules/group.cases.yml:" in done.stdout
    assert "1 failed" in done.stdout


def test_path_that_is_not_there_gives_4_and_the_others_are_tested(tmp_path: Path, rules: Path) -> None:
    done = run(tmp_path, "nope", "rules")
    assert (done.returncode, done.stdout) == (4, "2 passed\n")
    assert "there is no file or folder 'nope'" in done.stderr
    assert run(tmp_path, "nope").returncode == 4


def test_case_that_names_another_rule_is_a_red_test(tmp_path: Path, rules: Path) -> None:
    (rules / "group.cases.yml").write_text(f"rule: nope\n{CASES}")
    assert run(tmp_path, "rules").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Missing argument"),
        (["rules", "--level", "hi"], 2, "--level"),
        (["rules", "--logsource", "windows"], 2, "KEY=VALUE"),
        (["rules", "--rule-id", "nope"], 2, "nope"),
        (["rules", "-k", "nope"], 5, "no test fits the options"),
        (["empty"], 5, "neither rules nor cases"),
        (["rules", "--pipeline", "nope"], 5, "nope"),
        (["rules", "--placeholders", "nope.yml"], 5, "nope.yml"),
        (["rules", "--junit", "no/where.xml"], 5, "cannot be written"),
        (["rules", "--json", "no/where.json"], 5, "cannot be written"),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, rules: Path, arguments: list[str], code: int, said: str) -> None:
    (tmp_path / "empty").mkdir()
    done = run(tmp_path, *arguments)
    assert done.returncode == code
    assert said in done.stderr


# --- choosing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        (["-k", "by a ROLE"], 1),
        (["-k", "by a role", "-k", "by a user"], 2),
        (["-k", "t1098"], 2),
        (["-k", "key"], 1),
        (["--level", "high"], 2),
        (["--tag", "attack.t1098"], 2),
        (["--status", "test"], 2),
        (["--rule-id", "6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d11"], 1),
        (["--exclude", "6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d11"], 2),
    ],
)
def test_options_choose(tmp_path: Path, rules: Path, options: list[str], passed: int) -> None:
    (rules / "key.yml").write_text(KEY)
    (rules / "key.cases.yml").write_text(
        "template: {call: 'iam:CreateAccessKey'}\ncases: [{name: one, reason: r, match: true}]\n"
    )
    done = run(tmp_path, "rules", *options)
    assert done.returncode == 0
    assert done.stdout == f"{passed} passed, {3 - passed} left out by the options\n"


def test_how_rules_are_compiled(tmp_path: Path) -> None:
    (tmp_path / "w.yml").write_text(
        "title: Whoami\nid: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d15\n"
        "logsource: {product: windows, category: process_creation}\ndetection:\n"
        "  selection: {Image|endswith: '\\whoami.exe', 'User|expand': '%admins%'}\n  condition: selection\n"
    )
    (tmp_path / "w.cases.yml").write_text(
        "record: {Event: {System: {EventID: 1, Channel: Microsoft-Windows-Sysmon/Operational},\n"
        "                 EventData: {Image: 'C:\\whoami.exe', User: root}}}\n"
        "cases: [{name: whoami, reason: that is it., match: true}]\n"
    )
    (tmp_path / "values.yml").write_text("admins: [root]\n")
    source = ("--logsource", "product=windows", "--logsource", "category=process_creation")
    options = ("--pipeline", "evtx_json", "--placeholders", "values.yml", *source)
    assert run(tmp_path, "w.yml", *options).stdout == "1 passed\n"
    assert run(tmp_path, "w.yml", *options[:4]).returncode == 1


# --- records from elsewhere ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "link.json"])
def test_a_case_file_reads_below_its_own_folder_only(tmp_path: Path, rules: Path, name: str) -> None:
    (tmp_path / "secret.json").write_text('{"secret": ')
    (rules / "link.json").symlink_to(tmp_path / "secret.json")
    (rules / "group.cases.yml").write_text(f"record_file: {name}\ncases: [{{name: a, reason: b, match: true}}]\n")
    done = run(tmp_path, "rules")
    assert done.returncode == 4
    assert f"{name} leads out of the folder of the case file" in done.stdout
    assert 'secret"' not in done.stdout


def test_a_record_folder_is_allowed_by_an_option(tmp_path: Path, rules: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "r.json").write_text('{"eventName": "CreateGroup", "eventSource": "iam.amazonaws.com"}')
    (rules / "group.cases.yml").write_text(
        "record_file: ../records/r.json\ncases: [{name: a, reason: b, match: true}]\n"
    )
    assert run(tmp_path, "rules").returncode == 4
    assert run(tmp_path, "rules", "--record-folder", "records").stdout == "1 passed\n"


@pytest.mark.parametrize("text", ["record_file: pipe\ncases: [{name: a, reason: b, match: true}]\n", None])
def test_pipes_are_not_waited_for(tmp_path: Path, rules: Path, text: str | None) -> None:
    if text is None:
        (rules / "group.cases.yml").unlink()
        os.mkfifo(rules / "group.cases.yml")
    else:
        os.mkfifo(rules / "pipe")
        (rules / "group.cases.yml").write_text(text)
    done = run(tmp_path, "rules/group.yml")
    assert done.returncode == 4
    assert "it is not a regular file" in done.stdout


@pytest.mark.parametrize("value", ["No", "yes", "on", "false"])
def test_a_boolean_in_place_of_text_is_a_warning(tmp_path: Path, rules: Path, value: str) -> None:
    (rules / "group.cases.yml").write_text(
        f"{CASES}  - {{name: c, reason: r, match: true, set: {{eventVersion: {value}}}}}\n"
    )
    done = run(tmp_path, "rules")
    assert (done.returncode, done.stdout) == (0, "3 passed\n")
    said = f"eventVersion is text in the record, but YAML reads {value} as the boolean"
    assert f"group.cases.yml:5:45: case warning: case 'c': {said}" in done.stderr


@pytest.mark.parametrize("value", ["012345671234", "1:30", "1_000", "0x1F"])
def test_a_number_that_yaml_reads_as_another_is_refused(tmp_path: Path, rules: Path, value: str) -> None:
    (rules / "group.cases.yml").write_text(
        f"{CASES}  - {{name: c, reason: r, match: true, set: {{recipientAccountId: {value}}}}}\n"
    )
    done = run(tmp_path, "rules")
    assert done.returncode == 4
    assert f"group.cases.yml:5:45: case error: case 'c': {value} without quotation marks is the number" in done.stdout


# --- for other programs -------------------------------------------------------------------------------------


def test_json(tmp_path: Path, rules: Path) -> None:
    (rules / "group.cases.yml").write_text(CASES + WRONG)
    (rules / "key.yml").write_text(KEY)
    done = run(tmp_path, "rules", "--json", "-")
    assert done.returncode == 1
    assert "1 failed, 2 passed" in done.stderr
    form = json.loads(done.stdout)
    assert (form["passed"], form["failed"]) == (2, 1)
    assert [rule["path"] for rule in form["untested"]] == ["rules/key.yml"]
    [failed] = [test for test in form["tests"] if not test["passed"]]
    assert (failed["path"], failed["line"], failed["name"]) == ("rules/group.cases.yml", 5, "deleted")
    assert failed["rule"] == {
        "id": "6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10", "title": "Group Created", "path": "rules/group.yml", "line": 1,
    }  # fmt: skip
    assert failed["summary"] == "expected a match, but there is none"
    assert failed["differences"] == [{"name": "match", "expected": True, "actual": False}]
    assert {"name": "eventName", "before": "CreateGroup", "after": "DeleteGroup"} in failed["changes"][0]
    assert failed["explanations"][0]["matched"] is False


def test_json_file_is_the_same(tmp_path: Path, rules: Path) -> None:
    done = run(tmp_path, "rules", "--json", "out.json")
    assert done.stdout == "2 passed\n"
    assert [test["passed"] for test in json.loads((tmp_path / "out.json").read_text())["tests"]] == [True, True]


def test_junit_tells_failures_from_errors(tmp_path: Path, rules: Path) -> None:
    (rules / "group.cases.yml").write_text(CASES + WRONG.replace("DeleteGroup", '"\\e[2J<&>"'))
    (rules / "broken.yml").write_text(BROKEN)
    run(tmp_path, "rules", "--junit", "out.xml")
    top = ET.parse(tmp_path / "out.xml").getroot()  # noqa: S314  # our own
    assert [top.get(key) for key in ("tests", "failures", "errors")] == ["4", "1", "1"]
    assert [suite.get("name") for suite in top] == ["rules/broken.yml", "rules/group.cases.yml"]
    [error] = top.findall(".//error")
    assert error.get("message") == "there is no modifier 'contians'. Did you mean 'contains'?"
    [failure] = top.findall(".//failure")
    assert failure.get("message") == "expected a match, but there is none"
    assert "[2J<&>" in (failure.text or "")
    [case] = [case for case in top.iter("testcase") if case.find("failure") is not None]
    assert (case.get("file"), case.get("line"), case.get("name")) == ("rules/group.cases.yml", "5", "deleted")


def test_control_characters_of_records_are_escaped(tmp_path: Path, rules: Path) -> None:
    (rules / "group.cases.yml").write_text(CASES + WRONG.replace("DeleteGroup", '"\\e[2Jx"').replace("on p", '"\\e p"'))
    assert "\x1b" not in run(tmp_path, "rules").stdout


# --- SigmaHQ's regression data ------------------------------------------------------------------------------


def test_sigmahqs_regression_data_as_it_is(tmp_path: Path, shared_corpus: Path) -> None:
    """101 cases; three numbers in the data are wrong (see `test_regression.py`)."""
    done = run(tmp_path, shared_corpus / "sigmahq_regression", "--json", "out.json")
    assert done.returncode == 1
    form = json.loads((tmp_path / "out.json").read_text())
    assert (form["passed"], form["failed"]) == (98, 3)
    assert {test["rule"]["id"] for test in form["tests"] if not test["passed"]} == MISCOUNTED
