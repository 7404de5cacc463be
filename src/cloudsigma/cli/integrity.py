"""`cloudsigma integrity`: log files against the digest files of CloudTrail."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.escaping import printable, printable_json
from cloudsigma.integrity import check_integrity
from cloudsigma.integrity.signature import read_public_key
from cloudsigma.reading.scope.limits import Limits

_SHOWN = 200


@click.command("integrity", cls=GroupedCommand)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@option(
    "--public-key", "keys", metavar="FILE", type=FILE, multiple=True,
    help="Verify signatures with this key: PEM, DER, or base64 of aws cloudtrail list-public-keys. Repeatable.",
)  # fmt: skip
@limit_options()
@option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(paths: tuple[str, ...], keys: tuple[Path, ...], limits: Limits, form: str) -> int:
    """Check whether log files are those that CloudTrail delivered.

    PATH is a copy of the bucket with its digest files (AWSLogs/ACCOUNT/CloudTrail-Digest). Altered, missing and
    unexpected files are exit code 1.
    """
    with usage_errors():
        found = check_integrity(paths, [read_public_key(key) for key in keys], limits)
    if form == "json":
        click.echo(printable_json(json.dumps(found.to_dict(), indent=1)))
    else:
        for problem in found.problems[:_SHOWN]:
            click.echo(printable(str(problem)))
        if len(found.problems) > _SHOWN:
            click.echo(f"and {len(found.problems) - _SHOWN:,} more: --format json has all")
    screen().tell(found.summary, problem=not found.intact or not found.digests)
    if not found.digests:
        screen().tell("there are no digest files below these paths: nothing is verified", problem=True)
    return exit_codes.combined(
        found=not found.intact, rules_left_out=False, input_lost=found.unreadable or not found.digests
    )
