"""The bundled rules by hand: orjson and `if`. `orjson_if.py FOLDER` prints one JSON line a match."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

RULES = {
    ("iam.amazonaws.com", "creategroup"): "aa459000-af6c-425c-acc2-07c64acfaa76",
    ("iam.amazonaws.com", "deletegroup"): "58fc8380-3977-428a-b234-6cb62c9d3d0b",
    ("rolesanywhere.amazonaws.com", "createprofile"): "86f2e47c-b575-428e-a541-a33276503d6b",
    ("rolesanywhere.amazonaws.com", "createtrustanchor"): "2afbae05-cc1a-436d-9b91-ac6e9f8d89cc",
}
EXTERNAL_CA = "2afbae05-cc1a-436d-9b91-ac6e9f8d89cc"


def matching(record: Mapping[str, Any]) -> str | None:
    """The ID of the bundled rule that matches the record."""
    rule = RULES.get((record["eventSource"].lower(), record["eventName"].lower()))
    if rule is None or record.get("errorCode") or record.get("errorMessage"):
        return None
    if rule == EXTERNAL_CA and "AWS_ACM_PCA" in (created_source(record), requested_source(record)):
        return None
    return rule


def created_source(record: Mapping[str, Any]) -> object:
    """The kind of certificate authority that the answer names."""
    anchor = (record.get("responseElements") or {}).get("trustAnchor") or {}
    return (anchor.get("source") or {}).get("sourceType")


def requested_source(record: Mapping[str, Any]) -> object:
    """The kind of certificate authority that was asked for."""
    return ((record.get("requestParameters") or {}).get("source") or {}).get("sourceType")


def main() -> None:
    """Print what matches in the files of the folder."""
    for path in sorted(Path(sys.argv[1]).rglob("*.json.gz")):
        for record in orjson.loads(gzip.decompress(path.read_bytes()))["Records"]:
            if (rule := matching(record)) is not None:
                print(orjson.dumps({"rule_id": rule, "event_id": record["eventID"]}).decode())


if __name__ == "__main__":
    main()
