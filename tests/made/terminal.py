"""A terminal of lines: what a person sees of the output of a command."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """The lines that a terminal shows: text, line feeds, returns, erased lines, and the cursor."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = self.column = 0
        self.cursor = True

    def take(self, data: str) -> Screen:
        """Take output."""
        for part in re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\n]|[^\x1b\r\n]+", data):
            if part == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif part == "\r":
                self.column = 0
            elif part.startswith("\x1b["):
                self._control(part[2:-1], part[-1])
            else:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + part + line[self.column + len(part) :]
                self.column += len(part)
        return self

    def _control(self, number: str, name: str) -> None:
        if name == "K":
            self.lines[self.row] = "" if number == "2" else self.lines[self.row][: self.column]
        elif name == "A":
            self.row -= int(number or 1)
        elif name in "hl" and number == "?25":
            self.cursor = name == "h"
        else:
            assert name == "m", (number, name)

    @property
    def text(self) -> str:
        """The lines without blanks at their ends."""
        return "\n".join(line.rstrip() for line in self.lines).strip("\n")


def until_shown(terminal: int, wanted: str, seconds: float = 30) -> str:
    """The output until a text occurs."""
    seen, end = "", time.monotonic() + seconds
    while wanted not in COLOR.sub("", seen):
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 1 << 16).decode()
    return seen


def rest(terminal: int, seconds: float = 30) -> str:
    """The output until the last process of the terminal has ended."""
    seen, end = b"", time.monotonic() + seconds
    while True:
        assert time.monotonic() < end, seen
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # the terminal's end
            data = b""
        if not data:
            return seen.decode()
        seen += data


def recorded(*arguments: str, columns: int, folder: Path) -> str:
    """The screen of a terminal after a command has run in a folder."""
    env = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    return on_terminal([sys.executable, "-m", "cloudsigma", *arguments], env, folder)[0]


def on_terminal(
    command: list[str], env: dict[str, str], folder: Path | None = None, seconds: float = 30
) -> tuple[str, int]:
    """The screen of a terminal after a command has run, and its exit code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=folder, env=env) as run:
        os.close(theirs)
        screen = Screen().take(rest(ours, seconds))
    os.close(ours)
    return screen.text + "\n", run.returncode
