"""Where the matches of a command go: standard output or a file, in the form that was asked for."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import click

from cloudsigma.escaping import printable
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.sinks import IdSink, JsonLinesSink, LineOutput, Sink, TableSink, open_output


@contextmanager
def matches_to(
    path: Path | None,
    form: str | None,
    *,
    record: bool,
    checkpoint: Checkpoint | None = None,
    before: Callable[[], None] | None = None,
) -> Iterator[Sink]:
    """A sink for matches; what it was given is written when it is left, however that is.

    Args:
        path: A file; `None` stands for standard output.
        form: `table`, `jsonl` or `ids`; `None` chooses.
        record: Whether JSON lines have the records.
        checkpoint: What the file belongs to: it is gone on with, not begun anew.
        before: Called before anything is written to a terminal.

    Raises:
        click.ClickException: The output cannot be written. A file holds whole lines all the same.
        BrokenPipeError: Nobody reads it any more.
    """
    output: LineOutput | None = None
    try:
        with _opened(path, keep=checkpoint is not None) as file:
            output = LineOutput(file, before=before if path is None and file.isatty() else None)
            try:
                if checkpoint is not None:
                    checkpoint.attach(output)
                with _sink(form, output, record=record, terminal=path is None and output.isatty()) as sink:
                    yield sink
            finally:
                output.close()
    except BrokenPipeError:
        raise
    except OSError as error:
        if output is not None and not output.failed:
            raise click.ClickException(f"the scan cannot go on ({error.strerror or error}).") from error
        name = printable(str(path)) if path is not None else "standard output"
        lines = output.lines if output is not None else 0
        held = f"; {lines:,} whole {'line was' if lines == 1 else 'lines were'} written before" if lines else ""
        raise click.ClickException(f"{name} cannot be written ({error.strerror or error}){held}.") from error


@contextmanager
def _opened(path: Path | None, *, keep: bool) -> Iterator[BinaryIO]:
    if path is not None:
        with open_output(path, keep=keep) as file:
            yield file
        return
    if sys.stdout is None:  # closed by whoever started us
        raise OSError("it is closed")
    sys.stdout.flush()
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, AttributeError):  # a stream in memory, as click's own test runner has it
        yield cast("BinaryIO", getattr(sys.stdout, "buffer", io.BytesIO()))
        return
    with open(descriptor, "wb", buffering=0, closefd=False) as file:
        yield cast("BinaryIO", file)


def _sink(form: str | None, output: LineOutput, *, record: bool, terminal: bool) -> Sink:
    match form or ("table" if terminal else "jsonl"):
        case "table":
            return TableSink(output, terminal=terminal)
        case "ids":
            return IdSink(output)
        case _:
            return JsonLinesSink(output, record=record, terminal=terminal)
