"""The command at its edges: unexpected errors, other encodings, closed streams, systems without POSIX."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import run
from group_calls import create_group

from cloudsigma.cli import exit_codes

NAME = "grüppe → ☂ \U0001f4a3"


def command(program: str, *arguments: str | Path, env: dict[str, str] | None = None) -> Any:
    """Run the command in a process in which `program` runs first."""
    code = f"{program}\nimport sys\nfrom cloudsigma.cli import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *map(os.fspath, arguments)], capture_output=True, text=True, check=False,
        timeout=60, env={**os.environ, **(env or {})},
    )  # fmt: skip


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    file = tmp_path / "a.json"
    file.write_text(json.dumps([create_group("e0", requestParameters={"groupName": NAME})]), encoding="utf-8")
    return file


# --- unexpected errors --------------------------------------------------------------------------------------

BROKEN = "import cloudsigma.scanning.scan as m\ndef fail(*_): raise {}\nm.Scan.prepare = fail"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("KeyError('x')", "unexpected error: KeyError: 'x'"),
        ("ZeroDivisionError", "unexpected error: ZeroDivisionError\n"),
        ("RecursionError('deep')", "unexpected error: RecursionError: deep"),
        ("PermissionError(1, 'not you')", "the scan cannot go on (not you)"),
        ("MemoryError", "There is not enough memory"),
        ("ValueError('\\x1b[31m')", "unexpected error: ValueError: \\x1b[31m"),
    ],
)
def test_an_unexpected_error_is_exit_code_5_and_asks_for_a_report(trail: Path, error: str, said: str) -> None:
    done = command(BROKEN.format(error), "scan", trail)
    assert done.returncode == exit_codes.NOT_DONE
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert ("Please report it" in done.stderr) == (error[:6] not in {"Permis", "Memory"})


@pytest.mark.parametrize(
    ("options", "env"), [(["--debug"], {}), ([], {"CLOUDSIGMA_DEBUG": "1"})], ids=["option", "env"]
)
def test_its_traceback_is_shown_on_demand(trail: Path, options: list[str], env: dict[str, str]) -> None:
    done = command(BROKEN.format("KeyError('x')"), *options, "scan", trail, env=env)
    assert done.returncode == exit_codes.NOT_DONE
    assert "Traceback" in done.stderr
    assert "raise KeyError" in done.stderr or ", in fail" in done.stderr


# --- encodings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("form", ["jsonl", "table", "ids"])
def test_output_escapes_what_its_encoding_lacks(trail: Path, encoding: str, form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloudsigma", "scan", trail, "--format", form], capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}, timeout=60,
    )  # fmt: skip
    assert done.returncode == exit_codes.FOUND, done.stderr
    text = done.stdout.decode(encoding)
    if form == "jsonl":
        assert json.loads(text)["record"]["requestParameters"]["groupName"] == NAME
    elif form == "table":
        assert "CreateGroup" in text or "IAM Group Created" in text
    else:
        assert text.endswith("\te0\n")


def test_errors_escape_what_their_encoding_lacks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloudsigma", "scan", tmp_path / NAME], capture_output=True, check=False, timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert done.returncode == exit_codes.INPUT_LOST
    assert "gr\xfcppe \\u2192" in done.stderr.decode("cp1252")


def test_a_file_is_utf_8_whatever_the_terminal_has(trail: Path, tmp_path: Path) -> None:
    run("scan", trail, "-o", tmp_path / "out", env={"PYTHONIOENCODING": "cp1252"})
    assert NAME in (tmp_path / "out").read_text(encoding="utf-8")


# --- streams that are closed, files that are none ------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("scan - <&-", exit_codes.INPUT_LOST),
        ("scan <&-", exit_codes.USAGE),
        ("scan a.json <&-", exit_codes.FOUND),
        ("scan a.json 2>&-", exit_codes.FOUND),
        ("scan a.json >&-", exit_codes.NOT_DONE),
        ("rules >&-", exit_codes.DONE),
        ("explain 'IAM Group Created' --record - <&-", exit_codes.USAGE),
    ],
)
def test_closed_streams(trail: Path, arguments: str, code: int) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m cloudsigma {arguments}"], capture_output=True, text=True, check=False,
        cwd=trail.parent, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc")
@pytest.mark.parametrize("name", ["mem", "maps", "pagemap", "status", "environ", "fd"])
def test_files_of_the_kernel_are_losses(trail: Path, name: str) -> None:
    done = run("scan", f"/proc/self/{name}", trail, "--format", "ids")
    assert done.returncode == exit_codes.INPUT_LOST
    assert done.stdout.endswith("\te0\n")


def test_a_path_that_may_not_be_read_is_a_loss_among_good_ones(trail: Path) -> None:
    """click would refuse it as wrong usage; `os.access` says so even to root here."""
    program = "import os\nallowed = os.access\nos.access = lambda path, *_: 'secret' not in str(path)"
    secret = trail.with_name("secret.json")
    secret.write_text("[]")
    secret.chmod(0)
    done = command(program, "scan", secret, trail, "--format", "ids")
    assert done.returncode in {exit_codes.INPUT_LOST, exit_codes.FOUND}  # root reads everything
    assert done.stdout.endswith("\te0\n")


# --- systems without POSIX ----------------------------------------------------------------------------------

WITHOUT_POSIX = """
import ctypes, errno, os, signal, sys
import platformdirs.unix  # chosen by `sys.platform`, which stays
for module in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty"):
    sys.modules[module] = None
for name in ("SIGHUP", "SIGKILL", "pthread_sigmask", "SIGALRM", "alarm", "setitimer"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("mkfifo", "sched_getaffinity", "geteuid", "getuid", "fork", "O_NONBLOCK", "killpg", "getpgid", "fchmod"):
    if hasattr(os, name):
        delattr(os, name)
del errno.EDQUOT
load = ctypes.CDLL
def cdll(name, *rest, **options):
    if name is None:
        raise TypeError("bad argument type for built-in operation")
    return load(name, *rest, **options)
ctypes.CDLL = cdll
"""


def test_it_starts_without_what_only_posix_has(trail: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ids"
    done = command(WITHOUT_POSIX, "scan", trail, "--jobs", "1", "-o", out, "--checkpoint", tmp_path / "db")
    assert done.returncode == exit_codes.FOUND, done.stderr
    assert out.read_text().endswith("\te0\n")
    assert command(WITHOUT_POSIX, "rules").returncode == exit_codes.DONE


def test_every_module_is_imported_without_what_only_posix_has() -> None:
    program = (
        WITHOUT_POSIX
        + """
import importlib, pkgutil
import cloudsigma
for module in pkgutil.walk_packages(cloudsigma.__path__, "cloudsigma."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


# --- help ---------------------------------------------------------------------------------------------------


def test_the_help_of_scan_groups_its_options() -> None:
    lines = run("scan", "--help").stdout.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Rules:",
        "What to read:",
        "Output:",
        "Long scans:",
        "Queues (sqs://NAME, its URL or ARN):",
        "Service:",
        "Options:",
        "Limits:",
    ]
    assert "PATH..." not in run("scan", "--help").stdout.split("Rules:")[1]  # arguments are described in the text


def test_rules_takes_paths(tmp_path: Path) -> None:
    rule = tmp_path / "own.yml"
    rule.write_text("title: Own\nlogsource: {product: aws}\ndetection: {s: {eventName: X}, condition: s}\n")
    done = run("rules", rule)
    assert "Own" in done.stdout
    assert "IAM Group Created" not in done.stdout
    assert run("rules", tmp_path / "missing").returncode == exit_codes.NOT_DONE
