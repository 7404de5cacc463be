"""Where the time of a scan goes: `python benchmarks/profile_scan.py [PATH]... [--rules PATH]... [--calls]`.

Samples the stack a thousand times a second with pyinstrument, which hardly slows what it watches. `--calls` counts
calls with cProfile instead: exact counts, but every call of a Python function looks slower than it is. Without PATH a
corpus of this project's own records is built for it.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import pstats
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from corpora import Corpora

import cloudsigma

RECORDS = 50_000


def main() -> None:
    """Scan once to fill what is remembered, then once more under the profiler."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--rules", type=Path, action="append", default=[])
    parser.add_argument("--no-bundled", action="store_true")
    parser.add_argument("--calls", action="store_true", help="count calls with cProfile")
    parser.add_argument("--top", type=int, default=40, help="how many functions are shown with --calls")
    chosen = parser.parse_args()
    paths = chosen.paths or [own_corpus()]
    rules = cloudsigma.compile_rules(*chosen.rules, bundled=not chosen.no_bundled, on_error="skip")

    def scan() -> None:
        result = cloudsigma.scan(*paths, rules=rules, **({"jobs": 1} if _has_jobs() else {}))
        written = sum(len(match.to_json()) for match in result)
        print(f"{sum(result.counts.values()):,} matches, {written:,} bytes; {result.ledger}", file=sys.stderr)

    scan()
    print(counted(scan, chosen.top) if chosen.calls else sampled(scan))


def own_corpus() -> Path:
    """A corpus in the folder for temporary files."""
    return Corpora(Path(tempfile.gettempdir()) / "cloudsigma-benchmarks", None).own(RECORDS).trail


def sampled(work: Callable[[], None]) -> str:
    """The profile of a sampling profiler, as text; raises `SystemExit` where pyinstrument is not installed."""
    try:
        from pyinstrument import Profiler
    except ImportError:
        sys.exit("pyinstrument is not installed: `pip install --group bench`, or use --calls")
    profiler = Profiler(interval=0.001, use_timing_thread=False)
    with profiler:
        work()
    return str(profiler.output_text(show_all=True, unicode=False, color=False))


def counted(work: Callable[[], None], top: int) -> str:
    """The functions with the most time of their own, as cProfile counts it."""
    profile = cProfile.Profile()
    profile.runcall(work)
    stream = io.StringIO()
    pstats.Stats(profile, stream=stream).sort_stats("tottime").print_stats(top)
    return stream.getvalue()


def _has_jobs() -> bool:
    """Whether a scan can be told to stay in this process."""
    import inspect

    return "jobs" in inspect.signature(cloudsigma.scan).parameters


if __name__ == "__main__":
    main()
