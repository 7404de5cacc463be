"""A failed test of a rule as pytest shows it: text with a short form and, on a terminal, colors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudsigma.testing.cases.line_styles import Style, style_of

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

_MARKUP: dict[Style, dict[str, bool]] = {
    "good": {"green": True},
    "bad": {"red": True},
    "headline": {"red": True, "bold": True},
    "plain": {},
}

_ERROR = re.compile(r".*? error: (?:(?:rule|case) (?:'[^']*'|\"[^\"]*\"): )?(.*)")
"""The text of an error, less the place."""


@dataclass(frozen=True, slots=True)
class Crash:
    """What pytest's summary and JUnit XML say of a failure."""

    message: str
    path: str = ""
    lineno: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Stands where pytest has the representation of an exception."""

    text: str
    reprcrash: Crash

    @classmethod
    def from_text(cls, text: str) -> Failure:
        """Make it from the text of a result: its line of what is wrong is the short form."""
        first, _, rest = text.partition("\n")
        second = rest.partition("\n")[0].strip()
        error = _ERROR.fullmatch(first)
        return cls(text, Crash(second if first.endswith(": FAILED") and second else error[1] if error else first))

    def toterminal(self, writer: TerminalWriter) -> None:
        """Write the text, what was met in green and what was not in red."""
        for line in self.text.splitlines():
            writer.line(line, **_MARKUP[style_of(line)])

    def __str__(self) -> str:
        return self.text
