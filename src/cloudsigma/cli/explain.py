"""`cloudsigma explain`: the generated predicate of a rule, or why it matches a record."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.screen import screen
from cloudsigma.correlation.explain import CorrelationExplanation
from cloudsigma.engine.evaluate.explain import Explanation
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import UnknownRuleError
from cloudsigma.escaping import printable, printable_json, printable_lines
from cloudsigma.origin import Origin
from cloudsigma.reading import Limits, read_records
from cloudsigma.rulesets.rule_set import RuleSet

_SLUG = re.compile(r"[a-z]+(-[a-z]+)+")
"""The form of a kind of finding; names of rules rarely have it, and those that do win by `--rules`."""


@click.command("explain", cls=GroupedCommand)
@click.argument("rule")
@rule_options()
@option(
    "--record",
    "record_path",
    metavar="FILE",
    help="Explain for each record of FILE (- is standard input); a correlation for all of them.",
)
@option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@limit_options()
def command(rule: str, record_path: str | None, form: str, limits: Limits, choice: Choice) -> int:
    """Show the predicate of a rule, or why it matches a record or not; or describe a kind of finding of lint.

    RULE is an ID, a name, or the file of a rule, or a kind of finding such as unknown-field.
    """
    if record_path is None and _SLUG.fullmatch(rule) and not Path(rule).exists() and show_finding(rule, form):
        return exit_codes.combined(found=False, rules_left_out=False, input_lost=False)
    chosen = choice
    if Path(rule).is_file() and not chosen.rule_paths:
        chosen = dataclasses.replace(chosen, rule_paths=(Path(rule),), no_bundled=True, correlations=False)
        rules = chosen.load()
        wanted = [found.id for found in rules]
    else:
        rules = chosen.load()
        wanted = [_named(rule, rules).id]
    lost = False
    if record_path is None:
        for key in wanted:
            _show_source(rules[key], rules, form)
    else:
        reader = read_records(record_path, limits=limits)
        correlations = [key for key in wanted if rules[key].correlation is not None]
        kept: list[dict[str, Any]] = []
        for record, origin in reader.with_origin():
            for key in wanted:
                if key not in correlations:
                    _show(rules.explain(record, key), form, _Shown.of(record, origin))
            kept += [record] if correlations else []
        for key in correlations:
            _show(rules.explain(kept, key), form)
        lost = not reader.ledger.complete
        if lost or not reader.ledger.records:
            click.echo(printable_lines(str(reader.ledger)), err=True)
    return exit_codes.combined(found=False, rules_left_out=bool(rules.errors), input_lost=lost)


def show_finding(slug: str, form: str) -> bool:
    """Describe a kind of finding; false if there is none of this name."""
    from cloudsigma.linting.checks import checks, described, page_of  # imports the compiler

    if slug not in checks():
        return False
    click.echo(printable_json(json.dumps(described(slug))) if form == "json" else page_of(slug))
    return True


def _named(key: str, rules: RuleSet) -> Rule:
    """The rule of an ID or name; the error of one that is missing also names kinds of findings with a similar name."""
    try:
        return rules[key]
    except UnknownRuleError as error:
        if not _SLUG.fullmatch(key):
            raise
        from cloudsigma.linting.checks import checks  # imports the compiler

        similar = difflib.get_close_matches(key, checks(), 2)
        raise UnknownRuleError(key, [*error.nearest, *similar]) from error


def _show_source(rule: Rule, rules: RuleSet, form: str) -> None:
    if form == "json":
        shown = {"rule_id": rule.id, "title": rule.title, "source": rule.source}
        click.echo(printable_json(json.dumps(shown)))
        return
    place = f"{rule.path}:{rule.line}" if rule.path else "rule text"
    click.echo(printable(f"# {rule.title} ({rule.id}), {place}"))
    source = rule.source
    if source is None:
        named = (rules[key].name or key for key in rule.correlation.rules) if rule.correlation else ()
        what = "a correlation has no predicate. Explain the rules that it refers to"
        click.echo(printable(f"# {what}: {', '.join(named)}"))
        return
    chosen = screen().color
    if chosen or (chosen is None and sys.stdout.isatty()):
        from rich.console import Console
        from rich.syntax import Syntax

        console = Console(
            highlight=False,
            force_terminal=chosen,
            color_system="standard" if chosen and not sys.stdout.isatty() else "auto",
            no_color=False if chosen else None,
        )
        highlighted = Syntax("", "python", background_color="default").highlight(printable_lines(source))
        console.print(highlighted, soft_wrap=True, end="")  # no line is cut at the width of the terminal
    else:
        click.echo(printable_lines(source))


@dataclasses.dataclass(frozen=True, slots=True)
class _Shown:
    """The record to explain."""

    path: str
    position: int
    """From 0, in the order of the file."""
    event_id: str | None

    @classmethod
    def of(cls, record: dict[str, Any], origin: Origin) -> _Shown:
        event_id = record.get("eventID")
        return cls(origin.path, origin.position, event_id if isinstance(event_id, str) else None)

    def __str__(self) -> str:
        event = f", event {self.event_id}" if self.event_id is not None else ", without an event ID"
        return f"{self.path}, record {self.position}{event}:"


def _show(explanation: Explanation | CorrelationExplanation, form: str, record: _Shown | None = None) -> None:
    if form == "json":
        about = {"record": dataclasses.asdict(record)} if record is not None else {}
        click.echo(printable_json(json.dumps(json_ready({**about, **explanation.to_dict()}))))
        return
    if record is not None:
        click.echo(printable(str(record)))
    click.echo(printable_lines(str(explanation)))
