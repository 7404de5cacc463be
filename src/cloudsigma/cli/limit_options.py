"""The options that change limits, shared by all commands that read records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cloudsigma.cli.option_groups import LIMITS, Decorator, option, option_value
from cloudsigma.errors import UsageError
from cloudsigma.escaping import printable
from cloudsigma.reading.scope.limits import DEEPEST, SIZES, Limits, parse_size, size_text

_HELP = {
    "inflated": "The most bytes that a file may inflate to",
    "ratio": "The most times its size that gzip data may inflate to",
    "document": "The largest log file or line",
    "record": "The largest record",
    "values": "The most values (objects, lists, members) of one record",
    "depth": "The most levels that a record may nest",
    "records": "The most records of one file",
    "losses": "The most places of one file that cannot be read",
    "payload": "The most bytes that the envelopes of a document may carry",
    "envelopes": "The most envelopes within one another",
}


if TYPE_CHECKING:
    _SizeType = click.ParamType[int]
else:
    _SizeType = click.ParamType  # takes no parameter before click 8.4


class _Size(_SizeType):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else parse_size(value)
        except UsageError as error:
            self.fail(printable(str(error)), param, ctx)


def limit_options() -> Decorator:
    """Add the options to a command, which is given `limits`."""
    return option_value(LIMITS, "limits", _limits, *(_option(name, text) for name, text in _HELP.items()))


def _limits(**given: int | None) -> Limits:
    changed = {name.removeprefix("max_"): value for name, value in given.items() if value is not None}
    return Limits(**changed)


def _option(name: str, text: str) -> Decorator:
    value: int = getattr(Limits(), name)
    shown = size_text(value) if name in SIZES else f"{value:,}"
    return option(
        f"--max-{name}",
        metavar="SIZE" if name in SIZES else "N",
        type=_Size() if name in SIZES else click.IntRange(1, DEEPEST if name == "depth" else None),
        help=f"{text}. Default: {shown}.",
    )
