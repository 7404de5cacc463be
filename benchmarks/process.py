"""A command as a measured process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

LAUNCHER = Path(__file__).parent / "launch.py"
ALLOWED = (0, 1)
"""Exit codes of a run that is whole: this project's command says 1 where something matched."""


class Taken(msgspec.Struct, frozen=True):
    """What a process took, its children included."""

    exit_code: int
    cpu: float
    """Seconds of CPU time, user and system."""
    wall: float
    """Seconds by the clock."""
    peak: int
    """Bytes of resident memory of the largest of its processes, at its peak."""


class RunError(Exception):
    """A command failed, or could not be started."""

    def __init__(self, command: Sequence[str], exit_code: int, errors: str) -> None:
        super().__init__(f"exit code {exit_code} of {' '.join(command)}\n{errors.strip()[-2000:]}")


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def run(
    command: Sequence[str],
    output: Path,
    *,
    env: Mapping[str, str] | None = None,
    one_core: bool = True,
    allowed: Sequence[int] = ALLOWED,
) -> Taken:
    """Run a command to its end; standard output goes to `output`, standard error beside it.

    Args:
        command: The program and its arguments.
        output: A file that is overwritten.
        env: Variables that are set beside those of this process.
        one_core: Pin it to the last of the cores; otherwise it may use all of them.
        allowed: Exit codes that are no failure.

    Raises:
        RunError: It ended with another exit code.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    result, errors = output.with_suffix(".taken.json"), output.with_suffix(".errors.txt")
    chosen = cores()[-1:] if one_core else cores()
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(result), str(output), ",".join(map(str, chosen))]
    with errors.open("wb") as stream:
        subprocess.run(  # noqa: S603  # runs the commands of benchmarks
            [*launcher, *command], check=True, stdin=subprocess.DEVNULL, stderr=stream, env=os.environ | dict(env or {})
        )
    taken = msgspec.json.decode(result.read_bytes(), type=Taken)
    if taken.exit_code not in allowed:
        raise RunError(command, taken.exit_code, errors.read_text(encoding="utf-8", errors="replace"))
    return taken
