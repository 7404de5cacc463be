"""Values for placeholders: `%name%` in a rule's values with the modifier `expand` (Modifiers, expand).

The user gives them, as an argument or as a YAML file that maps names to values. `expansion` writes them into rules.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cloudsigma.compiler.document import Document, read_documents
from cloudsigma.compiler.files import read_file
from cloudsigma.errors import RuleError, UsageError, shown_value

Placeholders = Mapping[str, tuple[str, ...]]
"""Name → its values as text."""


def check_placeholders(given: Mapping[str, Any] | None) -> Placeholders:
    """The values of placeholders as text; raises `UsageError` for other types."""
    checked: dict[str, tuple[str, ...]] = {}
    if not isinstance(given, Mapping | None):
        raise UsageError(f"placeholders is {given!r}; give a map of names to lists of text and numbers")
    for name, values in (given or {}).items():
        listed = values if isinstance(values, Sequence) and not isinstance(values, (str, bytes)) else [values]
        if not listed or not all(isinstance(value, (str, int, float)) for value in listed):
            raise UsageError(
                f"the values of the placeholder {name!r} are {shown_value(values)}; give a list of text and numbers"
            )
        checked[name] = tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in listed)
    return checked


def read_placeholders(path: str | os.PathLike[str]) -> Placeholders:
    """Values of placeholders from a YAML file; raises `RuleError` and `UsageError`.

    Numbers, booleans and dates without quotation marks stay the text that the file has: an account ID that begins
    with 0 keeps it.
    """
    data = read_file(path)
    if isinstance(data, RuleError):
        raise data
    merged: dict[str, Any] = {}
    for document in read_documents(data, os.fspath(path)):
        if isinstance(document, RuleError):
            raise document
        if not isinstance(document, Document) or not isinstance(document.value, dict):
            raise RuleError("schema", "it is no map of placeholders to values", path=os.fspath(path),
                            line=document.line, remedy="Write name: [value, …].")  # fmt: skip
        texts = {way: text for way, (text, _) in document.spelled.items()}
        for name, values in document.value.items():
            listed = values if isinstance(values, list) else [values]
            ways = [(name, at) if isinstance(values, list) else (name,) for at in range(len(listed))]
            merged[str(name)] = [
                texts.get(way, str(value) if isinstance(value, dt.date) else value)
                for way, value in zip(ways, listed, strict=True)
            ]
    return check_placeholders(merged)
