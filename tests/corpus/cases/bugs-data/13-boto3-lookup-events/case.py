"""The answer of boto3's `lookup_events`, whose `EventTime` is a `datetime`."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import cloudsigma

(record,) = json.loads(Path(__file__).with_name("records.json").read_text())
event = {
    "EventId": "e1",
    "EventName": "CreateGroup",
    "EventTime": dt.datetime(2025, 3, 4, 10, 15, 30, tzinfo=dt.UTC),
    "Username": "alice",
    "Resources": [],
    "CloudTrailEvent": json.dumps(record),
}
reader = cloudsigma.read_records({"Events": [event], "ResponseMetadata": {"HTTPStatusCode": 200}})
print(json.dumps({"records": len(list(reader)), "losses": len(reader.ledger.losses), "matches": []}))
