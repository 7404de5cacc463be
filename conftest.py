"""Runs the examples of README.md and docs/: Python blocks, `console` blocks and the files that they speak of.

Each page runs in its own folder, with copies of `examples/` and `sigma_rules/`. On a page

- a `python` block is executed (`>>>` lines are compared as doctests do), and names are shared by the whole page,
- a `console` block is run: each line that begins with `$ ` by the shell, and what it prints, errors included, must
  be the lines below it, where `...` matches any text,
- with a comment of the form `<!-- columns: 100 -->` above it, a `console` block is run on a terminal of that width,
- a block below a comment of the form `<!-- file: NAME -->` is written to that file.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.myst import PythonCodeBlockParser
from terminal import on_terminal

ROOT = Path(__file__).parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_FILE = re.compile(r"^<!-- file: (?P<path>\S+) -->\n+```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(
    r"(?:^<!-- columns: (?P<columns>\d+) -->\n+)?^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def parse_files(document: Document) -> Iterator[Region]:
    """Find the blocks that become files."""
    for block in _FILE.finditer(document.text):
        yield Region(block.start(), block.end(), (block["path"], block["text"]), write_file)


def write_file(example: Example) -> None:
    """Write the file into the folder of the page."""
    path, text = example.parsed
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def parse_consoles(document: Document) -> Iterator[Region]:
    """Find the blocks that hold commands and what they print."""
    for block in _CONSOLE.finditer(document.text):
        yield Region(block.start(), block.end(), (block["text"], int(block["columns"] or 0)), run_console)


def run_console(example: Example) -> str | None:
    """Run the commands of a block in order and compare; `$?` is the exit code of the one before."""
    text, columns = example.parsed
    status = 0
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        script = ["sh", "-c", f"(exit {status}); {command}"]
        got, status = on_terminal(script, environment(columns), seconds=60) if columns else piped(script)
        wanted, got = trimmed(expected), trimmed(got)
        if not doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS):
            return f"$ {command}\nexpected:\n{wanted}\ngot (exit code {status}):\n{got}"
    return None


def piped(script: list[str]) -> tuple[str, int]:
    """The output of a command that writes to a pipe, errors included, and its exit code."""
    done = subprocess.run(
        script, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=60, env=environment(100),
    )  # fmt: skip
    return done.stdout, done.returncode


def environment(columns: int) -> dict[str, str]:
    """The variables of a command: its scripts are those of this environment, and its cache is the page's."""
    return os.environ | {
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": str(columns),
        "TERM": "xterm",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "XDG_CACHE_HOME": str(Path.cwd() / ".cache"),
    }


def trimmed(text: str) -> str:
    """The text without blanks at the ends of lines and without empty lines around it: editors remove those."""
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()).strip("\n") + "\n"


def enter(namespace: dict[str, Any]) -> None:
    """Give the page a folder to work in."""
    namespace["_left"] = Path.cwd()
    namespace["_folder"] = folder = Path(tempfile.mkdtemp(prefix="cloudsigma-docs-"))
    for name in ("examples", "sigma_rules"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
    os.chdir(folder)
    sys.path.insert(0, str(folder))


def leave(namespace: dict[str, Any]) -> None:
    """Go back and remove the folder."""
    os.chdir(namespace["_left"])
    sys.path.remove(str(namespace["_folder"]))
    shutil.rmtree(namespace["_folder"])


pytest_collect_file = Sybil(
    parsers=[parse_files, parse_consoles, PythonCodeBlockParser(doctest_optionflags=OPTIONS)],
    patterns=["README.md", "docs/**/*.md", "docs/*.md"],
    setup=enter,
    teardown=leave,
).pytest()


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the checkout."""
    return ROOT
