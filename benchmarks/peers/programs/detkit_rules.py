"""Rules and records through detkit's evaluator. `detkit_rules.py RULES RECORDS.jsonl`.

Rules that it says it cannot evaluate are evaluated all the same, as its own tests do; rules that raise are counted.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import yaml
from detkit.evaluator import event_matches_rule


def main() -> None:
    """Ask each rule about each record."""
    documents = [
        document
        for path in sorted(Path(sys.argv[1]).rglob("*.yml"))
        for document in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        if "detection" in document
    ]
    raising: Counter[str] = Counter()
    with Path(sys.argv[2]).open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            for rule in documents:
                try:
                    found = event_matches_rule(rule["detection"], record)
                except Exception:  # noqa: BLE001  # whatever it raises, the rule is one that it cannot evaluate
                    raising[rule["id"]] += 1
                    continue
                if found:
                    print(json.dumps({"rule_id": rule["id"], "event_id": record["eventID"]}))
    print(f"{len(raising)} rules raise", file=sys.stderr)


if __name__ == "__main__":
    main()
