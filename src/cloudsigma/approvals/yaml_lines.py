"""Approvals written as YAML: every text in quotation marks, since it may be from a record or a ticket."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cloudsigma.escaping import printable

_UNSAFE = re.compile(r"[^\x20-\x7e]")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def file_text(entries: Sequence[str]) -> str:
    """A file of entries that `entry_text` wrote."""
    return "version: 1\napprovals:\n" + "\n".join(entries) if entries else "version: 1\napprovals: []\n"


def entry_text(values: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """One entry of a file: a list item with a line for each key, then comments."""
    lines = [f"{_text(key)}: {_value(value)}" for key, value in values.items()]
    lines += [f"# {printable(comment)}" for comment in comments]
    return "".join(f"  {'- ' if at == 0 else '  '}{line}\n" for at, line in enumerate(lines))


def _value(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)}: {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    return _UNSAFE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
