"""The command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
