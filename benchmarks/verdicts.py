"""Verdicts over records in memory: `python benchmarks/verdicts.py RECORDS.jsonl [RULES...] [--bundled] [--exact]`.

Measured in this one process: how long `json.loads` takes to make the records, without collecting garbage, and how long
the verdicts take, with the collector as a user has it. Prints JSON, with what was found.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

from rule_folders import names_an_event

import cloudsigma


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    parser.add_argument("rules", type=Path, nargs="*")
    parser.add_argument("--bundled", action="store_true", help="the bundled rules, too")
    parser.add_argument("--exact", action="store_true", help="only rules that name their events exactly")
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    rules = cloudsigma.compile_rules(*chosen.rules, bundled=chosen.bundled)
    if chosen.exact:
        rules = rules.where(id=_exact(rules))
    with chosen.records.open(encoding="utf-8") as file:
        lines = list(file)
    records, loads = _loaded(lines, chosen.runs)
    del lines
    gc.collect()
    gc.freeze()
    verdicts = [_seconds(rules, records) for _ in range(chosen.runs + 1)][1:]  # the first fills what is remembered
    found = [(rule_id, record["eventID"]) for record in records for rule_id in rules.verdicts(record)]
    content = {"records": len(records), "rules": len(rules), "loads": loads, "verdicts": verdicts, "found": found}
    json.dump(content, sys.stdout)


def _loaded(lines: list[str], runs: int) -> tuple[list[dict[str, Any]], list[float]]:
    records: list[dict[str, Any]] = []
    seconds = []
    gc.disable()
    for _ in range(runs):
        records = []
        began = time.process_time()
        records = [json.loads(line) for line in lines]
        seconds.append(time.process_time() - began)
    gc.enable()
    return records, seconds


def _seconds(rules: cloudsigma.RuleSet, records: list[dict[str, Any]]) -> float:
    verdicts = rules.verdicts
    began = time.process_time()
    for record in records:
        verdicts(record)
    return time.process_time() - began


def _exact(rules: cloudsigma.RuleSet) -> list[str]:
    """IDs of the rules that can match only records with an event name that they list."""
    from sigma.collection import SigmaCollection

    paths = sorted({rule.path for rule in rules if rule.path})
    found = SigmaCollection.merge(SigmaCollection.from_yaml(Path(path).read_text("utf-8")) for path in paths)
    return [str(rule.id) for rule in found.rules if names_an_event(rule)]


if __name__ == "__main__":
    main()
