"""Where the cursor is in the text of a rule: which key or value, below which keys. The text may not be YAML yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

Part = Literal["key", "modifier", "value", "nowhere"]

_LINE = re.compile(r"(?P<blank>\s*)(?P<dashes>(?:- +|-$)*)(?P<rest>.*)")
_KEY = re.compile(r"(?P<quote>['\"]?)(?P<key>[^\s'\":#\[\]{},][^'\":#\[\]{},]*?)(?P=quote)\s*:(?:\s+(?P<value>.*))?$")
_WORD = re.compile(r"[^\s'\"\[\]{},]*")
_ITEM = re.compile(r"[^\s,\[\]'\"][^,\[\]'\"]*")


class Cursor(msgspec.Struct, frozen=True):
    """The place of the cursor."""

    part: Part
    way: tuple[str, ...] = ()
    """The keys above, from the top of the document: `("detection", "selection")`."""
    key: str = ""
    """Of a value or a modifier, its key as written, such as `eventName|contains`."""
    word: str = ""
    """The text under the cursor, from its beginning."""
    start: int = 0
    """The column at which it begins, in characters from 0."""
    end: int = 0
    """The column behind it."""

    @property
    def field(self) -> str:
        """The key without modifiers."""
        return self.key.split("|")[0]


def cursor_at(lines: Sequence[str], line: int, column: int) -> Cursor:
    """The place of a position, counted from 0."""
    if not 0 <= line < len(lines):
        return Cursor("nowhere")
    text = lines[line].rstrip("\r\n")
    column = min(column, len(text))
    comment = _comment(text)
    if comment is not None and column > comment:
        return Cursor("nowhere")
    shape = _shape(text)
    begin, found = shape.column, _KEY.match(text[shape.column : comment])
    if found is None:
        return _without_key(lines, line, column, shape)
    key_end = begin + found.end("key")
    if column <= key_end:
        return _in_key(found["key"], begin + found.start("key"), column, _way(lines, line, shape.column))
    start, end = _word_around(text, column, key_end + 1)
    return Cursor("value", _way(lines, line, shape.column), found["key"], text[start:end], start, end)


def _without_key(lines: Sequence[str], line: int, column: int, shape: _Shape) -> Cursor:
    """A line without a key: a value of a list, or a key that is being written."""
    text = lines[line].rstrip("\r\n")
    start, end = _word_around(text, column, shape.column)
    above = _way(lines, line, shape.column)
    listed = _list_key(lines, line, shape) if shape.dashes else None
    if listed is not None:
        way = above[:-1] if above and above[-1] == listed else above
        return Cursor("value", way, listed, text[start:end], start, end)
    return _in_key(text[start:end], start, column, above)


def _in_key(key: str, start: int, column: int, way: tuple[str, ...]) -> Cursor:
    bar = key.rfind("|", 0, max(column - start, 0))
    if bar < 0:
        end = key.find("|")
        word = key if end < 0 else key[:end]
        return Cursor("key", way, key, word, start, start + len(word))
    stop = key.find("|", bar + 1)
    word = key[bar + 1 : stop if stop >= 0 else None]
    return Cursor("modifier", way, key, word, start + bar + 1, start + bar + 1 + len(word))


# --- lines --------------------------------------------------------------------------------------------------


class _Shape(msgspec.Struct, frozen=True):
    column: int
    """The column of the first text, behind dashes."""
    indent: int
    """The column of the first dash, or of the text."""
    dashes: bool


def _shape(text: str) -> _Shape:
    found = _LINE.match(text)
    assert found is not None  # noqa: S101  # it matches any text
    return _Shape(found.start("rest"), found.end("blank"), bool(found["dashes"]))


def _way(lines: Sequence[str], line: int, column: int) -> tuple[str, ...]:
    """The keys above a line whose text begins at a column."""
    way: list[str] = []
    own = _shape(lines[line])
    limit = own.indent + 1 if own.dashes else column
    for above in range(line - 1, -1, -1):
        text = lines[above].rstrip("\r\n")
        if text.startswith("---"):
            break
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        shape = _shape(text)
        found = _KEY.match(text[shape.column : _comment(text)])
        if found is not None and shape.column < limit:
            way.insert(0, found["key"])
            limit = shape.indent + 1 if shape.dashes else shape.column
        if limit <= 0:
            break
    return tuple(way)


def _list_key(lines: Sequence[str], line: int, shape: _Shape) -> str | None:
    """The key whose list a line with a dash belongs to; `None` if that key has a value of its own."""
    for above in range(line - 1, -1, -1):
        text = lines[above].rstrip("\r\n")
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        before = _shape(text)
        if before.dashes and before.indent == shape.indent:
            if _KEY.match(text[before.column :]):
                return None  # a list of maps
            continue
        found = _KEY.match(text[before.column : _comment(text)])
        if found is not None and before.column <= shape.indent:
            return None if found["value"] else found["key"]
        if before.column < shape.indent:
            return None
    return None


def _word_around(text: str, column: int, least: int) -> tuple[int, int]:
    """The word that ends or lies at a column, not before another."""
    start = column
    while start > least and _WORD.fullmatch(text[start - 1]) and text[start - 1] != " ":
        start -= 1
    found = _WORD.match(text, column)
    return start, found.end() if found else column


def _comment(text: str) -> int | None:
    """Where the comment of a line begins."""
    quote = ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and (at == 0 or text[at - 1] in " \t[{,:-"):
            quote = letter
        elif letter == "#" and (at == 0 or text[at - 1] in " \t"):
            return at
    return None


# --- what else the document says ----------------------------------------------------------------------------


def document_of(lines: Sequence[str], line: int) -> list[str]:
    """The lines of the document that a line is in."""
    begin = next((at for at in range(min(line, len(lines) - 1), -1, -1) if lines[at].startswith("---")), -1)
    end = next((at for at in range(line + 1, len(lines)) if lines[at].startswith("---")), len(lines))
    return list(lines[begin + 1 : end])


def values_of(lines: Sequence[str], field: str) -> tuple[str, ...]:
    """The values that a document gives a field, with any modifiers, in order."""
    values: dict[str, None] = {}
    collecting = -1
    for line in lines:
        text = line.rstrip("\r\n")
        shape = _shape(text)
        comment = _comment(text)
        found = _KEY.match(text[shape.column : comment])
        if found is not None:
            is_field = found["key"].split("|")[0] == field
            collecting = shape.column if is_field else -1
            if is_field and found["value"]:
                values.update(dict.fromkeys(each.strip() for each in _ITEM.findall(found["value"])))
        elif collecting >= 0 and shape.dashes and shape.indent >= collecting:
            values.update(dict.fromkeys(each.strip() for each in _ITEM.findall(text[shape.column : comment])))
    return tuple(values)


def names_below(lines: Sequence[str], section: str) -> tuple[str, ...]:
    """The keys directly below a key at the top: the names of selections."""
    names: list[str] = []
    inside, indent = False, -1
    for line in lines:
        text = line.rstrip("\r\n")
        shape = _shape(text)
        found = _KEY.match(text[shape.column : _comment(text)])
        if found is None:
            continue
        if shape.column == 0:
            inside, indent = found["key"] == section, -1
        elif inside and (indent < 0 or shape.column == indent):
            indent = shape.column
            names.append(found["key"])
    return tuple(names)
