"""`cloudsigma link`: adds the identity behind each session to matches that were written as they were found."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click

from cloudsigma.activity.issuers import collect_issues
from cloudsigma.activity.match_lines import MatchLinker, NoMatchError
from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.match_file import match_lines, open_matches
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import INPUT, OUTPUT_FILE
from cloudsigma.cli.progress import watching
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.escaping import printable
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import select
from cloudsigma.sessions import Sessions
from cloudsigma.sinks import LineOutput, open_output
from cloudsigma.sinks.overwrite_guard import check_apart, check_written

_SHOWN = 20
"""Lines that are no matches and that are named one by one."""


@click.command("link", cls=GroupedCommand)
@click.argument("matches", metavar="MATCHES", type=INPUT)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=INPUT)
@option("--output", "-o", metavar="FILE", type=OUTPUT_FILE, help="Write to FILE. Default: standard output.")
@option("--since", metavar="TIME", help="Only sessions of calls since: 2025-03-04, 2025-03-04T10:15 (UTC), 24h, 7d.")
@option("--until", metavar="TIME", help="Only events before that time; the same forms.")
@limit_options()
def command(
    matches: str, paths: tuple[str, ...], output: Path | None, since: str | None, until: str | None, limits: Limits
) -> int:
    """Add the identity behind each session to matches that are JSON lines.

    MATCHES is a file that `scan --format jsonl` wrote, or - (the standard input); PATH is as for `scan`. Of the logs,
    only the events that issue credentials are read. Each line is written again with its `session`.
    """
    if "-" in paths and matches == "-":
        raise click.UsageError("Standard input is the matches or the logs, not both.")
    written = {"--output": [output] if output is not None else []}
    with usage_errors():
        check_apart({**written, "MATCHES": [Path(matches)] if matches != "-" else []})
        check_written(paths, written)
        selection = select(since, until)
    sessions = Sessions()
    with ExitStack() as stack:
        source = open_matches(matches, stack)
        with watching() as watcher:
            ledger = collect_issues(paths, lambda issue: sessions.add_issues((issue,)), selection, limits, watcher)
        target = LineOutput(_target(output, stack))
        stack.callback(target.close)
        linker = MatchLinker(sessions)
        bad, first = _link(source, target, linker, limits)
    screen().tell(_summary(linker), problem=bool(linker.certainties["no record"]))
    for number in first:
        click.echo(f"NOT LINKED: line {number:,} of {printable(matches)} is not a match, or too long", err=True)
    if bad > len(first):
        click.echo(f"NOT LINKED: and {bad - len(first):,} more lines", err=True)
    screen().tell_ledger(ledger)
    lost = bool(bad) or bool(linker.certainties["no record"]) or not ledger.complete
    return exit_codes.combined(found=False, rules_left_out=False, input_lost=lost)


def _link(source: BinaryIO, target: LineOutput, linker: MatchLinker, limits: Limits) -> tuple[int, list[int]]:
    """Write all lines; gives the count of those that are not matches, and the numbers of the first of them.

    A line that is not a match is written unchanged; one that is too long is left out.
    """
    bad, first = 0, list[int]()

    def note(number: int) -> None:
        nonlocal bad
        bad += 1
        if len(first) < _SHOWN:
            first.append(number)

    for number, line in match_lines(source, limits):
        if line is None:
            note(number)
            continue
        try:
            target.write_line(linker.linked(line))
        except NoMatchError:
            note(number)
            target.write_line(line)
    return bad, first


def _target(path: Path | None, stack: ExitStack) -> BinaryIO:
    if path is None:
        sys.stdout.flush()
        return sys.stdout.buffer
    with writing(path):
        file = stack.enter_context(open_output(path))
        file.truncate(0)
    return file


def _summary(linker: MatchLinker) -> str:
    counts = linker.certainties
    told = ", ".join(
        f"{counts[name]:,} {name}" for name in ("certain", "probable", "ambiguous", "unknown") if counts[name]
    )
    total = sum(counts.values())
    text = f"{total:,} {'match' if total == 1 else 'matches'}{': ' if told else ''}{told}"
    if without := counts["no record"]:
        text += f"; {without:,} without a record, which cannot be linked (scan without --no-record)"
    return text
