"""Where the shared corpus is: real records, public rules and what they match, too large for the repository.

It is looked for in the folder `shared` beside the checkout, or where the environment variable CLOUDSIGMA_SHARED
says. Tests that need it ask for one of the fixtures below; without it they are skipped, and the last lines of the
run say how many were.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["CLOUDSIGMA_NO_CACHE"] = "1"  # what a run finds must not depend on an earlier one

# Hundreds of tests start the command: with cached bytecode it starts in half the time.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="cloudsigma-bytecode-")
    atexit.register(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True)

settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("default", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# What is ignored, as in a background job or under nohup, would be ignored by commands under test, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).parent.parent
MISSING = "shared corpus not found beside the checkout"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the shared corpus."""
    named = os.environ.get("CLOUDSIGMA_SHARED")
    if named and not Path(named).is_dir():
        pytest.fail(f"CLOUDSIGMA_SHARED is {named!r}, which is no folder")
    folder = Path(named) if named else ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(MISSING)
    return folder


@pytest.fixture(scope="session")
def shared_corpus(shared: Path) -> Path:
    """The folder with records, public rules and expected matches."""
    return shared / "corpus"


@pytest.fixture(scope="session")
def shared_conformance(shared: Path) -> Path:
    """The folder with the conformance cases as they were handed over."""
    return shared / "conformance"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many checks the missing corpus has cost."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if MISSING in str(report.longrepr)]
    if skipped:
        terminalreporter.section("not checked", yellow=True)
        terminalreporter.line(f"{MISSING}: {len(skipped)} checks not run (CLOUDSIGMA_SHARED can name it)")
