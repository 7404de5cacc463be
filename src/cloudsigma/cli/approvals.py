"""`cloudsigma approvals`: check a file of approvals, draft an entry for matches, import changes as drafts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.approvals_file import load_approvals
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE, INPUT
from cloudsigma.cli.reading_options import selection_options
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable, printable_json, printable_lines
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.scope.time_window import time_window
from cloudsigma.scanning.config import ScanConfig
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks.made_at import made_at

if TYPE_CHECKING:
    from cloudsigma.approvals.check import Finding

_LARGEST = 64 << 20
"""Most bytes of an export of changes."""


@click.group("approvals")
def command() -> None:
    """Check a file of approvals, draft an entry for matches, import changes as drafts."""


@command.command("check", cls=GroupedCommand)
@click.argument("file", type=FILE)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=INPUT)
@option("--at", "moment", metavar="TIME", help="The time at which approvals are expired or due. Default: now.")
@option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@rule_options()
@selection_options()
@limit_options()
def check_command(
    file: Path,
    paths: tuple[str, ...],
    moment: str | None,
    form: str,
    choice: Choice,
    selection: Selection,
    limits: Limits,
) -> int:
    """Report what is wrong or out of date in FILE.

    With PATH, as for `scan`, the matches of the logs are decided, too: which approvals were not used, and which changes
    go on after their approval ended.
    """
    from cloudsigma.approvals.check import check

    at = _moment(moment)
    approvals = load_approvals(file, choice)
    uses = coverage = None
    complete, bad_rules = True, False
    if paths:
        rules = choice.load()
        config = ScanConfig(sessions=True, coverage=True, selection=selection, limits=limits, approvals=approvals)
        scan = Scan(paths, rules, config)
        for _ in scan.by_time():
            pass
        outcome = scan.outcome
        complete, bad_rules, coverage = outcome.complete, bool(rules.errors), outcome.ledger.coverage
        uses = {use.id: use for use in outcome.approvals.uses} if outcome.approvals is not None else {}
        _tell(outcome.ledger)
    findings = check(approvals, at, uses, coverage)
    _print(findings, file, form, len(approvals))
    found = any(not finding.is_note for finding in findings)
    return exit_codes.combined(found=found, rules_left_out=bad_rules, input_lost=not complete)


def _moment(text: str | None) -> dt.datetime:
    if text is None:
        return made_at()
    with usage_errors("--at"):
        found = time_window(text, None).since
    return found if found is not None else made_at()


def _print(findings: Iterable[Finding], file: Path, form: str, count: int) -> None:
    if form == "json":
        click.echo(printable_json(json.dumps({"findings": [finding.to_dict() for finding in findings]}, indent=1)))
        return
    for finding in findings:
        severity = "note" if finding.is_note else "warning"
        where = f"{file}:{finding.line}" if finding.line is not None else str(file)
        click.echo(printable(f"{where}: {severity}: {finding.approval}: {finding.message} [{finding.kind}]"))
    screen().tell(f"{count:,} {'approval' if count == 1 else 'approvals'}")


def _tell(ledger: Ledger) -> None:
    for loss in ledger.losses:
        click.echo(printable(f"NOT READ: {loss}"), err=True)


@command.command("draft", cls=GroupedCommand)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=INPUT)
@option("--key", "keys", metavar="KEY", multiple=True, help="A match: its key or event ID. Repeatable. Default: all.")
@option("--approvals", metavar="FILE", type=FILE, help="Leave out the matches that this file approves.")
@option("--id", "id_", metavar="ID", default="CHG-DRAFT", show_default=True, help="The ID of the approval.")
@option("--ticket", metavar="URL", help="Its ticket.")
@option("--owner", metavar="NAME", help="The team or person that owns it.")
@option("--reason", metavar="TEXT", help="Why it is made.")
@rule_options()
@selection_options()
@limit_options()
def draft_command(
    paths: tuple[str, ...],
    keys: tuple[str, ...],
    approvals: Path | None,
    id_: str,
    ticket: str | None,
    owner: str | None,
    reason: str | None,
    choice: Choice,
    selection: Selection,
    limits: Limits,
) -> int:
    """Write the narrowest approval for matches to standard output, as a draft.

    PATH is as for `scan`. A draft covers nothing until its line `draft: true` is removed.
    """
    from cloudsigma.approvals.draft import draft
    from cloudsigma.approvals.yaml_lines import file_text

    rules = choice.load()
    approver = load_approvals(approvals, choice) if approvals is not None else None
    scan = Scan(paths, rules, ScanConfig(sessions=True, selection=selection, limits=limits, approvals=approver))
    chosen = [match for match in scan.by_time() if _is_chosen(match, keys)]
    _tell(scan.ledger)
    known = {key for match in chosen for key in (match.key, match.context.event_id)}
    if missing := [key for key in keys if key not in known]:
        raise click.ClickException(
            f"no match that is not approved has the key or event ID {printable(missing[0])}; "
            "`cloudsigma scan --format jsonl` shows the keys."
        )
    if not chosen:
        raise click.ClickException("there is no match to approve.")
    with usage_errors():
        text = file_text([draft(chosen, id_, ticket=ticket, owner=owner, reason=reason)])
    click.echo(printable_lines(text), nl=False)
    screen().tell(f"1 draft for {len(chosen):,} {'match' if len(chosen) == 1 else 'matches'}")
    return exit_codes.combined(found=False, rules_left_out=bool(rules.errors), input_lost=not scan.outcome.complete)


def _is_chosen(match: Match, keys: tuple[str, ...]) -> bool:
    if match.approval is not None and match.approval.approved:
        return False
    return not keys or match.key in keys or match.context.event_id in keys


@command.command("import", cls=GroupedCommand)
@option("--servicenow", metavar="FILE", type=FILE, required=True, help="An export of change requests: CSV or JSON.")
@option("--zone", metavar="ZONE", required=True, help="Zone of times without one: Europe/Berlin, UTC, +01:00.")
def import_command(servicenow: Path, zone: str) -> int:
    """Write approved changes as drafts to standard output; they cover nothing until they are completed by hand."""
    from cloudsigma.approvals.servicenow import import_changes, read_zone
    from cloudsigma.approvals.yaml_lines import file_text

    try:
        with servicenow.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise click.ClickException(f"{printable(str(servicenow))} cannot be read ({error.strerror}).") from error
    if len(data) > _LARGEST:
        raise click.ClickException(f"{printable(str(servicenow))} is larger than {_LARGEST:,} bytes: export less.")
    with usage_errors():
        made = import_changes(data, read_zone(zone))
    click.echo(printable_lines(file_text(made.entries)), nl=False)
    for note in made.notes:
        click.echo(printable(f"note: {note}"), err=True)
    for reason in made.left_out:
        click.echo(printable(f"NOT IMPORTED: {reason}"), err=True)
    count = len(made.entries)
    screen().tell(f"{count:,} {'draft' if count == 1 else 'drafts'}, {len(made.left_out):,} left out")
    return exit_codes.DONE
