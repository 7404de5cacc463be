"""The matches of a scan written to its sinks, and to files by the names of their formats."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from msgspec import structs

from cloudsigma.arguments import check_path, opening
from cloudsigma.errors import FileAccessError, InputLostError, UsageError, WrongTypeError
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks.formats import FORMATS, Format, SinkOptions, format_of
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput, open_output
from cloudsigma.sinks.overwrite_guard import check_apart, check_written

Target = str | os.PathLike[str] | BinaryIO
"""A file to write: its path, or a binary stream."""


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
    scan.begin_writing()
    outcome = scan.outcome
    for sink in sinks:
        sink.finish(outcome)


def write_files(
    scan: Scan, targets: Sequence[Target], form: str | None = None, options: SinkOptions | None = None
) -> ScanOutcome:
    """Run a scan, and write its matches to files.

    All files are opened before the first is truncated. With approvals, or if one of the formats is written
    by time, all files are written by time, with linked sessions.

    Args:
        scan: The scan; its settings are changed to link sessions and to skip the files that are written.
        targets: Paths, whose endings choose the formats, and binary streams, which stay open.
        form: The format of all files.
        options: The options of the formats. Default: those of `SinkOptions`.

    Raises:
        InputLostError: With `strict`, at the first loss.
        UsageError: A format is unknown or not given, or a file is one that is read.
        FileAccessError: A file cannot be written.
    """
    for target in targets:
        if isinstance(target, (str, os.PathLike)):
            check_path("the output", target)
    forms = [_form(target, form) for target in targets]
    paths = [Path(target) for target in targets if isinstance(target, (str, os.PathLike))]
    check_apart({"the output": paths})
    check_written(scan.paths, {"the output": paths})
    by_time = scan.config.approvals is not None or any(each.by_time for each in forms)
    exclude = (*scan.config.exclude, *map(str, paths))
    scan.config = dataclasses.replace(scan.config, sessions=by_time, exclude=exclude)
    options = options or SinkOptions()
    if options.matches_file is None:
        whole = (str(target) for target, each in zip(targets, forms, strict=True) if each.name == "jsonl")
        options = options._replace(matches_file=next((name for name in whole if name in map(str, paths)), None))
    outputs: list[LineOutput] = []
    try:
        with ExitStack() as stack:
            outputs += (_opened(target, stack) for target in targets)
            for target, output in zip(targets, outputs, strict=True):
                if output.is_regular and isinstance(target, (str, os.PathLike)):
                    output.cut_back(0)
            sinks = [each.make(output, options) for each, output in zip(forms, outputs, strict=True)]
            for sink in sinks:
                stack.callback(sink.close)
            write_matches(scan, sinks, by_time=by_time)
    except FileAccessError:
        raise
    except OSError as error:
        failed = (str(target) for target, output in zip(targets, outputs, strict=True) if output.failed)
        raise FileAccessError(next(failed, "the output"), error) from error
    return structs.replace(scan.outcome, not_written=tuple(reason for sink in sinks for reason in sink.left_out))


def _form(target: Target, name: str | None) -> Format:
    if name is not None:
        if name not in FORMATS:
            raise UsageError(f"there is no format {name!r}; there are: {', '.join(FORMATS)}")
        return FORMATS[name]
    if not isinstance(target, (str, os.PathLike)):
        raise UsageError(f"a stream has no ending that chooses a format; name one of: {', '.join(FORMATS)}")
    found = format_of(target)
    if found is None:
        endings = ", ".join(each.endings[0] for each in FORMATS.values())
        raise UsageError(f"{os.fspath(target)!r} has none of the endings {endings}; add one, or name the format")
    return found


def _opened(target: Target, stack: ExitStack) -> LineOutput:
    if isinstance(target, (str, os.PathLike)):
        with opening(target):
            file = stack.enter_context(open_output(Path(target)))
    elif callable(getattr(target, "write", None)):
        file = target
    else:
        raise WrongTypeError("the output", target, "a path, or a stream opened for writing bytes")
    output = LineOutput(file)
    stack.callback(output.close)
    return output
