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
from cloudsigma.rulesets.rule_set import RuleSet

_NAMED = 10
"""Events that only read, which a message names; it counts the others."""


@click.command("rules", cls=GroupedCommand)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=FILE)
@rule_options()
@option("--format", "form", type=click.Choice(["text", "jsonl"]), default="text", show_default=True)
@option(
    "--eventbridge-pattern", "patterns", is_flag=True,
    help="Write the patterns by which EventBridge hands on the events that the rules could match, one a line.",
)  # fmt: skip
def command(paths: tuple[Path, ...], form: str, choice: Choice, *, patterns: bool) -> int:
    """List rules with level, tags, log source, and the field that they are found by.

    PATH is a rule file or folder, as with --rules. The bundled rules are listed only if no PATH is named.

    Rules that cannot be used are reported on standard error, with the place and the remedy.
    """
    rules = choice.with_paths(paths).load()
    if patterns:
        return _write_patterns(rules)
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


def _write_patterns(rules: RuleSet) -> int:
    from cloudsigma.rulesets.event_patterns import event_patterns  # reads the catalogue

    applied = [rule for rule in rules if rule.logsource is None or rule.logsource.covers(rules.declared)]
    found = event_patterns(applied)
    for pattern in found.patterns:
        click.echo(printable_json(json.dumps(pattern)))
    for rule in found.without:
        screen().tell(
            f"left out: {rule.title} ({rule.id}) requires neither an eventName nor an eventSource", problem=True
        )
    screen().tell(f"{len(found.patterns)} {'pattern' if len(found.patterns) == 1 else 'patterns'}")
    if found.read_only:
        more = f" and {len(found.read_only) - _NAMED} more" if len(found.read_only) > _NAMED else ""
        names = ", ".join(found.read_only[:_NAMED]) + more
        screen().tell(
            f"events that only read need a rule in the state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS: {names}"
        )
    return exit_codes.combined(found=False, rules_left_out=bool(rules.errors or found.without), input_lost=False)


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
