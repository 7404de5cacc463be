"""`cloudsigma redact`: records that can be shown to others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE, INPUT
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.escaping import printable
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.redaction import Redactor
from cloudsigma.storage.atomic_file import write_file

_LEAST_KEY = 16
_SHOWN = 20


@click.command("redact", cls=GroupedCommand)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=INPUT)
@option(
    "--output", "-o", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), required=True,
    help="The folder for the redacted records; it must be empty or new.",
)  # fmt: skip
@option(
    "--key-file", metavar="FILE", type=FILE,
    help="A secret of at least 16 bytes: the same gives the same pseudonyms. Default: a random one, forgotten.",
)  # fmt: skip
@rule_options()
@limit_options()
def command(paths: tuple[str, ...], output: Path, key_file: Path | None, limits: Limits, choice: Choice) -> int:
    """Write records that can be shown to others: accounts, names, keys, IDs and addresses become pseudonyms.

    PATH is as for `scan`, and is read twice. One original has one pseudonym, addresses of one network stay together,
    and the verdicts of the rules stay, which is checked for each record. DIR/redaction.json counts what was replaced
    and names the free texts, in which only known forms and names were replaced: look at them before you share.
    """
    if "-" in paths:
        raise click.UsageError("The logs are read twice, which standard input cannot be: name a file or folder.")
    if output.exists() and any(output.iterdir()):
        raise click.UsageError(f"{printable(str(output))} is not empty: name a new folder.")
    key = _key(key_file)
    rules = choice.load()
    with usage_errors(), writing(output):
        output.mkdir(parents=True, exist_ok=True)
        done = Redactor(rules, key).redact_files(paths, output, limits)
        write_file(output / "redaction.json", (json.dumps(done.to_dict(), indent=1) + "\n").encode())
    for event in done.changed[:_SHOWN]:
        screen().tell(f"CHANGED: a verdict or kind of event {event} is not that of the original", problem=True)
    free = sum(done.unsure.values())
    screen().tell(f"{done.records:,} records redacted; {free:,} free texts in {len(done.unsure)} members to look at")
    screen().tell_ledger(done.ledger)
    return exit_codes.combined(
        found=not done.faithful, rules_left_out=bool(rules.errors), input_lost=not done.ledger.complete
    )


def _key(file: Path | None) -> bytes | None:
    if file is None:
        return None
    data = file.read_bytes().strip()
    if len(data) < _LEAST_KEY:
        raise click.UsageError(
            f"{printable(str(file))} has fewer than {_LEAST_KEY} bytes; make one: openssl rand -hex 32"
        )
    return hashlib.sha256(data).digest()
