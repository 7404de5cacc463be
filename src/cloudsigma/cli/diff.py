"""`cloudsigma diff`: on which records two versions of rules differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE, INPUT
from cloudsigma.cli.progress import watching
from cloudsigma.cli.reading_options import selection_options
from cloudsigma.cli.rule_options import printable_error
from cloudsigma.cli.screen import screen
from cloudsigma.cli.side_text import side_lines
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.comparing import Comparison, RuleDifference, compare_rules
from cloudsigma.compiler import compile_rules
from cloudsigma.engine.json_form import json_ready
from cloudsigma.escaping import printable, printable_json
from cloudsigma.reading.account.coverage import counted
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.rulesets.rule_set import RuleSet


@click.command("diff", cls=GroupedCommand)
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=INPUT)
@selection_options()
@limit_options()
@option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@option("--exit-zero", is_flag=True, help="Exit with 0 instead of 1 if something differs.")
def command(
    old: Path,
    new: Path,
    paths: tuple[str, ...],
    selection: Selection,
    limits: Limits,
    form: str,
    exit_zero: bool,  # noqa: FBT001  # as click passes it
) -> int:
    """Show on which records two versions of rules differ.

    OLD and NEW are rule files or folders; rules are joined by ID, else by name or title. With PATH, logs as for `scan`,
    which are read twice: the events that one version alone matches, by principal, account and resource. Always: a made
    record on which two versions differ, or the proof that there is none.
    """
    if "-" in paths:
        raise click.UsageError("The logs are read twice, which standard input cannot be: name a file or folder.")
    before, after = _compiled(old), _compiled(new)
    with watching() as watcher, usage_errors():
        found = compare_rules(before, after, paths, selection, limits, watcher)
    if form == "json":
        click.echo(printable_json(json.dumps(json_ready(found.to_dict()), indent=1)))
    else:
        for line in _lines(found):
            click.echo(printable(line))
    for ledger in found.ledgers[:1]:
        screen().tell_ledger(ledger)
    return exit_codes.combined(
        found=found.differs, rules_left_out=bool(before.errors or after.errors), input_lost=not found.complete,
        exit_zero=exit_zero,
    )  # fmt: skip


def _compiled(path: Path) -> RuleSet:
    rules = compile_rules(path, on_error="skip")
    for error in rules.errors:
        click.echo(printable_error(error), err=True)
    return rules


def _lines(found: Comparison) -> Iterator[str]:
    for side, rules in (("old", found.pairs.only_old), ("new", found.pairs.only_new)):
        for rule in rules:
            count = f": {found.alone.get(rule.id, 0):,} matches" if found.ledgers else ""
            yield f"only in {side}: {rule.title} ({rule.id}){count}"
    for each in found.differences:
        yield from _difference(each)
    yield (
        f"{len(found.differences)} changed, {len(found.pairs.unchanged)} unchanged, "
        f"{len(found.pairs.only_new)} new, {len(found.pairs.only_old)} gone"
    )


def _difference(each: RuleDifference) -> Iterator[str]:
    yield f"changed: {each.new.title} ({each.new.id})"
    if each.meaning == "same":
        yield "  both versions match the same records, which is proved"
    elif each.record is not None:
        yield f"  only the {each.record_matches} version matches this record:"
        yield f"    {json.dumps(json_ready(dict(each.record)))}"
    else:
        yield "  neither a record on which they differ nor a proof was found"
    if each.trail is None:
        return
    yield f"  on the logs: both match {counted(each.trail.both, 'event')}"
    for title, side in (
        ("only the new version", each.trail.gained_events),
        ("only the old version", each.trail.lost_events),
    ):
        if side.events:
            yield f"  {title}: {counted(side.events, 'event')}, such as {', '.join(side.examples)}"
            yield from side_lines(side)
