"""`cloudsigma schema`: JSON Schemas for editors that check YAML."""

from __future__ import annotations

import json

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.option_groups import GroupedCommand


@click.command("schema", cls=GroupedCommand)
@click.argument("kind", type=click.Choice(["rules", "cases"]), default="rules")
def command(kind: str) -> int:
    """Write the JSON Schema of rules, or of case files, to standard output."""
    from cloudsigma.editor.schemas import schema_of  # imports the compiler

    click.echo(json.dumps(schema_of(kind), indent=1))
    return exit_codes.combined(found=False, rules_left_out=False, input_lost=False)
