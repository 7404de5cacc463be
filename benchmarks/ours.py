"""This project's own commands, as a user would type them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "cloudsigma"
COMMAND = (sys.executable, "-m", "cloudsigma")


def scan(
    *paths: Path, rules: Sequence[Path] = (), bundled: bool = True, jobs: int = 1, form: str = "jsonl"
) -> list[str]:
    """A scan; its matches go to standard output."""
    options = [part for path in rules for part in ("--rules", str(path))]
    options += [] if bundled else ["--no-bundled"]
    options += ["--jobs", str(jobs)]
    return [*COMMAND, "scan", "--exit-zero", "--format", form, *options, *map(str, paths)]


def environment(folder: Path) -> dict[str, str]:
    """Variables of a run: a cache of rules that is not the user's."""
    return {"XDG_CACHE_HOME": str(folder / "cache")}
