"""`cloudsigma summary`: a trail in numbers."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from typing import Any

import click

from cloudsigma.activity import count_field, summarize
from cloudsigma.activity.summary import FIELDS, UNKNOWN
from cloudsigma.cli import exit_codes
from cloudsigma.cli.activity_text import counts_text, screen_width, summary_text
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import INPUT
from cloudsigma.cli.progress import watching
from cloudsigma.cli.reading_options import or_standard_input, selection_options
from cloudsigma.cli.screen import screen
from cloudsigma.escaping import printable, printable_json
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection

_FIELD = re.compile(r"\w[\w-]*(\.[\w-]+)?")


def _field(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _FIELD.fullmatch(value):
        raise click.BadParameter(
            f"{printable(value)!r} is not a field of records (eventName) or a member of one (userIdentity.type)."
        )
    return value


@click.command("summary", cls=GroupedCommand)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=INPUT)
@selection_options()
@limit_options()
@option("--by", metavar="FIELD", callback=_field, help="Count only the values of this field: eventName, userAgent.")
@option(
    "--top",
    metavar="N",
    type=click.IntRange(1, 100_000),
    default=10,
    show_default=True,
    help="How many principals and values to show; the others are counted.",
)
@option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(paths: tuple[str, ...], selection: Selection, limits: Limits, by: str | None, top: int, form: str) -> int:
    """Count the events of a trail: by day, principal, address, region, service, call and error.

    PATH is as for `scan`. No rule is needed: all events count, and sessions of a role count for the role.
    """
    paths = or_standard_input(paths)
    if by is not None:
        with watching() as watcher:
            counts, ledger = count_field(by, paths, selection=selection, limits=limits, watcher=watcher)
        _print(_counts_form(by, counts, top), counts_text(by, counts, top), ledger, form)
        _hint(by, counts)
    else:
        with watching() as watcher:
            summary, ledger = summarize(*paths, selection=selection, limits=limits, watcher=watcher)
        _print(summary.to_dict(top), summary_text(summary, top, screen_width()), ledger, form)
    return exit_codes.combined(found=False, rules_left_out=False, input_lost=not ledger.complete)


def _counts_form(by: str, counts: Counter[str], top: int) -> dict[str, Any]:
    return {"field": by, "events": counts.total(), "distinct": len(counts), "top": dict(counts.most_common(top))}


def _print(made: dict[str, Any], text: str, ledger: Ledger, form: str) -> None:
    """Print the counts, and on standard error the account of the reading."""
    if form == "json":
        text = printable_json(json.dumps({"complete": ledger.complete, **made}, indent=1))
    click.echo(text)
    screen().tell_ledger(ledger)


def _hint(by: str, counts: Counter[str]) -> None:
    """Report that a field has no values: its name may be misspelt."""
    if counts and set(counts) == {UNKNOWN}:
        near = difflib.get_close_matches(by, FIELDS, n=1)
        hint = f"; did you mean {near[0]}?" if near and near[0] != by else ""
        click.echo(f"no event holds a text in {printable(by)}{hint}", err=True)
