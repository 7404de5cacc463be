"""Memory of a correlator under a million different group keys: `python benchmarks/correlation_memory.py [KEYS]`.

Every record has its own key and all lie in one time frame, so nothing ever closes by itself: what bounds memory
is `max_entries` alone. Prints the peak of the process's resident memory.
"""

from __future__ import annotations

import datetime as dt
import logging
import resource
import sys
from collections.abc import Iterator
from typing import Any

import cloudsigma

RULES = """\
{title: base, name: base, logsource: {product: aws}, detection: {s: {eventName: CreateGroup}, condition: s}}
---
{title: many, name: many, correlation: {type: event_count, rules: [base], group-by: [userIdentity.arn], timespan: 1d,
 condition: {gte: 2}}}
"""


def records(count: int) -> Iterator[dict[str, Any]]:
    """Records of one day, each by another principal."""
    for number in range(count):
        when = dt.datetime(2025, 3, 4, tzinfo=dt.UTC) + dt.timedelta(seconds=number * 86_000 // count)
        yield {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser",
                "arn": f"arn:aws:iam::111122223333:user/u{number}",
                "userName": f"u{number}",
            },
            "eventTime": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "iam.amazonaws.com",
            "eventName": "CreateGroup",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "203.0.113.24",
            "requestParameters": {"groupName": f"g{number}"},
            "eventID": str(number),
        }


def main() -> None:
    """Feed the records and print what they took."""
    logging.disable(logging.WARNING)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rules = cloudsigma.compile_text(RULES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    correlator = cloudsigma.Correlator(rules, lateness=dt.timedelta(hours=1))
    for record in records(count):
        correlator.feed(rules.match(record))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sizes = f"peak {peak / 1024:,.0f} MB, of it {before / 1024:,.0f} MB before"
    print(f"{count:,} group keys: {sizes}; {correlator.evicted:,} entries evicted")


if __name__ == "__main__":
    main()
