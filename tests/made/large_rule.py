"""A large rule taken through everything that is done with a rule; run in a process of its own.

`python large_rule.py FOLDER`: the folder holds `rule.yml`, `record.json` and perhaps `placeholders.json`. Prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import cloudsigma


def main(folder: Path) -> None:
    """Compile, match, explain, print, save and load."""
    before = time.process_time()
    record = json.loads((folder / "record.json").read_text())
    placeholders = folder / "placeholders.json"
    given = json.loads(placeholders.read_text()) if placeholders.exists() else {}
    rules = cloudsigma.compile_rules(folder / "rule.yml", placeholders=given)
    rule = rules.rules[0]
    matches = rules.match(record)
    explanation = rules.explain(record, rule.id)
    rules.save(folder / "rules.json")
    loaded = cloudsigma.load_rules(folder / "rules.json")
    verdicts = [
        bool(matches),
        bool(rules.verdicts(record)),
        rule.predicate is not None and rule.predicate(record),
        explanation.matched,
        bool(loaded.verdicts(record)),
        rule not in rules.silent([(record.get("eventSource"), record.get("eventName"))]),
    ]
    status = Path("/proc/self/status").read_text()  # `getrusage` counts what the parent held when it forked, too
    figures = {
        "verdicts": verdicts,
        "other": rules.verdicts({"eventName": "other"}),
        "printed": [len(rule.source or ""), len(str(explanation)), sum(len(match.to_json()) for match in matches)],
        "seconds": time.process_time() - before,
        "peak": int(status.partition("VmHWM:")[2].split()[0]) * 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
