"""A virtual environment for each peer that is a Python package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
MINUTES = 15
"""For an installation, compiling included."""


@dataclass(frozen=True)
class Absent:
    """A peer that does not take part."""

    name: str
    reason: str


@dataclass(frozen=True)
class Ready:
    """A peer that can be run."""

    name: str
    command: tuple[str, ...]
    """What its arguments follow."""
    versions: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PythonPeer:
    """A peer from the Python package index, and the program of ours that puts it to work."""

    name: str
    program: str
    requirements: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def prepare(self, folder: Path) -> Ready | Absent:
        """Install it, unless that was done before."""
        home = folder / "environments" / self.program
        python, done = home / "bin" / "python", home / "versions.json"
        if not done.exists():
            print(f"installing {self.name}", file=sys.stderr)
            shutil.rmtree(home, ignore_errors=True)
            try:
                _run([sys.executable, "-m", "venv", str(home)])
                _run([str(python), "-m", "pip", "install", "--quiet", *self.requirements])
                done.write_text(json.dumps(_versions(python, self.requirements)), encoding="utf-8")
            except (subprocess.SubprocessError, OSError) as error:
                errors = getattr(error, "stderr", None) or str(error)
                return Absent(self.name, f"could not be installed: {errors.strip().splitlines()[-1]}")
        versions = json.loads(done.read_text(encoding="utf-8"))
        return Ready(self.name, (str(python), str(PROGRAMS / f"{self.program}.py")), versions, self.env)


def _run(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603  # venv and pip
        command, check=True, capture_output=True, text=True, timeout=60 * MINUTES
    )
    return done.stdout


def _versions(python: Path, requirements: tuple[str, ...]) -> dict[str, str]:
    names = [requirement.partition("=")[0].partition(">")[0] for requirement in requirements]
    code = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    versions: dict[str, str] = json.loads(_run([str(python), "-c", code, *names]))
    return versions
