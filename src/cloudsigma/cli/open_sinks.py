"""The outputs of a scan: files or standard output, each with the sink of its format."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import click

from cloudsigma.cli.output_options import OutputOptions
from cloudsigma.cli.screen import screen
from cloudsigma.escaping import printable
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.sinks import LineOutput, Sink, SinkOptions, open_output


@contextmanager
def open_sinks(
    options: OutputOptions, checkpoint: Checkpoint | None = None, *, before: Callable[[], None] | None = None
) -> Iterator[list[Sink]]:
    """The sinks of a scan; they are flushed when the context ends, also by an exception.

    All files are opened before any is truncated; with a checkpoint, it is the scan that truncates them.

    Args:
        options: The outputs and their formats.
        checkpoint: The checkpoint that the outputs belong to.
        before: Called before anything is written to a terminal.

    Raises:
        click.ClickException: An output cannot be written. A file still ends with a whole line.
        BrokenPipeError: The reader of the output has gone.
    """
    opened: list[tuple[Path | None, LineOutput]] = []
    name: Path | None = None
    try:
        with ExitStack() as stack:
            for name in options.outputs or (None,):
                file = stack.enter_context(_opened(name, keep=checkpoint is not None))
                terminal = name is None and file.isatty()
                encoding = getattr(sys.stdout, "encoding", None) if name is None else None
                output = LineOutput(file, before=before if terminal else None, encoding=encoding)
                opened.append((name, output))
                stack.callback(output.close)
            if checkpoint is not None:
                checkpoint.attach([output for _, output in opened])
            else:
                for path, output in opened:
                    if path is not None and output.is_regular:
                        output.cut_back(0)
            sinks = [_sink(path, output, options) for path, output in opened]
            for sink in sinks:
                stack.callback(sink.close)
            yield sinks
    except BrokenPipeError:
        raise
    except OSError as error:
        _raise_unwritable(error, name if len(opened) < max(1, len(options.outputs)) else None, opened)


def _raise_unwritable(error: OSError, name: Path | None, opened: list[tuple[Path | None, LineOutput]]) -> None:
    reason = error.strerror or error
    failed = [(path, output) for path, output in opened if output.failed]
    if not failed and name is None and opened:
        raise click.ClickException(f"the scan cannot go on ({reason}).") from error
    path, output = failed[0] if failed else (name, None)
    shown = printable(str(path)) if path is not None else "standard output"
    lines = output.lines if output is not None else 0
    held = f"; {lines:,} whole {'line was' if lines == 1 else 'lines were'} written before" if lines else ""
    raise click.ClickException(f"{shown} cannot be written ({reason}){held}.") from error


@contextmanager
def _opened(path: Path | None, *, keep: bool) -> Iterator[BinaryIO]:
    if path is not None:
        with open_output(path, keep=keep) as file:
            yield file
        return
    if sys.stdout is None:
        raise OSError("it is closed")
    sys.stdout.flush()
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, AttributeError):  # a stream in memory, such as that of click's test runner
        yield cast("BinaryIO", getattr(sys.stdout, "buffer", io.BytesIO()))
        return
    with open(descriptor, "wb", buffering=0, closefd=False) as file:
        yield cast("BinaryIO", file)


def _sink(path: Path | None, output: LineOutput, options: OutputOptions) -> Sink:
    terminal = path is None and output.isatty()
    form = options.format_for(path, terminal=terminal)
    return form.make(
        output,
        SinkOptions(
            record=not options.no_record,
            terminal=terminal,
            color=screen().color if path is None else None,
            wide=options.wide,
            raw=options.csv_raw,
            show_approved=options.show_approved,
            matches_file=options.matches_file(),
        ),
    )
