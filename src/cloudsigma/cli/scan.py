"""`cloudsigma scan`: files to matches."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.progress import progress_bar
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.errors import UsageError
from cloudsigma.memory import keep_freed_memory
from cloudsigma.printable import printable
from cloudsigma.reading.selection import select
from cloudsigma.scanner import Scan
from cloudsigma.sinks import IdSink, JsonLinesSink, Sink, TableSink


@click.command("scan")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path())
@rule_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl", "ids"]),
    help="Default: table on a terminal, jsonl elsewhere.",
)
@click.option("--no-record", is_flag=True, help="Leave the records out of jsonl.")
@click.option("--no-dedup", is_flag=True, help="Give every match, also of an event that is delivered twice.")
@click.option("--output", "-o", metavar="FILE", type=click.Path(path_type=Path), help="Write matches to FILE.")
@click.option(
    "--since", metavar="TIME", help="Only events since: 2025-03-04, 2025-03-04T10:15 (UTC), 90m, 24h, 7d, 2w."
)
@click.option("--until", metavar="TIME", help="Only events before that time; the same forms.")
@click.option("--account", "accounts", metavar="ID", multiple=True, help="Only events of this account. Repeatable.")
@click.option("--region", "regions", metavar="NAME", multiple=True, help="Only events of this region. Repeatable.")
@click.option(
    "--jobs", "-j", metavar="N", type=click.IntRange(min=1),
    help="Processes that read files. Default: one for each core, where there is enough to read.",
)  # fmt: skip
@click.option("--exit-zero", is_flag=True, help="Exit with 0 where matches were found, instead of 1.")
def command(
    paths: tuple[str, ...],
    form: str | None,
    no_record: bool,  # noqa: FBT001  # click passes options by name
    no_dedup: bool,  # noqa: FBT001  # as above
    output: Path | None,
    since: str | None,
    until: str | None,
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    jobs: int | None,
    exit_zero: bool,  # noqa: FBT001  # as above
    **choice: Any,
) -> int:
    """Find what matches in files of CloudTrail records.

    PATH is a log file (.json, .json.gz, JSON lines), a folder of them, s3://BUCKET/PREFIX, or - for standard input.
    Matches go to standard output or FILE; what was read, and what was not and why, to standard error.
    """
    if not paths:
        if sys.stdin.isatty():
            raise click.UsageError("Name a file or folder, or - for standard input.")
        paths = ("-",)
    with _usage():
        selection = select(since, until, accounts, regions)
    keep_freed_memory()
    rules = Choice(**choice).load()
    with progress_bar() as progress:
        with _usage():
            found = Scan(paths, rules, dedup=not no_dedup, jobs=jobs, progress=progress, selection=selection)
        try:
            with (
                _output(output) as stream,
                _sink(form, stream, record=not no_record, to_file=output is not None) as sink,
            ):
                if isinstance(sink, JsonLinesSink):
                    for line in found.lines(record=not no_record):
                        sink.write_line(line)
                else:
                    for match in found:
                        sink.write(match)
        except KeyboardInterrupt:
            _account(found, "interrupted; until then:")
            return exit_codes.INTERRUPTED
    _account(found)
    return exit_codes.combined(
        found=bool(found.counts),
        rules_left_out=bool(rules.errors),
        input_lost=not found.ledger.complete,
        exit_zero=exit_zero,
    )


@contextmanager
def _usage() -> Iterator[None]:
    """What makes no sense is wrong usage of the command, too."""
    try:
        yield
    except UsageError as error:
        raise click.UsageError(printable(str(error))) from error


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """The stream of the matches: UTF-8, whatever the terminal says, and no character is ever refused."""
    if path is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"{printable(str(path))} cannot be written ({reason}).") from error


def _sink(form: str | None, stream: TextIO, *, record: bool, to_file: bool) -> Sink:
    terminal = not to_file and stream.isatty()
    match form or ("table" if terminal else "jsonl"):
        case "table":
            return TableSink(stream, terminal=terminal)
        case "ids":
            return IdSink(stream)
        case _:
            return JsonLinesSink(stream, record=record)


def _account(found: Scan, opening: str | None = None) -> None:
    """Tell on standard error what was found and what was read."""
    lines = [opening] if opening else []
    total = sum(found.counts.values())
    lines.append(
        f"{total} {'match' if total == 1 else 'matches'}"
        + (f" ({found.repeated} repeated left out)" if found.repeated else "")
    )
    lines += [f"  {found.counts[rule.id]:>6}  {rule.title}" for rule in found.rules if found.counts[rule.id]]
    lines.append(str(found.ledger))
    click.echo("\n".join(printable(line) for text in lines for line in text.splitlines()), err=True)
