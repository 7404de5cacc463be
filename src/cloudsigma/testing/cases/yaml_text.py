"""Write YAML that reads back as the same values: scalars, one-line values, maps as blocks, the changes of a case."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from cloudsigma.testing.records.changes import changes_between

_WIDTH = 120
"""Columns after which a map is written as a block."""
_PLAIN = re.compile(r"[A-Za-z_][\w./()-]*(?: [\w./()-]+)*", re.ASCII)
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
"""Text that YAML 1.1 reads as another type."""


def is_plain(text: str) -> bool:
    """Whether text may stand without quotation marks, wherever a value may."""
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS


def quoted(text: str) -> str:
    """Text in double quotation marks; characters that cannot be printed are escaped."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in written)


def scalar(value: Any) -> str:
    """A scalar; text without quotation marks where possible."""
    if isinstance(value, str):
        return value if is_plain(value) else quoted(value)
    written = json.dumps(value)
    if isinstance(value, float) and "." not in written:  # YAML 1.1 reads 1e+30 as text
        written = written.replace("e", ".0e")
    return written


def flow(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {_inner(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_inner, value)) + "]"
    return scalar(value)


def _inner(value: Any) -> str:
    """A value within brackets, where plain text is easily misread: it is quoted unless it is one word."""
    return quoted(value) if isinstance(value, str) and not (value.isalnum() and is_plain(value)) else flow(value)


def block(value: Mapping[str, Any], indent: str) -> list[str]:
    """A map as lines, one key a line; an inner map that is too long for one line becomes an indented block."""
    lines: list[str] = []
    for key, inner in value.items():
        name, written = scalar(str(key)), flow(inner)
        if isinstance(inner, Mapping) and inner and len(indent) + len(name) + len(written) + 2 > _WIDTH:
            lines += [f"{indent}{name}:", *block(inner, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {written}")
    return lines or [f"{indent}{{}}"]


def overrides(base: Mapping[str, Any], wanted: Mapping[str, Any], ignored: Collection[str] = ()) -> list[str]:
    """The keys of a case that turn its base into the wanted record; the whole record where changes cannot do that.

    Args:
        base: The record that the case starts from.
        wanted: The record of the case.
        ignored: Top-level keys that need not be equal.
    """
    changes = changes_between(base, wanted, ignored)
    if changes is None:
        return ["record:", *block(wanted, "  ")]
    return block({key: value for key, value in changes.items() if value}, "") if any(changes.values()) else []
