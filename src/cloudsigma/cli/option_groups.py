"""Options of the command line in groups: a heading in `--help`, and one argument of the command."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from cloudsigma.cli.screen import screen, screen_options
from cloudsigma.escaping import printable

_OTHER = "Options"
LIMITS = "Limits"
_LAST = {_OTHER: 1, LIMITS: 2}
"""Groups that come after the others: few people need limits."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class GroupedOption(click.Option):
    """An option with its heading in `--help`."""

    group = _OTHER


class GroupedCommand(click.Command):
    """A command whose `--help` has a heading for each group of options; it has the options of the screen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += screen_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; first name the configuration file that sets options of it."""
        file = getattr(ctx.obj, "file", None)
        if file is not None and ctx.info_name != "config":
            screen().tell(f"options of {printable(str(file))} are used")
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None and isinstance(parameter, click.Option):  # the text above describes the arguments
                groups.setdefault(getattr(parameter, "group", _OTHER), []).append(row)
        for title in sorted(groups, key=lambda title: _LAST.get(title, 0)):
            with formatter.section(title):
                formatter.write_dl(groups[title])


option = functools.partial(click.option, cls=GroupedOption)
"""`click.option` for options that are grouped."""


def option_group(title: str, *options: Decorator) -> Decorator:
    """Add options under a heading; the command receives each as a separate argument."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for parameter, decorated in _added(command, options):
            parameter.group = title
            command = decorated
        return command

    return decorate


def option_value(title: str, argument: str, make: Callable[..., Any], *options: Decorator) -> Decorator:
    """Add options under a heading; the command receives one argument, which `make` builds from their values.

    Args:
        title: The heading.
        argument: The name of the argument.
        make: Called with the values by the names of the options.
        options: The options, in the order of the help.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        names: list[str] = []

        @functools.wraps(command)  # takes over the options that the command has already
        def with_value(**given: Any) -> Any:
            values = {name: given.pop(name) for name in names}
            return command(**given, **{argument: make(**values)})

        decorated: Callable[..., Any] = with_value
        for parameter, added in _added(decorated, options):
            parameter.group = title
            names.append(parameter.name or "")
            decorated = added
        return decorated

    return decorate


def _added(
    command: Callable[..., Any], options: tuple[Decorator, ...]
) -> list[tuple[GroupedOption, Callable[..., Any]]]:
    """Add options, the last first, as decorators are applied; each with the command that it was added to."""
    added = []
    for decorator in reversed(options):
        command = decorator(command)
        added.append((command.__click_params__[-1], command))  # type: ignore[attr-defined]  # set by click
    return added
