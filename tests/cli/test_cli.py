"""The command line as people and scripts use it: output, messages and exit codes."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, run
from group_calls import create_group

from cloudsigma.cli import _COMMANDS

RULE = """\
title: Own rule
id: 11111111-1111-4111-8111-111111111111
name: own_rule
level: high
tags: [attack.t1098]
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        eventName: Own*
    condition: selection
"""


def record(name: str = "CreateGroup", number: int = 0, **changes: Any) -> dict[str, Any]:
    return create_group(f"e{number}", **{"eventName": name, **changes})


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A folder with two log files: one match of the bundled rules, delivered twice, and one other record."""
    folder = tmp_path / "trail"
    folder.mkdir()
    (folder / "a.json.gz").write_bytes(
        gzip.compress(json.dumps({"Records": [record(), record("OwnCall", 1)]}).encode())
    )
    (folder / "b.json").write_text(json.dumps([record()]))
    return folder


@pytest.fixture
def own_rule(tmp_path: Path) -> Path:
    file = tmp_path / "own.yml"
    file.write_text(RULE)
    return file


def test_piped_scan_gives_json_lines(trail: Path) -> None:
    """Piped, matches are JSON lines on standard output and nothing else; the ledger is on standard error."""
    done = run("scan", trail)
    (match,) = map(json.loads, done.stdout.splitlines())
    assert match["rule"]["title"] == "IAM Group Created"
    assert match["context"]["principal"]["text"] == "arn:aws:iam::111122223333:user/alice"
    assert match["context"]["resource"]["text"] == "admins"
    assert match["origin"] == {"path": str(trail / "a.json.gz"), "position": 0, "form": "log_file"}
    assert match["record"]["eventID"] == "e0"
    assert done.returncode == 1
    assert "1 match (1 repeated left out)" in done.stderr
    assert "read 2 files" in done.stderr
    assert "3 records: array 1, log_file 2" in done.stderr


def test_formats_and_switches(trail: Path, tmp_path: Path) -> None:
    """Every option changes what it says."""
    ids = run("scan", trail, "--format", "ids", "--no-dedup")
    rule_id = ids.stdout.split("\t")[0]
    assert ids.stdout == f"{rule_id}\te0\n{rule_id}\te0\n"
    assert "record" not in json.loads(run("scan", trail, "--no-record").stdout)
    table = run("scan", trail, "--format", "table")
    assert "\x1b" not in table.stdout
    (line,) = (line for line in table.stdout.splitlines() if "IAM Group Created" in line)
    assert line.split() == [
        *("2025-03-04", "10:15:30Z", "MEDIUM", "IAM", "Group", "Created", "CreateGroup", "ok"),
        *("arn:aws:iam::111122223333:user/alice", "admins", "-", "-", "us-east-1"),
    ]
    output = tmp_path / "matches.jsonl"
    written = run("scan", trail, "--output", output, "--exit-zero")
    assert written.stdout == ""
    assert json.loads(output.read_text())["rule_id"] == rule_id
    assert written.returncode == 0


def test_rules_are_added_or_replace_the_bundled(trail: Path, own_rule: Path) -> None:
    """`--rules` adds to the bundled rules; `--no-bundled` leaves these out; the choosing options choose."""

    def titles(*options: str | Path) -> list[str]:
        return [json.loads(line)["rule"]["title"] for line in run("scan", trail, *options).stdout.splitlines()]

    assert titles("--rules", own_rule) == ["IAM Group Created", "Own rule"]
    assert titles("--rules", own_rule, "--no-bundled") == ["Own rule"]
    assert titles("--rules", own_rule, "--level", "high") == ["Own rule"]
    assert titles("--rules", own_rule, "--rule-id", "own_rule") == ["Own rule"]
    assert titles("--rules", own_rule, "--exclude", "own_rule") == ["IAM Group Created"]
    assert titles("--rules", own_rule, "--tag", "attack.t1098") == ["IAM Group Created", "Own rule"]
    assert titles("--rules", own_rule, "--status", "experimental") == ["IAM Group Created"]


def test_placeholders_are_read_with_any_rules(trail: Path, own_rule: Path, tmp_path: Path) -> None:
    """`--placeholders` gives values to rules, and a file that cannot be read is told, with or without `--rules`."""
    own_rule.write_text(RULE.replace("eventName: Own*", "eventName|expand: '%calls%'"))
    values = tmp_path / "values.yml"
    values.write_text("calls: [OwnCall]\n")
    refused = run("scan", trail, "--rules", own_rule, "--no-bundled")
    assert (refused.returncode, "%calls% has no values" in refused.stderr) == (5, True)
    given = run(
        "scan", trail, "--rules", own_rule, "--placeholders", values, "--rule-id", "own_rule", "--format", "ids"
    )
    assert given.stdout == "11111111-1111-4111-8111-111111111111\te1\n"
    missing = run("scan", trail, "--placeholders", tmp_path / "none.yml")
    assert (missing.returncode, "it cannot be read" in missing.stderr) == (5, True)


