"""Events a second through each type of correlation: `python benchmarks/correlation_throughput.py [EVENTS]`.

Matches come one at a time, as `RuleSet.evaluate` feeds them, in order of arrival: 12 a second of event time, each up
to 15 minutes late, with a lateness of an hour. Every type runs over several thousand group keys, over one single key
(thousands of events in each frame), and over several thousand keys with a condition under which most frames fire.

Times are CPU time (median of RUNS processes) less the time of making the matches. The baseline is the least that any
correlator must do: read the event time, and append the match to the deque of its key. Memory is the peak resident
memory of the process, for a tenth of the events and for all of them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudsigma
from cloudsigma.correlation import Correlator
from cloudsigma.engine.match import Match

RATE = 12  # events a second of event time
LATE = 15 * 60  # seconds
LATENESS = dt.timedelta(hours=1)
SPAN = "10m"
KEYS = 3000
START = 1_741_046_400  # 2025-03-04T00:00:00Z
RUNS = 3

NEVER = 10**9
CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # few frames fire, most frames fire
    "event_count": ({"gte": NEVER}, {"gte": 2}),
    "value_count": ({"gte": NEVER, "field": "sourceIPAddress"}, {"gte": 2, "field": "sourceIPAddress"}),
    "temporal": ({"gte": 3}, {"gte": 2}),
    "temporal_ordered": ({"gte": 3}, {"gte": 2}),
    "value_sum": ({"gt": NEVER * NEVER, "field": "additionalEventData.bytesTransferredOut"},) * 2,
    "value_avg": ({"gt": NEVER, "field": "additionalEventData.bytesTransferredOut"},) * 2,
    "value_percentile": ({"gt": NEVER, "percentile": 95, "field": "additionalEventData.bytesTransferredOut"},) * 2,
    "value_median": ({"gt": NEVER, "field": "additionalEventData.bytesTransferredOut"},) * 2,
}
"""`temporal` has three rules, the third of which never matches: two of them do in most frames."""
SHAPES = ("keys", "one key", "firing")


def rules_of(kind: str, shape: str) -> cloudsigma.RuleSet:
    """Three rules and the correlation."""
    condition = dict(CONDITIONS[kind][shape == "firing"])
    if shape == "firing" and kind in ("value_sum", "value_avg", "value_percentile", "value_median"):
        condition["gt"] = 1000
    documents: list[dict[str, Any]] = [
        {
            "title": name,
            "name": name,
            "logsource": {"product": "aws", "service": "cloudtrail"},
            "detection": {"selection": {"eventName": name}, "condition": "selection"},
        }
        for name in ("GetObject", "PutObject", "DeleteBucket")
    ]
    section = {
        "type": kind,
        "rules": [document["name"] for document in documents],
        "group-by": ["userIdentity.arn"],
        "timespan": SPAN,
        "condition": condition,
    }
    documents.append({"title": kind, "name": kind, "correlation": section})
    return cloudsigma.compile_text("\n---\n".join(map(json.dumps, documents)))


def matches(rules: cloudsigma.RuleSet, count: int, keys: int) -> Iterator[tuple[Match]]:
    """Matches of the first two rules in turn; records are new, and so are the texts that differ in real ones."""
    draw = random.Random(7).random  # noqa: S311  # the same events in every run
    pairs = [(rule, rule.title) for rule in rules if rule.correlation is None][:2]
    templates = []
    for rule, name in pairs:
        record = {"eventName": name, "eventTime": "2025-03-04T00:00:00Z", "eventID": "x"}
        templates.append(rules.match(record)[0])
        if templates[-1].rule is not rule:
            raise AssertionError(name)
    contexts = [template.context for template in templates]
    day, days = -1, ""
    for number in range(count):
        when = START + number // RATE - int(draw() * draw() * LATE)
        if when // 86_400 != day:
            day = when // 86_400
            days = time.strftime("%Y-%m-%dT", time.gmtime(when))
        second = when % 86_400
        which = number & 1
        rule, name = pairs[which]
        record = {
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/u{int(draw() * keys)}"},
            "eventTime": f"{days}{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
            "eventName": name,
            "sourceIPAddress": f"203.0.113.{number % 250}",
            "recipientAccountId": "111122223333",
            "additionalEventData": {"bytesTransferredOut": number * 7919 % 5000},
            "eventID": f"6c2a0a2e-9d1b-4c7e-8d57-{number:012}",
        }
        yield (Match(rule, record, contexts[which], (), "key"),)


def nothing(_: tuple[Match]) -> None:
    """Take a match and forget it."""


def baseline() -> Callable[[tuple[Match]], None]:
    """Read the event time, append to the deque of the key, and forget what is older than the hour."""
    held: dict[str, deque[tuple[float, Match]]] = defaultdict(deque)
    latest = 0.0

    def feed(found: tuple[Match]) -> None:
        nonlocal latest
        for match in found:
            when = dt.datetime.fromisoformat(match.record["eventTime"]).timestamp()
            latest = max(latest, when)
            queue = held[match.record["userIdentity"]["arn"]]
            queue.append((when, match))
            while queue[0][0] < latest - 4200:
                queue.popleft()

    return feed


def run_one(kind: str, shape: str, count: int) -> None:
    """Run one type in this process; prints CPU seconds, peak memory in kB, and matches given."""
    rules = rules_of(kind if kind in CONDITIONS else "event_count", shape)
    given = 0
    correlator = None
    feed: Callable[[tuple[Match]], Any]
    if kind == "nothing":
        feed = nothing
    elif kind == "baseline":
        feed = baseline()
    else:
        correlator = Correlator(rules, lateness=LATENESS)
        feed = correlator.feed
    begin = time.process_time()
    for found in matches(rules, count, 1 if shape == "one key" else KEYS):
        if got := feed(found):
            given += len(got)
    if correlator is not None:
        given += len(correlator.close())
        if correlator.too_late or correlator.evicted:
            raise AssertionError(correlator)
    spent = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([spent, peak, given]))


def measured(kind: str, shape: str, count: int) -> tuple[float, int, int]:
    """The output of `run_one` in a separate process."""
    command = [sys.executable, str(Path(__file__)), "--one", kind, shape, str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # this very file
    spent, peak, given = json.loads(done.stdout)
    return spent, peak, given


def report(shapes: list[str], count: int) -> None:
    """Run everything and print the tables, as Markdown."""
    print(f"Python {platform.python_version()}, {processor()}, {count:,} events, CPU time, median of {RUNS}\n")
    for shape in shapes:
        making = statistics.median(measured("nothing", shape, count)[0] for _ in range(RUNS))
        print(f"{shape}: making the matches takes {making:.1f} s, taken off below\n")
        print("| type | events/s | of the baseline | matches | MB, a tenth of the events | MB, all |")
        print("| --- | --- | --- | --- | --- | --- |")
        least = None
        for kind in ("baseline", *CONDITIONS):
            runs = [measured(kind, shape, count) for _ in range(RUNS)]
            spent = statistics.median(run[0] for run in runs) - making
            least = spent if least is None else least
            small = measured(kind, shape, count // 10)[1]
            peak = max(run[1] for run in runs)
            print(
                f"| {kind} | {count / spent:,.0f} | {least / spent:.2f} | {runs[0][2]:,} | {small / 1024:.0f} "
                f"| {peak / 1024:.0f} |",
                flush=True,
            )
        print()


def processor() -> str:
    """The name of the processor, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("events", nargs="?", type=int, default=2_000_000)
    parser.add_argument("--shape", action="append", choices=SHAPES, help="only this shape of input; may be repeated")
    parser.add_argument("--one", nargs=3, metavar=("TYPE", "SHAPE", "EVENTS"), help="one run in this process")
    given = parser.parse_args()
    if given.one:
        run_one(given.one[0], given.one[1], int(given.one[2]))
    else:
        report(given.shape or list(SHAPES), given.events)


if __name__ == "__main__":
    main()
