"""`cloudsigma notify`: sends matches to channels, from a file of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.match_file import match_lines, open_matches
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE
from cloudsigma.cli.screen import screen
from cloudsigma.errors import NotifyError
from cloudsigma.escaping import printable
from cloudsigma.notifying.alert import NoMatchError, alert_of
from cloudsigma.notifying.channel import Settings
from cloudsigma.notifying.message import Message
from cloudsigma.notifying.notifier import Delivery, Notifier
from cloudsigma.reading.scope.limits import Limits

_SHOWN = 20


@click.command("notify", cls=GroupedCommand)
@click.argument("matches", metavar="[MATCHES]", default="-", type=click.Path(allow_dash=True))
@option("--config", "config", metavar="FILE", type=FILE, required=True, help="The channels.")
@option("--retry", "letters", metavar="FILE", type=FILE, help="Send the dead letters in FILE again, too.")
@limit_options()
def command(matches: str, config: Path, letters: Path | None, limits: Limits) -> int:
    """Send matches to channels: webhook, Slack, Teams, PagerDuty, mail, SNS, EventBridge, SES.

    MATCHES is a file that `scan --format jsonl` wrote, or - (the standard input); an empty one sends what waits in the
    outbox. A match that a channel had before is not sent again.
    """
    notifier = Notifier(load_settings(config))
    bad, first = 0, list[int]()
    with ExitStack() as stack:
        stack.callback(notifier.close)
        source = open_matches(matches, stack)
        for letter in _letters(letters):
            notifier.restore(*letter)
        for number, line in match_lines(source, limits):
            try:
                notifier.add(alert_of(_decoded(line)))
            except NoMatchError:
                bad += 1
                first += [number] if len(first) < _SHOWN else []
        delivery = notifier.finish()
    for number in first:
        click.echo(f"NOT SENT: line {number:,} of {printable(matches)} is not a match, or too long", err=True)
    if bad > len(first):
        click.echo(f"NOT SENT: and {bad - len(first):,} more lines", err=True)
    tell_delivery(delivery)
    if not delivery.complete:
        return exit_codes.NOT_DONE
    return exit_codes.combined(found=False, rules_left_out=False, input_lost=bool(bad))


def load_settings(file: Path) -> Settings:
    """Read a configuration of notifications, and report its mistakes; raises `click.ClickException`."""
    from cloudsigma.notifying.config_file.loader import read_settings  # imports the reader of YAML

    try:
        return read_settings(file)
    except NotifyError as error:
        for mistake in error.mistakes:
            click.echo(printable(str(mistake)), err=True)
        raise click.ClickException(f"{printable(str(file))} cannot be used.") from error


def tell_delivery(delivery: Delivery) -> None:
    """Tell what became of the messages."""
    for line in delivery.lines:
        screen().tell(line, problem=not delivery.complete)


def _decoded(line: bytes | None) -> Any:
    if line is None:
        raise NoMatchError("it is too long")
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NoMatchError("it is not JSON") from error


def _letters(file: Path | None) -> Iterator[tuple[str, Message]]:
    if file is None:
        return
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            letter = json.loads(line)
            yield letter["channel"], msgspec.convert(letter["message"], Message)
        except (ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
            raise click.ClickException(f"line {number} of {printable(str(file))} is no dead letter.") from error
