"""`cloudsigma techniques`: which techniques of ATT&CK rules are for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from cloudsigma.attack.techniques import Survey, navigator_layer, survey_rules
from cloudsigma.cli import exit_codes
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE
from cloudsigma.cli.rule_options import printable_error
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.escaping import printable, printable_json
from cloudsigma.testing.cases.suite import find_tests


@click.command("techniques", cls=GroupedCommand)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=FILE)
@option(
    "--format", "form", type=click.Choice(["text", "json", "navigator"]), default="text", show_default=True,
    help="navigator: a layer for the ATT&CK Navigator.",
)  # fmt: skip
@option("--name", default="cloudsigma", show_default=True, help="The name of the layer.")
def command(paths: tuple[Path, ...], form: str, name: str) -> int:
    """Show which techniques of MITRE ATT&CK rules are for, how well they are tested, and which calls nobody watches.

    PATH is a rule file or folder; the cases beside rules are run.
    """
    with usage_errors():
        suite = find_tests(*paths)
    for error in suite.rules.errors:
        click.echo(printable_error(error), err=True)
    found = survey_rules(suite)
    if form == "text":
        for line in _lines(found):
            click.echo(printable(line))
    else:
        made = found.to_dict() if form == "json" else navigator_layer(found, name)
        click.echo(printable_json(json.dumps(made, indent=1)))
    for rule in found.untagged:
        screen().tell(f"no technique: {rule.title} ({rule.id})")
    return exit_codes.combined(found=False, rules_left_out=bool(suite.rules.errors), input_lost=False)


def _lines(found: Survey) -> Iterator[str]:
    yield f"{'technique':11} {'rules':>5} {'covered':>8}  level"
    for each in found.techniques:
        yield f"{each.id:11} {len(each.rules):>5} {f'{each.tested} of {len(each.rules)}':>8}  {each.level or '-'}"
        for watching in each.rules:
            strength = f"{watching.cases} cases, {watching.coverage:g} %" if watching.cases else "no cases"
            yield f"{'':11} {watching.rule.title}: {strength}"
    if found.unwatched:
        yield ""
        yield "calls with the same effect as watched ones, which no rule watches:"
    for group in found.unwatched:
        yield f"  {', '.join(group.missing)} (watched: {', '.join(group.watched)})"
