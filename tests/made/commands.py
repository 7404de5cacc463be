"""The command in a process of its own, and its parts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from cloudsigma.cli import group

COMMAND = [sys.executable, "-m", "cloudsigma"]


def run(*arguments: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> Any:
    """Run the command; the result has text."""
    done = subprocess.run(
        [*COMMAND, *map(os.fspath, arguments)], input=stdin, capture_output=True, check=False, timeout=60,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in done.stderr
    return done


def commands() -> dict[str, click.Command]:
    """Every command by its words: `scan`, `approvals check`."""
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        parts = command.commands if isinstance(command, click.Group) else {}
        found |= {f"{name} {part}": each for part, each in parts.items()} or {name: command}
    return found
