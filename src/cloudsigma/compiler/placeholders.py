"""Values for placeholders: `%name%` in a rule's values with the modifier `expand` (Modifiers, expand).

The user gives them, as an argument or as a YAML file that maps names to values. A value stands for the placeholder as
if it had been written there: wildcards in it count; in a regular expression it is literal text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudsigma.compiler.document import Document, read_documents
from cloudsigma.errors import RuleError, UsageError

Placeholders = Mapping[str, tuple[str, ...]]


def check_placeholders(given: Mapping[str, Any] | None) -> Placeholders:
    """The values of placeholders as text; raises `UsageError` where they are no lists of text and numbers."""
    checked: dict[str, tuple[str, ...]] = {}
    for name, values in (given or {}).items():
        listed = values if isinstance(values, Sequence) and not isinstance(values, (str, bytes)) else [values]
        if not listed or not all(isinstance(value, (str, int, float)) for value in listed):
            raise UsageError(f"the values of the placeholder {name!r} are {values!r}; give a list of text and numbers")
        checked[name] = tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in listed)
    return checked


def read_placeholders(path: str | os.PathLike[str]) -> Placeholders:
    """Values of placeholders from a YAML file; raises `RuleError` and `UsageError`."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise RuleError("file", f"it cannot be read ({error.strerror or error})", path=os.fspath(path),
                        remedy="Check the path.") from error  # fmt: skip
    merged: dict[str, Any] = {}
    for document in read_documents(data, os.fspath(path)):
        if isinstance(document, RuleError):
            raise document
        if not isinstance(document, Document) or not isinstance(document.value, dict):
            raise RuleError("schema", "it is no map of placeholders to values", path=os.fspath(path),
                            line=document.line, remedy="Write name: [value, …].")  # fmt: skip
        merged |= {str(name): values for name, values in document.value.items()}
    return check_placeholders(merged)
