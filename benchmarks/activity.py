"""Time and memory of `who`, `timeline` and `summary` beside a plain scan: `python benchmarks/activity.py FOLDER`.

FOLDER holds log files, such as those that `benchmarks/generate.py` makes. The commands take turns on one core, after
one run each that fills the caches of the system; ratios are to the scan of the same turn. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from process import Taken, run

COMMAND = [sys.executable, "-m", "cloudsigma"]
FORMS = {
    "scan": ["scan", "--jobs", "1", "--output", "{work}/matches.jsonl", "FOLDER"],
    "scan, coverage": ["scan", "--jobs", "1", "--coverage", "--output", "{work}/matches.jsonl", "FOLDER"],
    "summary": ["summary", "FOLDER"],
    "summary, one field": ["summary", "--by", "eventName", "FOLDER"],
    "who, a user": ["who", "{user}", "FOLDER"],
    "who, an address": ["who", "{address}", "FOLDER"],
    "who, nobody": ["who", "nobody-of-this-name", "FOLDER"],
    "timeline, a user": ["timeline", "--principal", "{user}", "FOLDER"],
    "timeline, an address": ["timeline", "--ip", "{address}", "FOLDER"],
}
"""Name → arguments; the names in braces are filled in."""


def main() -> None:
    """Run the commands and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        facts = {"work": folder, **_facts(chosen.folder)}
        commands = {
            name: [*COMMAND, *(str(chosen.folder) if word == "FOLDER" else word.format(**facts) for word in words)]
            for name, words in FORMS.items()
        }
        turns = [_turn(commands, work) for _ in range(chosen.runs + 1)][1:]
    print(f"user {facts['user']}, address {facts['address']}\n")
    print("| command | CPU s | ratio to a scan | least to most | peak MB |\n| --- | --- | --- | --- | --- |")
    for name in commands:
        print(_line(name, turns))


def _turn(commands: Mapping[str, Sequence[str]], work: Path) -> dict[str, Taken]:
    # Exit code 4: a folder may hold a file that is no log, such as a manifest.
    return {name: run(command, work / "out.txt", allowed=(0, 1, 4)) for name, command in commands.items()}


def _line(name: str, turns: Sequence[Mapping[str, Taken]]) -> str:
    seconds = statistics.median(turn[name].cpu for turn in turns)
    ratios = sorted(turn[name].cpu / turn["scan"].cpu for turn in turns)
    peak = max(turn[name].peak for turn in turns) / 1e6
    between = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    return f"| {name} | {seconds:.1f} | {statistics.median(ratios):.2f}x | {between} | {peak:.0f} |"


def _facts(folder: Path) -> dict[str, str]:
    """The busiest user, and a busy address that is no service."""
    arns = _counts(folder, "userIdentity.arn")
    addresses = _counts(folder, "sourceIPAddress")
    return {
        "user": next(name.rpartition("/")[2] for name in arns if ":user/" in name),
        "address": next(name for name in addresses if name.count(".") == 3 and name.replace(".", "").isdigit()),
    }


def _counts(folder: Path, field: str) -> dict[str, int]:
    done = subprocess.run(  # noqa: S603  # runs the command of this project
        [*COMMAND, "summary", "--by", field, "--top", "1000", "--format", "json", str(folder)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, int] = json.loads(done.stdout)["top"]
    return found


if __name__ == "__main__":
    main()
