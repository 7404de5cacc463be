"""The matches of a scan written to its sinks."""

from __future__ import annotations

from collections.abc import Sequence

from cloudsigma.errors import InputLostError
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks.interface import Sink


def write_matches(scan: Scan, sinks: Sequence[Sink], *, by_time: bool = False) -> None:
    """Run a scan, and write its matches to all sinks.

    With `by_time`, matches are written at the end of the scan, by time and with their sessions linked (`Scan.by_time`).

    If all sinks ask for the same serialization, matches are serialized once, in the worker processes if there are any.
    Sinks get the outcome even if the scan was interrupted or stopped at a loss.

    Raises:
        InputLostError: With `strict`, at the first loss.
        OSError: An output cannot be written.
    """
    scan.prepare()
    for sink in sinks:
        sink.begin(scan.rules)
    try:
        _write(scan, sinks, by_time=by_time)
    except (InputLostError, KeyboardInterrupt):
        _finish(scan, sinks)
        raise
    _finish(scan, sinks)


def _write(scan: Scan, sinks: Sequence[Sink], *, by_time: bool) -> None:
    wishes = {sink.serialization for sink in sinks}
    wish = wishes.pop() if len(wishes) == 1 else None
    if wish is None or by_time:
        for match in scan.by_time() if by_time else scan:
            for sink in sinks:
                sink.write(match)
    elif len(sinks) == 1:
        write = sinks[0].write_serialized
        for line in scan.serialized(wish):
            write(line)
    else:
        for line in scan.serialized(wish):
            for sink in sinks:
                sink.write_serialized(line)


def _finish(scan: Scan, sinks: Sequence[Sink]) -> None:
    outcome = scan.outcome
    for sink in sinks:
        sink.finish(outcome)
