"""`cloudsigma scan`: files to matches."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click
from msgspec import structs

from cloudsigma.cli import exit_codes
from cloudsigma.cli.approvals_file import load_approvals
from cloudsigma.cli.checkpoint_options import LongWork, long_work_options
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.notifying import notify_sink, told_undelivered
from cloudsigma.cli.open_sinks import open_sinks
from cloudsigma.cli.option_groups import GroupedCommand
from cloudsigma.cli.output_options import OutputOptions, output_options
from cloudsigma.cli.path_types import INPUT
from cloudsigma.cli.progress import Bar, progress_bar
from cloudsigma.cli.queue_options import QueueChoice, queue_options
from cloudsigma.cli.reading_options import ReadingOptions, or_standard_input, reading_options
from cloudsigma.cli.reloading import ReloadReport, RuleFiles, reloading
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.scan_summary import summary_of
from cloudsigma.cli.screen import screen
from cloudsigma.cli.service_options import ServiceOptions, service_options
from cloudsigma.cli.stop_signals import stop_signals
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.errors import InputLostError
from cloudsigma.escaping import printable, printable_json
from cloudsigma.reading.account.ledger import Loss
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.scanning.approving import check_stream
from cloudsigma.scanning.config import ScanCallbacks, ScanConfig
from cloudsigma.scanning.malloc import keep_freed_memory
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks import Sink, write_matches
from cloudsigma.sinks.overwrite_guard import check_apart, check_spared, check_written
from cloudsigma.storage.atomic_file import check_writable, write_file

if TYPE_CHECKING:
    from cloudsigma.notifying.sink import NotifySink

_SHOWN = 20
"""Matches that a format cannot hold and that are named one by one."""


@click.command("scan", cls=GroupedCommand)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=INPUT)
@rule_options()
@reading_options()
@output_options()
@long_work_options()
@queue_options()
@service_options()
@limit_options()
def command(
    paths: tuple[str, ...],
    choice: Choice,
    reading: ReadingOptions,
    output: OutputOptions,
    work: LongWork,
    queue: QueueChoice,
    service: ServiceOptions,
    limits: Limits,
) -> int:
    """Find what matches in files of CloudTrail records.

    PATH is a log file (.json, .json.gz, JSON lines), a folder of them, a pattern, s3://BUCKET/PREFIX, a queue of
    notifications (sqs://NAME), or - (the standard input). Matches go to standard output or FILE; what was read, and
    what was not and why, to standard error.
    """
    paths = or_standard_input(paths)
    work.check(paths, output)
    queue.check(paths)
    service.check(follow=work.follow)
    written = {"--output": output.outputs, "--ledger": output.ledger_files, "--checkpoint": work.files,
        "--dead": [queue.dead] if queue.dead is not None else [],
    }  # fmt: skip
    with usage_errors():
        check_apart(written)
        check_written(paths, written)
        check_spared(
            [*choice.files, *(file for file in (output.approvals, output.notify) if file is not None)], written
        )
        selection = reading.selection()
    _check_ledger(output)
    keep_freed_memory()
    with stop_signals() as signals, ExitStack() as stack, progress_bar(wanted=not work.follow) as bar:
        files = RuleFiles(choice, output.approvals, linked=output.sort == "time") if work.follow else None
        state = files.state() if files is not None else None
        rules = choice.load()
        approvals = load_approvals(output.approvals, choice) if output.approvals is not None else None
        sinks: list[Sink] = []
        notifying: NotifySink | None = None
        with usage_errors():
            monitor = stack.enter_context(service.monitor())
        reloader = None
        if files is not None:
            files.note_errors(rules)
            reloader = stack.enter_context(reloading(files, state))

        def flush() -> None:
            for sink in sinks:
                sink.flush()

        with usage_errors():
            checkpoint = work.open_checkpoint(paths, rules, selection.window, output.outputs)
            if checkpoint is not None:
                stack.callback(checkpoint.close)
            terminal = sys.stdout is not None and sys.stdout.isatty()
            by_time = output.by_time(resumable=checkpoint is not None or work.follow, terminal=terminal)
            if not by_time:
                check_stream(approvals, linked=False)
            config = ScanConfig(
                sessions=by_time, dedup=not output.no_dedup, jobs=reading.jobs, selection=selection, limits=limits,
                coverage=reading.coverage, strict=reading.strict, named_files=reading.named_files,
                exclude=tuple(str(file) for files in written.values() for file in files),
                follow=work.following(paths, signals.stopping, queue, reloader, monitor),
                filter_counts=output.filter_counts, approvals=approvals,
            )  # fmt: skip
            callbacks = ScanCallbacks(
                watcher=bar.watcher if bar is not None else None,
                on_loss=_report_loss if work.follow else None,
                on_idle=flush,
                on_reload=ReloadReport(rules).tell if work.follow else None,
            )
            scan = Scan(paths, rules, config, callbacks=callbacks, checkpoint=checkpoint)
        account = _Account(scan, sinks, output, bar)
        try:
            with usage_errors(), open_sinks(output, checkpoint, before=bar.hide if bar is not None else None) as opened:
                sinks += opened
                if output.notify is not None:
                    notifying = notify_sink(output.notify, work, durable=checkpoint is not None)
                    stack.callback(notifying.close)
                    sinks.append(notifying)
                work.announce(checkpoint, rules)
                signals.patient = work.follow
                write_matches(scan, sinks, by_time=by_time)
        except InputLostError as error:
            account.tell(f"stopped at the first loss: {error} Until then:")
            return exit_codes.INPUT_LOST
        except KeyboardInterrupt:
            account.tell("interrupted; until then:")
            return signals.exit_code
        except click.ClickException:
            if scan.ledger.files:
                account.tell("stopped; until then:")
            raise
        if work.follow and not (queue.once and not signals.stopping.is_set()):
            account.tell("stopped; until then:")
            return signals.exit_code
    account.tell()
    if notifying is not None and told_undelivered(notifying):
        return exit_codes.NOT_DONE
    return exit_codes.combined(
        found=bool(scan.outcome.unapproved),
        rules_left_out=bool(rules.errors),
        input_lost=not account.outcome.complete,
        exit_zero=output.exit_zero,
    )


def _report_loss(loss: Loss) -> None:
    click.echo(printable(f"NOT READ: {loss}"), err=True)


class _Account:
    """Reports what a scan found and read: on standard error, and in the file of `--ledger`."""

    def __init__(self, scan: Scan, sinks: Sequence[Sink], output: OutputOptions, bar: Bar | None) -> None:
        self._bar = bar
        self._scan = scan
        self._sinks = sinks
        self._ledger = output.ledger

    @property
    def outcome(self) -> ScanOutcome:
        """The outcome, with the matches that the outputs cannot hold."""
        left_out = tuple(reason for sink in self._sinks for reason in sink.left_out)
        return structs.replace(self._scan.outcome, not_written=left_out)

    def tell(self, opening: str | None = None) -> None:
        if self._bar is not None:
            self._bar.close()
        scan, outcome = self._scan, self.outcome
        text = summary_of(outcome, scan.rules, opening=opening, reads_named_files=scan.config.named_files)
        screen().tell(text, problem=opening is not None or not outcome.complete)
        for reason in outcome.not_written[:_SHOWN]:
            click.echo(printable(f"NOT WRITTEN: {reason}"), err=True)
        if len(outcome.not_written) > _SHOWN:
            click.echo(f"NOT WRITTEN: and {len(outcome.not_written) - _SHOWN:,} more", err=True)
        if self._ledger is None:
            return
        form = printable_json(json.dumps(outcome.to_dict(), indent=1)) + "\n"
        if self._ledger == "-":
            click.echo(form, nl=False)
        else:
            with writing(self._ledger):
                write_file(self._ledger, form.encode())


def _check_ledger(output: OutputOptions) -> None:
    """Refuse a ledger that could not be written, before anything is read."""
    if output.ledger == "-" and not output.outputs:
        raise click.UsageError("--ledger - needs --output FILE: the matches go to standard output.")
    for file in output.ledger_files:
        with writing(file):
            check_writable(file)
