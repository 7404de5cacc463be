"""The four event names with a lazy frame that is told the columns. `polars_lazy.py FOLDER` prints JSON lines."""

from __future__ import annotations

import json
import sys

import polars as pl

NAMES = ("CreateGroup", "DeleteGroup", "CreateProfile", "CreateTrustAnchor")
SCHEMA = {"Records": pl.List(pl.Struct({"eventName": pl.String, "eventID": pl.String}))}


def main() -> None:
    """Ask once; POLARS_MAX_THREADS says with how many threads."""
    events = (
        pl.scan_ndjson(f"{sys.argv[1]}/**/*.json.gz", schema=SCHEMA)
        .explode("Records")
        .select(
            pl.col("Records").struct.field("eventName").alias("eventName"),
            pl.col("Records").struct.field("eventID").alias("eventID"),
        )
        .filter(pl.col("eventName").is_in(NAMES))
        .select("eventID")
        .collect()
    )
    for event_id in events["eventID"]:
        print(json.dumps({"event_id": event_id}))


if __name__ == "__main__":
    main()
