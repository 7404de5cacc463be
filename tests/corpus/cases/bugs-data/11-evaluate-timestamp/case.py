"""A time as pandas, pendulum and freezegun give it: an instance of a subclass of `datetime`."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import cloudsigma


class Timestamp(dt.datetime):
    """A subclass, as `pandas.Timestamp` is one."""


records = json.loads(Path(__file__).with_name("records.json").read_text())
records[0]["eventTime"] = Timestamp(2025, 3, 4, 10, 15, 30, tzinfo=dt.UTC)
matches = [
    {"rule": {"title": match.rule.title}, "context": match.context.to_dict()} for match in cloudsigma.evaluate(records)
]
print(json.dumps({"matches": matches}))
