"""The machine and the versions that were measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from process import cores
from results import Machine

ROOT = Path(__file__).parent.parent
OURS = ("cloudsigma-rules", "msgspec", "pySigma", "isal", "zlib-ng", "deflate", "orjson", "pyahocorasick", "google-re2")
"""What may take part in this project's own speed."""


def machine(peers: Mapping[str, str]) -> Machine:
    """This machine, the versions of this project and of what it builds on, and those of the peers."""
    versions = {**_installed(), **peers}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        processor=_processor(),
        cores=len(cores()),
        memory_gb=round(memory / 2**30),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=dict(sorted(versions.items())),
    )


def measured_on() -> str:
    """The day, and the commit of the checkout with a `+` where it has changes."""
    described = subprocess.run(  # noqa: S603  # git
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"],  # noqa: S607  # where git is, differs
        check=False,
        capture_output=True,
        text=True,
    )
    version = importlib.metadata.version("cloudsigma-rules")
    return f"{time.strftime('%Y-%m-%d')}, {version} at {described.stdout.strip() or 'an unknown commit'}"


def _installed() -> dict[str, str]:
    found = {}
    for name in OURS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    named = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return named[1] if named else platform.machine()
