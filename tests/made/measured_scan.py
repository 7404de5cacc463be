"""`cloudsigma scan` in a process of its own, with what it takes: time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

FULL = os.environ.get("CLOUDSIGMA_FULL_SIZE") == "1"
"""Whether hostile files have their full size."""
SECONDS = 60 if FULL else 15
"""That one run may take, on a busy machine too."""
MEMORY = 400 << 20
"""Bytes that one run may hold at most."""
ADDRESSES = 3 << 30
"""Bytes of addresses that a run may ask for, so that one that goes wrong does not take the machine with it."""

PROGRAM = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from cloudsigma.cli import main
began = time.perf_counter()
code = main(sys.argv[2:])
status = open("/proc/self/status").read()  # `getrusage` counts what the parent held when it forked, too
peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
print(f"\\nFIGURES {code} {peak} {time.perf_counter() - began}", file=sys.stderr)
"""


class Run(NamedTuple):
    code: int
    peak: int
    seconds: float
    output: str
    told: str


def scan(*arguments: str | bytes | Path, memory: int = MEMORY, stdin: Any = subprocess.DEVNULL) -> Run:
    """Run `cloudsigma scan` by itself; fails where it takes long, takes much, or shows a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ADDRESSES), "scan", "--format", "ids", "--jobs", "1", *arguments],
        stdin=stdin, capture_output=True, check=False, timeout=4 * SECONDS,
    )  # fmt: skip
    told, _, figures = done.stderr.decode().rpartition("\nFIGURES ")
    assert figures, done.stderr.decode()[-2000:]
    assert "Traceback" not in told
    code, peak, seconds = figures.split()
    run = Run(int(code), int(peak), float(seconds), done.stdout.decode(), told)
    print(
        f"{run.peak / (1 << 20):,.0f} MiB, {run.seconds:.1f} s, exit code {run.code}: {told.strip().splitlines()[-1]}"
    )
    assert run.seconds < SECONDS
    assert run.peak < memory
    return run