def test_standard_input(trail: Path) -> None:
    """`-`, and a pipe without a path, are standard input."""
    content = json.dumps(record()).encode()
    for arguments in (["scan", "-"], ["scan"]):
        done = run(*arguments, stdin=content)
        assert json.loads(done.stdout)["origin"]["path"] == "-"
    assert run("scan", stdin=(trail / "a.json.gz").read_bytes()).returncode == 1


def test_s17_exit_code_0_without_a_match(tmp_path: Path) -> None:
    """Nothing found is exit code 0 and an empty output file."""
    (tmp_path / "a.json").write_text(json.dumps([record("ListGroups")]))
    done = run("scan", tmp_path / "a.json", "--output", tmp_path / "out")
    assert (done.returncode, done.stdout, (tmp_path / "out").read_text()) == (0, "", "")
    assert "0 matches" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scna"], "Did you mean 'scan'?"),
        (["scan", "--formt", "ids"], "--format"),  # the wording is click's, and changes with its version
        (["scan", "--format", "xml", "x"], "'table', 'jsonl', 'ids'"),
        (["scan", "--no-bundled", "x"], "add --rules PATH"),
        (
            ["scan", "--rule-id", "aws_cloudtrail_iam_group_creatd", "x"],
            "Did you mean 'aws_cloudtrail_iam_group_created'",
        ),
        (["explain"], "Missing argument 'RULE'"),
        (["explain", "nothing_like_it"], "no rule has the ID or name"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_exit_code_2_for_wrong_usage(arguments: list[str], message: str) -> None:
    """Wrong usage is answered with the nearest right one."""
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_exit_code_3_for_rules_left_out(trail: Path, tmp_path: Path) -> None:
    """Bad rules are told with place and remedy, the others are evaluated, and the exit code says so."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "good.yml").write_text(RULE)
    (rules / "typo.yml").write_text(
        RULE.replace("eventName:", "eventName|startwith:").replace("1111-4111", "2222-4111")
    )
    (rules / "list.yml").write_text("- a\n")
    (rules / "broken.yml").write_text("title: [")
    (rules / "unknown.yml").write_text(RULE.replace("condition: selection", "condition: selektion"))
    done = run("scan", trail, "--rules", rules)
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 2
    assert f"{rules / 'typo.yml'}:9:9: modifier error" in done.stderr
    assert "Did you mean 'startswith'?" in done.stderr
    assert f"{rules / 'unknown.yml'}:10:16: condition error" in done.stderr
    assert "    selektion\n    ^" in done.stderr
    assert f"{rules / 'list.yml'}:1:1: schema error" in done.stderr
    assert f"{rules / 'broken.yml'}:2:1: yaml error" in done.stderr


def test_exit_code_4_for_lost_input(trail: Path, tmp_path: Path) -> None:
    """Damaged and missing input is named, the rest is read, and 4 wins over 1 and 3."""
    (trail / "cut.json.gz").write_bytes((trail / "a.json.gz").read_bytes()[:-10])
    (trail / "cut.json").write_text(json.dumps({"Records": [record("DeleteGroup", 7), record()]})[:-30])
    (trail / "empty.json").write_text("")
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run("scan", trail, empty, tmp_path / "nothing", "--exit-zero", "--format", "ids")
    assert done.returncode == 4
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == ["e0", "e7"]
    for reason in (
        "cut.json.gz: the gzip data is cut off",
        "cut.json: the JSON is damaged",
        "empty.json: the file is empty",
        "empty: there are no log files in this folder",
        "nothing: there is no such file or folder",
    ):
        assert reason in done.stderr


def test_exit_code_5_when_nothing_can_be_done(trail: Path, own_rule: Path, tmp_path: Path) -> None:
    """No rule left, or an output that cannot be written."""
    bad = tmp_path / "bad.yml"
    bad.write_text("- a")
    for arguments, message in (
        (["--rules", bad, "--no-bundled"], "every rule is bad"),
        (["--rules", tmp_path / "none.yml", "--no-bundled"], "there is no such file"),
        (["--level", "critical"], "no rule fits the options"),
        (["--output", tmp_path / "no" / "such" / "folder"], "cannot be written"),
    ):
        done = run("scan", trail, *arguments)
        assert done.returncode == 5
        assert message in done.stderr


def test_control_characters_never_reach_a_terminal(tmp_path: Path) -> None:
    """Escape sequences in record text are shown as escapes, in every format and in messages."""
    evil = "\x1b[31mred\x07\u009b2J\u202e"
    file = tmp_path / "a.json"
    file.write_text(json.dumps([record(requestParameters={"groupName": evil}, eventID=f"a{evil}\n\tb")]))
    for form in ("table", "ids", "jsonl"):
        done = run("scan", file, "--format", form)
        assert done.returncode == 1
        assert not {character for character in done.stdout if character < " "} - {"\n", "\t"}
        assert not set("\u009b\u202e\x7f") & set(done.stdout)
    assert run("scan", file, "--format", "ids").stdout.count("\n") == 1


def test_interrupt_ends_cleanly() -> None:
    """Ctrl-C gives what was found, says so and exits with 130."""
    pipe_in, pipe_out = os.pipe()
    process = subprocess.Popen(
        [*COMMAND, "scan", "-", "--format", "ids"], stdin=pipe_in, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    line = json.dumps(record()).encode() + b"\n"
    os.write(pipe_out, line * 2 + b" " * (1 << 16))
    time.sleep(1.5)
    for _ in range(20):  # on a busy machine it has not begun yet
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            _, errors = process.communicate(timeout=2)
            break
    os.close(pipe_out)
    assert process.returncode == 130
    assert b"interrupted" in errors
    assert b"Traceback" not in errors


def test_rules_lists_what_is_loaded(own_rule: Path) -> None:
    """`rules` lists level, title, ID, log source and tags, for people and as JSON."""
    done = run("rules", "--rules", own_rule)
    assert done.returncode == 0
    assert "high          Own rule" in done.stdout
    assert "11111111-1111-4111-8111-111111111111  product=aws service=cloudtrail  attack.t1098" in done.stdout
    assert "5 rules" in done.stderr
    rows = [json.loads(line) for line in run("rules", "--format", "jsonl").stdout.splitlines()]
    assert [row["title"] for row in rows] == [
        "IAM Group Created",
        "IAM Group Deleted",
        "AWS IAM Roles Anywhere Profile Created",
        "AWS IAM Roles Anywhere Trust Anchor Created with External CA",
    ]


def test_explain_shows_predicate_or_reasons(own_rule: Path, tmp_path: Path) -> None:
    """`explain` shows the source of a rule given by ID, name or file, and with a record why it matches."""
    source = run("explain", own_rule)
    assert "TEST_0 = startswith('Own')" in source.stdout
    assert run("explain", "own_rule", "--rules", own_rule).stdout == source.stdout
    file = tmp_path / "r.json"
    file.write_text(json.dumps(record("OwnCall")))
    reasons = run("explain", own_rule, "--record", file)
    assert "Own rule (11111111-1111-4111-8111-111111111111) matches" in reasons.stdout
    assert '✓ eventName: Own*; met by "OwnCall"  (line 9)' in reasons.stdout
    assert json.loads(run("explain", own_rule, "--record", file, "--format", "json").stdout)["matched"] is True
    assert reasons.returncode == 0
    assert run("explain", own_rule, "--record", tmp_path / "none").returncode == 4


def test_version_and_help() -> None:
    """`--version` and `--help` answer without loading pySigma, YAML or rich."""
    assert run("--version").stdout.startswith("cloudsigma, version ")
    assert "scan" in run("--help").stdout
    program = (
        "import sys; from cloudsigma.cli import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stderr
    assert not any(f"'{name}'" in loaded for name in ("sigma", "yaml", "rich", "re2", "msgspec"))


def test_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    """`| head` ends the command without a traceback."""
    file = tmp_path / "many.jsonl"
    file.write_text("\n".join(json.dumps(record(number=n)) for n in range(3000)))
    process = subprocess.Popen([*COMMAND, "scan", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=30)
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors


TABLES = {
    80: [
        "IAM Group Created",
        "03-04 10:15:30Z MEDIUM CreateGroup ok      alice",
        "      admins                                                        - us-east-1",
    ],
    120: [
        "IAM Group Created",
        (
            "03-04 10:15:30Z MEDIUM CreateGroup ok      alice                         admins"
            "                              - us-east-1"
        ),
    ],
    200: ["2025-03-04 10:15:30Z MEDIUM IAM Group Created                    CreateGroup ok      alice"],
}


@pytest.mark.parametrize("columns", TABLES)
def test_table_fits_the_terminal(trail: Path, columns: int) -> None:
    """On a terminal `scan` draws a table in color: two lines a match on a narrow one, else one."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "scan", trail],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": ""},
    )
    process.wait(timeout=30)
    os.close(theirs)
    text = re.sub(r"\x1b\[[0-9;]*m", "", os.read(ours, 1 << 16).decode())
    os.close(ours)
    lines = text.splitlines()
    assert all(line.startswith(wanted) for line, wanted in zip(lines, TABLES[columns], strict=True))
    assert max(map(len, lines)) <= columns


def test_help_names_every_command_once_under_a_heading() -> None:
    shown = run("--help").stdout
    listed = re.findall(r"^  ([a-z]+)  ", shown, re.MULTILINE)
    assert sorted(listed) == sorted(_COMMANDS)
    assert "Find and investigate:" in shown
