"""`cloudsigma new`: a rule from an event or from example records, with its cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.option_groups import GroupedCommand
from cloudsigma.cli.record_files import RECORD_FILE, records_of
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.escaping import printable


@click.command("new", cls=GroupedCommand)
@click.option("--event", metavar="SOURCE:NAME", help="The event that the rule is about, such as iam:CreateUser.")
@click.option(
    "--from", "examples", metavar="FILE", type=RECORD_FILE, multiple=True, help="Records to match. Repeatable."
)
@click.option(
    "--not", "others", metavar="FILE", type=RECORD_FILE, multiple=True, help="Records not to match. Repeatable."
)
@click.option("--title", default="", help="Title of the rule. Default: made from the event.")
@click.option("--author", default="unknown", show_default=True, help="Author of the rule.")
@click.option(
    "--level",
    type=click.Choice(["informational", "low", "medium", "high", "critical"]),
    default="medium",
    show_default=True,
    help="Level of the rule.",
)
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="ATT&CK tag, such as attack.t1098. Repeatable.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="File of the rule.")
def command(
    event: str | None,
    examples: tuple[Path, ...],
    others: tuple[Path, ...],
    output: Path | None,
    **attributes: Any,
) -> int:
    """Write a new rule and its cases, from an event or from example records.

    The cases are written beside the rule; `cloudsigma test` passes them. Files that exist are never overwritten.
    """
    from cloudsigma.drafting import Metadata, draft_of_event, tell_from, write_new  # imports the compiler
    from cloudsigma.drafting.draft import file_name

    if (event is None) is not bool(examples):
        raise click.UsageError("give either --event or --from.")
    if others and not examples:
        raise click.UsageError("--not contrasts the records of --from, which is missing.")
    lost = False
    with usage_errors():
        if event is not None:
            draft = draft_of_event(event)
        else:
            found, lost_one = records_of(examples)
            against, lost_other = records_of(others)
            lost = lost_one or lost_other
            draft = tell_from(found, against)
        path = output or Path(file_name(draft))
        with writing(path):
            written = write_new(draft, path, Metadata(**attributes))
    for each in written:
        click.echo(printable(f"{each} written"))
    return exit_codes.combined(found=False, rules_left_out=False, input_lost=lost)
