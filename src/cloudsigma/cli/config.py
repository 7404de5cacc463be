"""`cloudsigma config`: which file sets options, and to what."""

from __future__ import annotations

import json

import click

from cloudsigma.cli.configuration import OWN_FILE, PYPROJECT, Configuration
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.escaping import printable, printable_json


@click.command("config", cls=GroupedCommand)
@option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def command(configuration: Configuration, form: str) -> None:
    """Show the configuration file and the options that it sets, for each command.

    The file is .cloudsigma.toml, or [tool.cloudsigma] in pyproject.toml, in this folder or the nearest above it. Paths
    are shown resolved.
    """
    file = str(configuration.file) if configuration.file is not None else None
    if form == "json":
        click.echo(printable_json(json.dumps({"file": file, "commands": configuration.values}, indent=1)))
        return
    if file is None:
        click.echo(
            f"no {OWN_FILE}, and no [tool.cloudsigma] in {PYPROJECT}, here or above: all options have their defaults"
        )
        return
    click.echo(f"# {printable(file)}")
    for name, values in configuration.values.items():
        if values:
            click.echo(f"\n[{name}]")
            for key, value in values.items():
                click.echo(f"{key} = {printable_json(json.dumps(value))}")
