"""How much a command shows besides its results, and whether in color: `-q`, `-v` and `--color` of every command."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import click

from cloudsigma.escaping import printable_lines
from cloudsigma.reading.account.ledger import Ledger

_KEY = "cloudsigma.screen"


@dataclass(frozen=True, slots=True)
class Screen:
    """The choice of a command's user."""

    quiet: bool = False
    """Whether only results and problems are shown."""
    verbose: bool = False
    """Whether each stage is reported with its time."""
    color: bool | None = None
    """Whether colors are used; `None`: on a terminal, unless NO_COLOR is set."""

    def tell(self, text: str, *, problem: bool = False) -> None:
        """Write to standard error, unless the command is quiet and it is no problem."""
        if problem or not self.quiet:
            click.echo(printable_lines(text), err=True)

    def tell_ledger(self, ledger: Ledger) -> None:
        """Write the account of the reading; it is a problem if something was lost."""
        self.tell(str(ledger), problem=not ledger.complete)


def screen() -> Screen:
    """The choice of the command that runs."""
    context = click.get_current_context(silent=True)
    found: Screen = context.meta.get(_KEY, Screen()) if context is not None else Screen()
    return found


def _quiet(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  # as click calls it
    if value:
        _change(context, quiet=True)


def _verbose(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  # as click calls it
    if value:
        if context.meta.get(_KEY, Screen()).quiet:
            raise click.UsageError("--quiet and --verbose exclude each other.")
        _change(context, verbose=True)


def _color(context: click.Context, _: click.Parameter, value: str) -> None:
    if value != "auto":
        context.color = value == "always"
        _change(context, color=context.color)


def _change(context: click.Context, **values: Any) -> None:
    context.meta[_KEY] = replace(context.meta.get(_KEY, Screen()), **values)


def screen_options() -> list[click.Option]:
    """The options, which every command has."""
    return [
        click.Option(["--quiet", "-q"], is_flag=True, expose_value=False, callback=_quiet,
                     help="Write only results and problems."),
        click.Option(["--verbose", "-v"], is_flag=True, expose_value=False, callback=_verbose,
                     help="Report each stage with its time."),
        click.Option(["--color"], type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
                     expose_value=False, callback=_color, help="When to use colors; auto: on a terminal."),
    ]  # fmt: skip
