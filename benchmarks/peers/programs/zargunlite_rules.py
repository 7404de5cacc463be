"""Rules as SQL of pySigma's SQLite backend, run by zargunlite. `zargunlite_rules.py RULES RECORDS.jsonl`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from zargunlite.core import ZargunCore
from zargunlite.model import ZircoliteRule


def flattened(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The members by dotted name, as the rules name them: with zargunlite's own names two `arn`s would be one."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", json.dumps(value)
        elif value is not None:
            yield f"{prefix}{key}", value


def main() -> None:
    """Load the records into a table and run each rule."""
    rules = SigmaCollection.load_ruleset([sys.argv[1]], collect_errors=True)
    backend = sqliteBackend(collect_errors=True)
    queries = [
        ZircoliteRule(title=rule.title, id=str(rule.id), rule=sql)
        for rule in rules.rules
        if (sql := backend.convert_rule(rule))
    ]
    with Path(sys.argv[2]).open(encoding="utf-8") as file:
        rows = [dict(flattened(json.loads(line))) for line in file]
    with ZargunCore() as core:
        core.load_data(rows, strict_field_name=False)
        core.create_index("eventName")
        for rule in queries:
            for row in core.execute_zircolite_rule(rule).matches:
                print(json.dumps({"rule_id": rule.id, "event_id": row["eventID"]}))


if __name__ == "__main__":
    main()
