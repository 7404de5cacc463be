"""Decodes partly damaged JSON: one value at a time, and where each ends."""

from __future__ import annotations

import json
import re
from typing import Any

from cloudsigma.reading.content.document import DECODER, TOLERANT, reason, with_every_list, without_missing
from cloudsigma.reading.content.lines import LOG_PREFIX
from cloudsigma.reading.scope.limits import Limits, values_in

BETWEEN = re.compile(rf"(?:[ \t\r\n\ufeff,]*+(?:{LOG_PREFIX}\s*)?)(?=[{{]|\Z)")
"""Text that may separate documents: commas and times only before objects, as in lists and exported logs."""
_SPACE = re.compile("[ \t\r\n\ufeff]*")  # also a byte order mark, which appears mid-text in joined files
_BROKEN_BYTES = re.compile("[\udc80-\udcff]")
_EFFORT = 8
"""Budget for finding healthy parts, as a multiple of the text's length."""
_WINDOW = 1 << 16
"""Characters first given to the decoder: its errors count the lines of its whole input, so a small input is cheaper."""


class DamageAt(Exception):  # noqa: N818  # never leaves this package
    """No whole value begins at this offset."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why, at)
        self.why = why
        self.at = at


class DamagedText:
    """Decodes values at offsets of a text. Failed attempts use up the `effort`, so the time stays linear."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.text = text
        self.limits = limits
        self._ascii = text.isascii()
        self.effort = _EFFORT * len(text) + (1 << 20)
        self._counted = (0, 1, -1)  # up to where lines were counted, the line there, the line end before it

    def decode(self, at: int) -> tuple[Any, int]:
        """The object or array at an offset, and where it ends."""
        value, end = self.scan(at)
        if not isinstance(value, (dict, list)):
            self.effort -= end - at
            raise DamageAt("the JSON is damaged (expecting an object or an array)", at)
        if not self._ascii and (broken := _BROKEN_BYTES.search(self.text, at, end)):
            self.effort -= end - at
            raise DamageAt("the JSON is damaged (bytes that are not UTF-8)", broken.start())
        return value, end

    def scan(self, at: int) -> tuple[Any, int]:
        """The value at an offset, and where it ends; failed attempts use up the effort."""
        size = _WINDOW
        while True:
            window = self.text[at : at + size]
            whole = at + size >= len(self.text)
            try:
                value, end = _decoded(window)
            except json.JSONDecodeError as error:
                far = error.pos > len(window) - 16 or error.msg.startswith("Unterminated")
                self.effort -= 200 + (len(window) if far else error.pos)
                if whole or not far:
                    raise DamageAt(reason(error, self.limits), at + error.pos) from None
            except (ValueError, RecursionError) as error:
                self.effort -= 20_000
                raise DamageAt(reason(error, self.limits), at) from None
            else:
                if whole or end < len(window):
                    if self.limits.has_too_many_values(window[:end]):
                        raise DamageAt(self.limits.too_many_values, at)
                    return value, at + end
            if values_in(window) > self.limits.values:
                raise DamageAt(self.limits.too_many_values, at)
            size *= 2 if values_in(window) > self.limits.values // 8 else 8

    def skip(self, at: int, blank: re.Pattern[str] = _SPACE) -> int:
        """The first offset from `at` on that is not blank."""
        found = blank.match(self.text, at) or _SPACE.match(self.text, at)
        return found.end() if found else at

    def before(self, at: int) -> str:
        """The last non-blank character before an offset."""
        return self.text[max(0, at - 200) : at].rstrip()[-1:]

    def most_bytes(self, start: int, end: int) -> int:
        """Upper bound of the UTF-8 bytes in a part of the text."""
        return (end - start) * (1 if self._ascii else 4)

    def position(self, at: int) -> str:
        """An offset for people: its line and column."""
        counted, line, ended = self._counted if at >= self._counted[0] else (0, 1, -1)
        if more := self.text.count("\n", counted, at):
            line += more
            ended = self.text.rfind("\n", counted, at)
        self._counted = (at, line, ended)
        return f"line {line}, column {at - ended}"


def _decoded(text: str) -> tuple[Any, int]:
    try:
        value, end = DECODER.raw_decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        value, end = TOLERANT.raw_decode(text)
    return with_every_list(without_missing(value, text[:end]), text[:end]), end
