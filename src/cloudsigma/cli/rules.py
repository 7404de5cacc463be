"""`cloudsigma rules`: lists the loaded rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from cloudsigma import ir
from cloudsigma.cli import exit_codes
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.screen import screen
from cloudsigma.engine.rule import Rule
from cloudsigma.escaping import printable, printable_json
from cloudsigma.ir.walk import filters_of


@click.command("rules", cls=GroupedCommand)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=FILE)
@rule_options()
@option("--format", "form", type=click.Choice(["text", "jsonl"]), default="text", show_default=True)
def command(paths: tuple[Path, ...], form: str, choice: Choice) -> int:
    """List rules with level, tags, log source, and the field that they are found by.

    PATH is a rule file or folder, as with --rules. The bundled rules are listed only if no PATH is named.

    Rules that cannot be used are reported on standard error, with the place and the remedy.
    """
    rules = choice.with_paths(paths).load()
    found_by = rules.found_by
    never = 0
    for rule in rules:
        other = rule.logsource is not None and not rule.logsource.covers(rules.declared)
        never += other
        if form == "jsonl":
            click.echo(printable_json(json.dumps({**_row(rule), "found_by": found_by.get(rule.id)})))
        else:
            applies = "  [never applied: other log source]" if other else ""
            click.echo(printable(f"{rule.level or '-':13} {rule.title}{applies}"))
            click.echo(printable(f"{'':13} {rule.id}  {rule.logsource or 'correlation'}  {' '.join(rule.tags)}"))
            if isinstance(rule.definition, ir.DetectionRule) and (filters := filters_of(rule.definition)):
                click.echo(printable(f"{'':13} narrowed by {len(filters):,} filters: {' '.join(filters[:5])}"))
            if found_by.get(rule.id, "") is None:
                click.echo(f"{'':13} evaluated for every record: no single field tells which records could match")
    aside = f", {never:,} of them never applied: other log source" if never else ""
    screen().tell(f"{len(rules)} {'rule' if len(rules) == 1 else 'rules'}{aside}")
    return exit_codes.combined(found=False, rules_left_out=bool(rules.errors), input_lost=False)


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "level": rule.level,
        "status": rule.status,
        "author": rule.author,
        "tags": list(rule.tags),
        "logsource": structs.asdict(rule.logsource) if rule.logsource is not None else None,
        "correlation": rule.correlation.type if rule.correlation is not None else None,
        "filters": list(filters_of(rule.definition)) if isinstance(rule.definition, ir.DetectionRule) else [],
        "path": rule.path,
        "line": rule.line,
    }
