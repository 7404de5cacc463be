"""Rules and records through sigma-rule-matcher. `sigma_rule_matcher_rules.py RULES RECORDS.jsonl`.

Rules that it cannot load or evaluate are counted on standard error and left out.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sigma.rule import SigmaRule
from sigma_rule_matcher import RuleMatcher


def matchers(folder: Path, refused: Counter[str]) -> Iterator[tuple[str, RuleMatcher]]:
    """Each rule of the folder that loads."""
    for path in sorted(folder.rglob("*.yml")):
        try:
            rule = SigmaRule.from_yaml(path.read_text(encoding="utf-8"))
            yield str(rule.id), RuleMatcher(rule)
        except Exception as error:  # noqa: BLE001  # whatever it raises, the rule is one that it cannot load
            refused[type(error).__name__] += 1


def main() -> None:
    """Ask each rule about each record."""
    refused: Counter[str] = Counter()
    raising: Counter[str] = Counter()
    rules = list(matchers(Path(sys.argv[1]), refused))
    with Path(sys.argv[2]).open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            for rule_id, matcher in rules:
                try:
                    found = matcher.match(record)
                except Exception:  # noqa: BLE001  # as above
                    raising[rule_id] += 1
                    continue
                if found:
                    print(json.dumps({"rule_id": rule_id, "event_id": record["eventID"]}))
    print(f"{refused.total()} rules refused, {len(raising)} rules raise", file=sys.stderr)


if __name__ == "__main__":
    main()
