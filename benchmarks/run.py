"""Runs the benchmarks: `python benchmarks/run.py [--quick] [--only NAME]... [--rsigma PATH] [--write-docs]`.

Corpora, rules and the environments of other engines go to a work folder outside the repository, which is found again by
the next run. What each row is about is said in `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec
from bench import QUICK, Bench, Sizes
from corpora import Corpora
from machine import machine, measured_on
from peers import Peers
from report import text, write_page
from results import Results, Row
from rows import ROWS, Entry
from rule_folders import RuleFolders

ROOT = Path(__file__).parent.parent
KEPT = Path(__file__).parent / "results.json"
"""What `docs/performance.md` shows."""
PAGE = ROOT / "docs" / "performance.md"


def main() -> int:
    """Run the rows that the command line asks for."""
    chosen = _parser().parse_args()
    work = (chosen.work or Path(tempfile.gettempdir()) / "cloudsigma-benchmarks").resolve()
    if work == ROOT or ROOT in work.parents:
        sys.exit(f"the work folder {work} lies in the repository; name another with --work")
    work.mkdir(parents=True, exist_ok=True)
    bench = _bench(chosen, work)
    rows = [row for entry in ROWS if _asked_for(entry, chosen.only) for row in _run(entry, bench)]
    results = Results(machine(bench.peers.versions), tuple(rows), chosen.quick)
    _write(work / "results.json", results)
    print(f"results: {work / 'results.json'}", file=sys.stderr)
    if chosen.write_docs:
        kept = msgspec.json.decode(KEPT.read_bytes(), type=Results) if KEPT.exists() else results
        results = kept.with_rows(results)
        _write(KEPT, results)
        write_page(PAGE, results)
    if chosen.remove_work:
        shutil.rmtree(work)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small corpora and two runs: to see that it works")
    parser.add_argument("--only", action="append", metavar="NAME", help=f"rows: {', '.join(e.name for e in ROWS)}")
    parser.add_argument("--runs", type=int, help="of each contender (default 5)")
    parser.add_argument("--big", type=int, help=f"records where starting up would blur (default {Sizes.big:,})")
    parser.add_argument("--huge", type=int, help=f"records for peak memory (default {Sizes.huge:,})")
    parser.add_argument("--rsigma", type=Path, metavar="PATH", help="the binary; default: on PATH")
    parser.add_argument("--no-peers", action="store_true", help="this project alone")
    parser.add_argument("--own", action="store_true", help="this project's own records, also where shared ones are")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="default: in the folder for temporary files")
    parser.add_argument("--remove-work", action="store_true", help="remove the work folder in the end")
    parser.add_argument(
        "--write-docs", action="store_true", help="write benchmarks/results.json and the page made of it"
    )
    return parser


def _bench(chosen: argparse.Namespace, work: Path) -> Bench:
    named = os.environ.get("CLOUDSIGMA_SHARED")
    shared = Path(named) if named else ROOT.parent / "shared"
    found = shared.resolve() if shared.is_dir() else None
    sizes = QUICK if chosen.quick else Sizes()
    sizes = Sizes(sizes.small, chosen.big or sizes.big, chosen.huge or sizes.huge, sizes.sample, sizes.least)
    return Bench(
        work=work,
        corpora=Corpora(work, None if chosen.own else found),
        rules=RuleFolders(work, found),
        peers=Peers(work, chosen.rsigma, wanted=not chosen.no_peers),
        sizes=sizes,
        runs=chosen.runs or (2 if chosen.quick else 5),
        measured_on=measured_on(),
    )


def _asked_for(entry: Entry, only: list[str] | None) -> bool:
    return only is None or any(entry.name == name or entry.name.startswith(f"{name}-") for name in only)


def _run(entry: Entry, bench: Bench) -> list[Row]:
    print(f"{entry.name}: {entry.title}", file=sys.stderr)
    try:
        row = entry.run(bench)
    except FileNotFoundError as error:
        print(f"{entry.name} is left out: {error}", file=sys.stderr)
        return []
    print(text(row), flush=True)
    return [row]


def _write(path: Path, results: Results) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
