"""`cloudsigma who`: one identity or address, and everything that it did."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from cloudsigma.activity.target import parse_target
from cloudsigma.activity.who import RulesOf, who
from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import INPUT
from cloudsigma.cli.progress import watching
from cloudsigma.cli.reading_options import selection_options
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.who_text import who_text
from cloudsigma.errors import UsageError
from cloudsigma.escaping import printable, printable_json
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.scope.time_window import time_window
from cloudsigma.report import render_sections
from cloudsigma.report.activity_page import who_sections
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.sinks.made_at import made_at


@click.command("who", cls=GroupedCommand)
@click.argument("x", metavar="X")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=INPUT)
@rule_options()
@selection_options()
@limit_options()
@option("--baseline", metavar="TIME|PATH", help="Tell what is new since a time, or not in the logs at a path.")
@option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
def command(
    x: str,
    paths: tuple[str, ...],
    choice: Choice,
    selection: Selection,
    limits: Limits,
    baseline: str | None,
    form: str,
) -> int:
    """Show who X is, what X did, from where, and through which sessions.

    X is an ARN, the name of a user, role or session, an access key ID, an address, or the ID of a user in Identity
    Center. PATH is as for `scan`; it is read twice. Sessions issued to X are included, and
    so are those issued to them.
    """
    if "-" in paths or baseline == "-":
        raise click.UsageError("The logs are read twice, which standard input cannot be: name a file or folder.")
    with usage_errors():
        target = parse_target(x)
    known = _baseline(baseline)
    rules = choice.load()
    with watching() as watcher:
        found = who(target, paths, selection=selection, limits=limits, rules_of=rules_of(rules), watcher=watcher)
    complete = found.complete
    new = None
    if isinstance(known, str):
        with watching() as watcher:
            before = who(target, [known], limits=limits, watcher=watcher)
        complete = complete and before.complete
        new = found.inquiry.new_since(before.inquiry)
        for loss in (*before.ledger.losses, *before.missed):
            click.echo(printable(f"NOT READ, of the baseline: {loss}"), err=True)
    elif known is not None:
        new = found.inquiry.new_since(known)
    if form == "json":
        made: dict[str, Any] = {
            "target": {"text": target.text, "kind": target.kind},
            "complete": complete,
            "issued": found.issued,
            **found.inquiry.to_dict(),
            "new": {kind: tally.to_dict() for kind, tally in new.items()} if new is not None else None,
        }
        click.echo(printable_json(json.dumps(made, indent=1)))
    elif form == "html":
        missing = "" if complete else "something could not be read, or not all sessions were followed"
        sections = who_sections(found.inquiry, found.issued, new)
        title = f"Who is {target.text}"
        click.echo(render_sections(title, sections, found.ledger, missing=missing, made=made_at()), nl=False)
    else:
        click.echo(who_text(target, found, new))
    screen().tell_ledger(found.ledger)
    for loss in found.missed:
        click.echo(printable(f"NOT READ, of the hours before: {loss}"), err=True)
    if found.not_followed:
        click.echo(f"NOT FOLLOWED: {found.not_followed:,} sessions", err=True)
    return exit_codes.combined(found=False, rules_left_out=bool(rules.errors), input_lost=not complete)


def _baseline(value: str | None) -> dt.datetime | str | None:
    """The baseline: a time or a path."""
    if value is None or "://" in value or Path(value).exists():
        return value
    try:
        return time_window(value, None).since
    except UsageError as error:
        raise click.UsageError(
            f"--baseline: there is no file or folder {printable(value)!r}, and it is no time: {printable(str(error))}"
        ) from error


def rules_of(rules: RuleSet) -> RulesOf:
    """Level and title of the rules that match a record; those that only correlations show are left out."""
    by_id = {rule.id: (rule.level, rule.title) for rule in rules if rule.id not in rules.hidden}

    def matching(record: Mapping[str, Any]) -> Iterable[tuple[str | None, str]]:
        return [by_id[rule_id] for rule_id in rules.verdicts(record) if rule_id in by_id]

    return matching
