"""Counts instructions for each record: `python benchmarks/instructions.py [--rules PATH]... [FOLDER]`.

Counts the machine instructions of two scans, one of five times the records, with valgrind's cachegrind: the difference
is that of the records alone, since start-up and loading cancel out. Where valgrind is absent, the bytes that Python
holds at the peak of a scan are counted instead, by tracemalloc.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import tracemalloc
from pathlib import Path

import ours
from corpora import Corpora, Corpus
from process import run

import cloudsigma

RECORDS = 4_000
TIMES = 5
FIXED = {"PYTHONHASHSEED": "0"}
"""Hashes of text that differ from run to run make dictionaries collide differently."""


def main() -> None:
    """Count, and print what one record costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="the work folder; default: in that for temporary files")
    parser.add_argument("--rules", type=Path, action="append", default=[])
    parser.add_argument("--records", type=int, default=RECORDS)
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.gettempdir()) / "cloudsigma-benchmarks"
    corpora = Corpora(folder, None)
    few, many = corpora.own(chosen.records), corpora.own(TIMES * chosen.records)
    if not shutil.which("valgrind"):
        less, more = (allocated(corpus, chosen.rules) for corpus in (few, many))
        print(
            f"valgrind is absent; at the peak {less:,} bytes of {few.records:,} records, {more:,} of {many.records:,}"
        )
        return
    run(ours.scan(few.trail, rules=chosen.rules), folder / "output.txt", env=ours.environment(folder))  # fills caches
    less, more = (instructions(corpus, chosen.rules, folder) for corpus in (few, many))
    each = (more - less) / (many.records - few.records)
    print(f"{each:,.0f} instructions a record; {less - each * few.records:,.0f} to start and load")


def instructions(corpus: Corpus, rules: list[Path], folder: Path) -> int:
    """Instructions that a scan of the corpus runs, its output included."""
    tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    command = [*tool, *ours.scan(corpus.trail, rules=rules)]
    env = ours.environment(folder) | FIXED
    output = folder / "output.txt"
    run(command, output, env=env)
    printed = output.with_suffix(".errors.txt").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"I\s+refs:\s+([\d,]+)", printed)
    if found is None:
        sys.exit(f"valgrind printed no count:\n{printed[-2000:]}")
    return int(found[1].replace(",", ""))


def allocated(corpus: Corpus, rules: list[Path]) -> int:
    """Bytes that a scan in this process holds at its peak."""
    compiled = cloudsigma.compile_rules(*rules, bundled=True, on_error="skip")
    tracemalloc.start()
    for match in cloudsigma.scan(corpus.trail, rules=compiled):
        match.to_json()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
