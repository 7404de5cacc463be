"""`cloudsigma scan`: files to matches."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import click
from msgspec import structs

from cloudsigma.cli import exit_codes
from cloudsigma.cli.checkpoint_options import LongWork, long_work_options
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.open_sink import matches_to
from cloudsigma.cli.overwrite_guard import check_written
from cloudsigma.cli.progress import progress_bar
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.stop_signals import stop_signals
from cloudsigma.errors import InputLostError, UsageError
from cloudsigma.escaping import printable, printable_json, printable_lines
from cloudsigma.reading.account.ledger import Loss
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import select
from cloudsigma.scanning.malloc import keep_freed_memory
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks import JsonLinesSink


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
    "--named-files",
    is_flag=True,
    help="Read the files in S3 that notifications of SNS, SQS, S3 and CloudTrail name, too.",
)
@click.option(
    "--jobs", "-j", metavar="N", type=click.IntRange(min=1),
    help="Processes that read files. Default: one for each core, where there is enough to read.",
)  # fmt: skip
@click.option(
    "--coverage",
    is_flag=True,
    help="Count all records by account, region and hour; name the gaps and the rules that could not match.",
)
@click.option("--ledger", metavar="FILE", help="Write what was read to FILE as JSON (- is standard output).")
@limit_options
@long_work_options
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
    named_files: bool,  # noqa: FBT001  # as above
    jobs: int | None,
    coverage: bool,  # noqa: FBT001  # as above
    ledger: str | None,
    limits: Limits,
    work: LongWork,
    exit_zero: bool,  # noqa: FBT001  # as above
    **choice: Any,
) -> int:
    """Find what matches in files of CloudTrail records.

    PATH is a log file (.json, .json.gz, JSON lines), a folder of them, a pattern, s3://BUCKET/PREFIX, or - (the
    standard input). Matches go to standard output or FILE; what was read, and what was not and why, to standard error.
    """
    if not paths:
        if sys.stdin.isatty():
            raise click.UsageError("Name a file or folder, or - for standard input.")
        paths = ("-",)
    work.check(paths, form, output)
    check_written(paths, {"--output": output, "--ledger": None if ledger == "-" else ledger})
    with _usage():
        selection = select(since, until, accounts, regions)
    _check_ledger(ledger, output)
    keep_freed_memory()
    with stop_signals() as signals, ExitStack() as stack, progress_bar(wanted=not work.follow) as bar:
        rules = Choice(**choice).load()
        with _usage():
            checkpoint = work.open_checkpoint(paths, rules, selection.window, output)
            if checkpoint is not None:
                stack.callback(checkpoint.close)
                selection = structs.replace(selection, window=checkpoint.window)
            found = Scan(
                paths, rules, dedup=not no_dedup, jobs=jobs, progress=bar.advance if bar is not None else None,
                selection=selection, limits=limits, coverage=coverage, strict=work.strict, checkpoint=checkpoint,
                follow=work.following(paths, signals.stopping), settled=lambda: sink.flush(),  # noqa: PLW0108  # it is made below
                tell=_tell if work.follow else None, own=[*work.own_files(output), *filter(None, [ledger])],
                named_files=named_files,
            )  # fmt: skip
        try:
            with (
                _usage(),
                matches_to(
                    output, form, record=not no_record, checkpoint=checkpoint,
                    before=bar.hide if bar is not None else None,
                ) as sink,
            ):  # fmt: skip
                work.announce(checkpoint)
                signals.patient = work.follow
                if isinstance(sink, JsonLinesSink):
                    for line in found.lines(record=not no_record):
                        sink.write_line(line)
                else:
                    for match in found:
                        sink.write(match)
        except InputLostError as error:
            _account(found, f"stopped at the first loss: {error} Until then:", ledger=ledger)
            return exit_codes.INPUT_LOST
        except KeyboardInterrupt:
            _account(found, "interrupted; until then:", ledger=ledger)
            return signals.exit_code
        except click.ClickException:
            if found.ledger.files:
                _account(found, "stopped; until then:", ledger=ledger)
            raise
        if work.follow:
            _account(found, "stopped; until then:", ledger=ledger)
            return signals.exit_code
    _account(found, ledger=ledger)
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


def _tell(loss: Loss) -> None:
    """Tell of a loss as it comes."""
    click.echo(printable(f"NOT READ: {loss}"), err=True)


def _account(found: Scan, opening: str | None = None, *, ledger: str | None = None) -> None:
    """Tell on standard error what was found and what was read, and write it to the file that was asked for."""
    lines = [opening] if opening else []
    total = sum(found.counts.values())
    lines.append(
        f"{total} {'match' if total == 1 else 'matches'}"
        + (f" ({found.repeated} repeated left out)" if found.repeated else "")
    )
    lines += [f"  {found.counts[rule.id]:>6}  {printable(rule.title)}" for rule in found.rules if found.counts[rule.id]]
    sources = [rule.logsource for rule in found.rules if rule.logsource is not None]
    if never := sum(not source.covers(found.rules.declared) for source in sources):
        lines.append(f"of {len(found.rules):,} rules {never:,} were never applied: other log source")
    lines.append(str(found.ledger))
    if found.ledger.named_files and not found.named_files:
        lines.append("files that messages name are read with --named-files")
    if found.read_again:
        lines.append(f"read again, since they had changed: {found.read_again:,}")
    click.echo(printable_lines("\n".join(lines)), err=True)
    if ledger is not None:
        _write_ledger(ledger, "w", printable_json(json.dumps(found.to_dict(), indent=1)) + "\n")


def _check_ledger(path: str | None, output: Path | None) -> None:
    """Refuse what could not be written, before anything is read."""
    if path is None:
        return
    if path == "-":
        if output is None:
            raise click.UsageError("--ledger - needs --output FILE: the matches go to standard output.")
        return
    _write_ledger(path, "a", "")


def _write_ledger(path: str, mode: Literal["a", "w"], text: str) -> None:
    if path == "-":
        click.echo(text, nl=False)
        return
    try:
        with Path(path).open(mode, encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"{printable(path)} cannot be written ({reason}).") from error
