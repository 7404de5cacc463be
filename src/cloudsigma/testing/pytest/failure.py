"""Show a failed test of a rule in pytest: the text, a short form, and colors on a terminal."""

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
"""The text of an error, without its place."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The short form of a failure, for pytest's summary and JUnit XML."""

    message: str
    path: str = ""
    lineno: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Takes the place of pytest's representation of an exception."""

    text: str
    reprcrash: Crash

    @classmethod
    def from_text(cls, text: str) -> Failure:
        """Make a failure from the text of a result; its second line, or the error, is the short form."""
        first, _, rest = text.partition("\n")
        second = rest.partition("\n")[0].strip()
        error = _ERROR.fullmatch(first)
        return cls(text, Crash(second if first.endswith(": FAILED") and second else error[1] if error else first))

    def toterminal(self, writer: TerminalWriter) -> None:
        """Write the text: passed tests in green, failed tests in red."""
        for line in self.text.splitlines():
            writer.line(line, **_MARKUP[style_of(line)])

    def __str__(self) -> str:
        return self.text
