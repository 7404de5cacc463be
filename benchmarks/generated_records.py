"""For which rules records can be generated: a table of shares, and of the reasons for the rest.

    python benchmarks/generated_records.py FOLDER [--every N] [--list]

FOLDER holds rules, `shared/corpus/sigmahq_all` for example. Every record in the table was tried with its rule by the
predicate and by the plain evaluator. `--list` also names each rule that has no record, and each test without near miss.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cloudsigma
from cloudsigma import testing
from cloudsigma.engine.rule import Rule

NOTES = {"": "plainly", "a field has": "with a list of values in a field", "keys of this": "with dots in keys"}


@dataclass
class Tally:
    """What was made of many rules."""

    rules: int = 0
    matched: Counter[str] = field(default_factory=Counter)
    templates: int = 0
    unmatched: Counter[str] = field(default_factory=Counter)
    tests: int = 0
    near_misses: int = 0
    complete: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    listed: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def add(self, rule: Rule, made: testing.Generated, seconds: float) -> None:
        """Count one rule."""
        self.rules += 1
        self.slowest = max(self.slowest, (seconds, rule.title))
        if made.match is None:
            self.unmatched[made.obstacles[0].kind] += 1
            self.listed += [f"{rule.path}: {obstacle}" for obstacle in made.obstacles]
            return
        self.matched[next(text for start, text in NOTES.items() if made.match.note[: len(start) or None] == start)] += 1
        self.templates += made.match.template is not None
        shown = sum(len(miss.tests) for miss in made.near_misses)
        self.tests += shown + len(made.obstacles)
        self.near_misses += shown
        self.complete += not made.obstacles
        for obstacle in made.obstacles:
            self.missing[obstacle.kind] += 1
            self.listed.append(f"{rule.path}: {obstacle}")

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """What is counted, how many, and of how many."""
        total = sum(self.matched.values())
        yield "rules with a record that matches", total, self.rules
        for text, count in self.matched.items():
            yield f"  {text}", count, self.rules
        yield "  started from a template of the call", self.templates, self.rules
        for kind, count in self.unmatched.items():
            yield f"rules without: {kind}", count, self.rules
        yield "rules with a near miss for every test", self.complete, self.rules
        yield "tests with a near miss", self.near_misses, self.tests
        for kind, count in sorted(self.missing.items()):
            yield f"tests without: {REASONS.get(kind, kind)}", count, self.tests


REASONS = {
    "dependent": "cannot decide alone, proved",
    "not found": "none found",
}


def tally(folder: Path, every: int = 1) -> tuple[Tally, int]:
    """Generate records for the rules of a folder; also how many rules could not be compiled."""
    rules = cloudsigma.compile_rules(folder, on_error="skip")
    counted = Tally()
    for rule in rules.rules[::every]:
        started = time.perf_counter()
        made = testing.generate(rule, rules)
        counted.add(rule, made, time.perf_counter() - started)
    return counted, len(rules.errors)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth rule")
    parser.add_argument("--list", action="store_true", help="name what could not be made, and why")
    arguments = parser.parse_args()
    started = time.perf_counter()
    counted, errors = tally(arguments.folder, arguments.every)
    for line in counted.listed if arguments.list else ():
        print(line)
    for what, count, of in counted.rows():
        print(f"{what:55} {count:6,} of {of:6,}  {100 * count / max(of, 1):6.2f} %")
    seconds, title = counted.slowest
    print(f"{time.perf_counter() - started:.0f} s; the slowest took {seconds:.1f} s: {title}")
    print(f"{errors} rules or files could not be compiled, and are not counted")


if __name__ == "__main__":
    main()
