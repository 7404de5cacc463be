"""`cloudsigma inventory`: groups, trust anchors, profiles and revocation lists, with their purposes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE, INPUT
from cloudsigma.cli.progress import watching
from cloudsigma.cli.reading_options import selection_options
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.errors import RegisterError
from cloudsigma.escaping import printable, printable_json
from cloudsigma.inventory import Deviation, Inventory, Register, State
from cloudsigma.inventory.account import Account, compare_with_account, read_account, read_account_files, with_causes
from cloudsigma.inventory.pages import sections, text_lines
from cloudsigma.inventory.register import weaknesses
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.scope.time_window import time_window
from cloudsigma.report import render_sections
from cloudsigma.sinks.made_at import made_at


@click.command("inventory", cls=GroupedCommand)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=INPUT)
@option("--at", metavar="TIME", help="Show the state at a time; default: after all events.")
@option("--register", "register_file", metavar="FILE", type=FILE, help="Compare with the purposes in FILE.")
@option("--live", is_flag=True, help="Compare with the account, by calls that only read; --region limits them.")
@option(
    "--live-file", "live_files", metavar="FILE", type=FILE, multiple=True,
    help="Compare with what AWS's command line printed of the account. Repeatable.",
)  # fmt: skip
@selection_options()
@limit_options()
@option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@option("--exit-zero", is_flag=True, help="Exit with 0 instead of 1 if there are deviations.")
def command(
    paths: tuple[str, ...],
    at: str | None,
    register_file: Path | None,
    live: bool,  # noqa: FBT001  # as click passes it
    live_files: tuple[Path, ...],
    selection: Selection,
    limits: Limits,
    form: str,
    exit_zero: bool,  # noqa: FBT001  # as above
) -> int:
    """Show the groups, trust anchors, profiles and revocation lists of a trail: who made and changed them, and when.

    PATH is as for `scan`. With --register, --live or --live-file, the exit code is 1 if there is something to look at:
    an object without a purpose, a change since the approval, a review that is due, something weak.
    """
    if not paths and not live and not live_files:
        raise click.UsageError("Name logs, or ask the account with --live.")
    if live and live_files:
        raise click.UsageError("--live and --live-file exclude each other.")
    with usage_errors():
        register = load_register(register_file)
        when = time_window(at, None).since if at is not None else None
        inventory, ledger = Inventory(), Ledger()
        if paths:
            with watching() as watcher:
                ledger = inventory.read(paths, selection, limits, watcher)
        state = inventory.state(when)
        account = (
            read_account(regions=sorted(selection.regions))
            if live
            else read_account_files(live_files)
            if live_files
            else None
        )
    shown, deviations = _compared(state, register, account, trail=bool(paths))
    unread = account.unread if account is not None else ()
    complete = ledger.complete and not unread
    if form == "json":
        made = {
            **shown.to_dict(),
            "deviations": [each.to_dict() for each in deviations],
            "complete": complete,
            "unread": list(unread),
        }
        click.echo(printable_json(json.dumps(made, indent=1)))
    elif form == "html":
        missing = "" if not unread else "; ".join(unread)
        page = render_sections("Inventory", sections(shown, deviations), ledger, missing=missing, made=made_at())
        click.echo(page, nl=False)
    else:
        for line in text_lines(shown, deviations):
            click.echo(printable(line))
    if paths:
        screen().tell_ledger(ledger)
    for each in unread:
        screen().tell(f"NOT READ: {each}", problem=True)
    compared = register is not None or account is not None
    return exit_codes.combined(
        found=compared and bool(deviations), rules_left_out=False, input_lost=not complete, exit_zero=exit_zero
    )


def load_register(file: Path | None) -> Register | None:
    """Read a register, and report its mistakes; raises `click.ClickException`."""
    if file is None:
        return None
    try:
        return Register.load(file)
    except RegisterError as error:
        for mistake in error.mistakes:
            click.echo(printable(str(mistake)), err=True)
        raise click.ClickException(f"{printable(str(file))} cannot be used.") from error


def _compared(
    state: State, register: Register | None, account: Account | None, *, trail: bool
) -> tuple[State, list[Deviation]]:
    """The state to show, and the deviations."""
    if account is None:
        return state, register.compare(state) if register is not None else weaknesses(state)
    shown = with_causes(account.state, state)
    deviations = register.compare(shown) if register is not None else weaknesses(shown)
    return shown, [*deviations, *(compare_with_account(state, account.state) if trail else ())]
