"""Values without quotation marks that YAML reads differently than people do.

YAML 1.1 reads `012345671234` as an octal number, so a rule for that account would never match: an account ID whose
digits are all below 8 is dead, and its neighbor with an 8 works. `1:30` is 90, `1_000` is 1000.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal

from cloudsigma.compiler.document import Document, Located, Path
from cloudsigma.errors import RuleError

_MISREAD = re.compile(r"[-+]?0[0-9]|[-+]?0[xXbB]|.*[_:]", re.ASCII)
_BOOLEAN_WORDS = frozenset({"yes", "no", "on", "off", "y", "n"})


def misread_numbers(document: Document, sections: Iterable[str] | None = None) -> list[tuple[Path, str, str]]:
    """The numbers whose text people read as another number: way, reason and remedy.

    Args:
        document: The document.
        sections: Its keys that are searched; `None` for all of it.
    """
    found: list[tuple[Path, str, str]] = []
    wanted = None if sections is None else set(sections)
    for way, (text, value) in document.spelled.items():
        if type(value) in (int, float) and (wanted is None or (way and way[0] in wanted)) and _is_misread(text, value):
            reason = f"{text} without quotation marks is the number {value} to YAML"
            remedy = f"Put it in quotation marks to mean the text: '{text}'. Write {value} to mean the number."
            found.append((way, reason, remedy))
    return found


def _is_misread(text: str, value: float) -> bool:
    if _MISREAD.match(text):
        return True
    return "e" in text.lower() and math.isfinite(value) and Decimal(text) != Decimal(repr(value))  # digits are lost


def misread_booleans(document: Document) -> dict[Path, str]:
    """The booleans that are written as words of English or as `on` and `off`: way → text."""
    return {
        way: text
        for way, (text, value) in document.spelled.items()
        if isinstance(value, bool) and text.lower() in _BOOLEAN_WORDS
    }


def misread_errors(document: Document) -> list[RuleError]:
    """The errors of a rule, filter or correlation with numbers that YAML misreads."""
    found = misread_numbers(document, ("detection", "filter", "correlation"))
    located = Located(document)
    return [located.error("value", reason, way, remedy) for way, reason, remedy in found]
