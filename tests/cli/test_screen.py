"""`-q`, `-v`, `--color` and the bar: how much a command shows, on real terminals, and nothing left behind by Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from commands import COMMAND, run
from group_calls import create_group
from rich.cells import cell_len
from terminal import COLOR, Screen, recorded, rest, until_shown

from cloudsigma.cli import _COMMANDS, exit_codes, group, main

GOLDEN = Path(__file__).parents[1] / "golden"


IMPATIENT = (
    "import cloudsigma.cli.progress as progress; progress._PATIENCE = progress._UPDATES = 0\n"
    "from cloudsigma.cli import run; run()"
)


@pytest.fixture
def trail(root: Path) -> Path:
    return root / "examples" / "trail"


def records(count: int) -> bytes:
    return b"".join(json.dumps(create_group(str(at), eventName="ListGroups")).encode() + b"\n" for at in range(count))


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are those of POSIX")
@pytest.mark.parametrize("command", [["scan"], ["summary"], ["timeline"]], ids=lambda command: command[0])
def test_nothing_is_left_on_the_screen_after_ctrl_c(command: list[str]) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *command, "-"], stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    assert process.stdin is not None
    screen = Screen()
    process.stdin.write(records(30_000))
    process.stdin.flush()
    seen = until_shown(ours, "records/s")
    assert not screen.take(seen).cursor
    process.send_signal(signal.SIGINT)
    screen.take(rest(ours))
    process.stdin.close()
    assert process.wait(30) == exit_codes.INTERRUPTED
    os.close(ours)
    assert screen.cursor
    assert screen.text.startswith("interrupted")
    assert "records/s" not in screen.text


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are those of POSIX")
def test_the_bar_names_the_stage_the_rate_and_the_remaining_time(tmp_path: Path) -> None:
    for at in range(20):
        (tmp_path / f"{at}.json").write_bytes(records(500))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, "scan", "--sort", "time", str(tmp_path)], stdout=subprocess.DEVNULL,
        stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "140"},
    ):  # fmt: skip
        os.close(theirs)
        seen = COLOR.sub("", rest(ours))
    os.close(ours)
    assert re.search(r"listing .* files/s", seen)
    assert re.search(
        r"reading .*[\d.]+/[\d.]+ [kM]B  +\d+/20 files  +[\d,]+ records +[\d,]+ records/s +\d:\d\d:\d\d", seen
    )
    assert "writing" in seen
    assert Screen().take(seen).text.startswith("0 matches\nread 20 files")


def test_stages_are_told_with_verbose(trail: Path) -> None:
    done = run("scan", "-v", "--sort", "time", trail)
    stages = [line.partition(":")[0] for line in done.stderr.splitlines() if line.endswith(" s")]
    assert stages == ["listing", "reading", "linking", "writing"]
    assert "reading: 341 records, " in done.stderr
    assert "linking: 4 matches, " in done.stderr
    assert "\x1b" not in done.stderr
    assert re.search(r"^linking: 341 records, ", run("who", "-v", "jordan", trail).stderr, re.MULTILINE)


QUIET = [
    ["scan"],
    ["summary"],
    ["timeline"],
    ["who", "jordan"],
    ["rules"],
    ["link", "MATCHES"],
    ["compile", "-o", "RULES"],
]


@pytest.mark.parametrize("command", QUIET, ids=lambda command: command[0])
def test_a_quiet_command_tells_problems_alone(trail: Path, tmp_path: Path, command: list[str]) -> None:
    matches = tmp_path / "found.jsonl"
    main(["scan", str(trail), "--output", str(matches)])
    command = [{"MATCHES": str(matches), "RULES": str(tmp_path / "rules.json")}.get(word, word) for word in command]
    logs = [] if command[0] in {"rules", "compile"} else [trail]
    loud, quiet = run(*command, *logs), run(*command, *logs, "--quiet")
    assert loud.stderr != ""
    assert (quiet.stdout, quiet.stderr, quiet.returncode) == (loud.stdout, "", loud.returncode)
    if not logs:
        return
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "bad.json").write_text('{"Records": [')
    lost = run(*command, tmp_path / "logs", "-q")
    assert lost.returncode == exit_codes.INPUT_LOST
    assert "bad.json" in lost.stderr


def test_quiet_and_verbose_exclude_each_other(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "-q", "-v", str(trail)]) == exit_codes.USAGE
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_colors_are_chosen(trail: Path, root: Path, variables: dict[str, str]) -> None:
    env = {"TERM": "xterm", **variables}
    for command in (
        ["scan", "--format", "table", trail],
        ["explain", "aws_cloudtrail_iam_group_created"],
        ["test", root / "sigma_rules"],
    ):
        always = run(*command, "--color", "always", env=env).stdout
        never = run(*command, "--color", "never", env=env).stdout
        assert COLOR.search(always), command
        assert "\x1b" not in never
        plain = [" ".join(COLOR.sub("", text).split()) for text in (always, never)]
        assert plain[0] == plain[1]


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are those of POSIX")
def test_a_terminal_without_colors_stays_without(trail: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "scan", "--color", "never", str(trail)], stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ):  # fmt: skip
        os.close(theirs)
        seen = rest(ours)
    os.close(ours)
    assert "CreateTrustAnchor" in seen
    assert "\x1b" not in seen


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_the_options(name: str) -> None:
    command = group.get_command(None, name)  # type: ignore[arg-type]  # no context is needed
    assert command is not None
    for each in command.commands.values() if isinstance(command, click.Group) else [command]:
        options = {option for parameter in each.params for option in parameter.opts}
        assert {"--quiet", "--verbose", "--color"} <= options


# --- recordings ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are those of POSIX")
@pytest.mark.parametrize("columns", [80, 120, 200])
def test_the_screen_is_that_of_the_recording(root: Path, tmp_path: Path, columns: int) -> None:
    """With `CLOUDSIGMA_RECORD=1` the recordings in `tests/golden` are made anew."""
    denied = [
        create_group(
            f"denied-{at}",
            eventTime=f"2026-11-17T14:0{at}:00Z",
            errorCode="AccessDenied",
            recipientAccountId="111122223333",
            sourceIPAddress="2001:db8:85a3::8a2e:370:7334",
            requestParameters={"groupName": "administrators-of-the-platform"},
        )
        for at in range(3)
    ]
    (tmp_path / "denied.json").write_text(json.dumps({"Records": denied}))
    (tmp_path / "denied.yml").write_text(
        "{title: Group Creation Denied, level: high, logsource: {product: aws, service: cloudtrail},"
        " detection: {s: {eventName: CreateGroup, errorCode: AccessDenied}, condition: s}}"
    )
    shutil.copytree(root / "examples" / "trail", tmp_path / "trail")
    commands = [
        ["scan", "--rules", "denied.yml", "--no-cache", "trail", "denied.json"],
        ["timeline", "--principal", "jordan", "--since", "2026-11-17T13:28", "--until", "2026-11-17T13:34", "trail"],
        ["summary", "--top", "3", "trail"],
    ]
    shown = "".join(
        f"$ cloudsigma {' '.join(command)}\n{recorded(*command, columns=columns, folder=tmp_path)}\n"
        for command in commands
    )
    golden = GOLDEN / f"screen-{columns}.txt"
    if os.environ.get("CLOUDSIGMA_RECORD"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")
    table = shown.partition("7 matches")[0].splitlines()[1:]
    assert max(map(cell_len, table)) <= columns
