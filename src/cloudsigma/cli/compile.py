"""`cloudsigma compile`: rules to one file that needs neither pySigma nor YAML."""

from __future__ import annotations

from pathlib import Path

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.escaping import printable
from cloudsigma.sinks.overwrite_guard import check_spared


@click.command("compile", cls=GroupedCommand)
@click.argument("paths", metavar="[RULES]...", nargs=-1, type=FILE)
@rule_options()
@option(
    "--output", "-o", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="Where to write the rule set.",
)  # fmt: skip
def command(paths: tuple[Path, ...], output: Path, choice: Choice) -> int:
    """Write rules to FILE, to be loaded where neither pySigma nor YAML is installed.

    RULES are rule files and folders, as with --rules. The bundled rules are written only where no RULES are named.
    FILE is JSON and holds no code. Read it with cloudsigma.load_rules(FILE), or scan --compiled FILE.
    """
    choice = choice.with_paths(paths)
    with usage_errors():
        check_spared(choice.files, {"--output": [output]})
    if output.suffix.lower() in {".yml", ".yaml"} and output.exists():
        raise click.UsageError(f"--output would overwrite {printable(str(output))}, perhaps a rule; name a .json file.")
    rules = choice.load()
    with writing(output):
        rules.save(output)
    count = len(rules)
    screen().tell(f"{count} {'rule' if count == 1 else 'rules'} written to {printable(str(output))}")
    return exit_codes.combined(found=False, rules_left_out=bool(rules.errors), input_lost=False)
