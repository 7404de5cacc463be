"""Mistakes in text that YAML refuses, and the author's most likely intent."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from cloudsigma.compiler.remedies import quoted, shortened

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GENERAL = "Check indentation, brackets and quotation marks there."
_QUOTE = "Put the value in quotation marks."
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""The line breaks of YAML 1.1."""


class YamlMistake(NamedTuple):
    """A reason, its place (line and column from 0) and a remedy."""

    reason: str
    line: int
    column: int | None
    remedy: str


def yaml_mistake(error: Exception, text: str) -> YamlMistake:
    """The mistake behind an error of the YAML parser, over the text that it was given."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return _unprintable(text) or YamlMistake("the text is not YAML", 0, None, _GENERAL)
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return YamlMistake("the text is not YAML", 0, None, _GENERAL)
    start = error.context_mark or mark
    lines = _BREAK.split(text)
    return _known(error, mark, start, lines) or YamlMistake(
        f"the text is not YAML: {_words(error)}", mark.line, mark.column, _GENERAL
    )


def _unprintable(text: str) -> YamlMistake | None:
    found = _UNPRINTABLE.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    kind = "half of a surrogate pair" if 0xD800 <= ord(found[0]) < 0xE000 else "a control character"
    shown = f"\\x{ord(found[0]):02x}" if ord(found[0]) < 0x100 else f"\\u{ord(found[0]):04x}"
    column = len(before) - before.rfind("\n") - 1
    return YamlMistake(f"the text has {kind}, {shown}", before.count("\n"), column, "Remove it.")


def _words(error: yaml.MarkedYAMLError) -> str:
    return shortened(" ".join(filter(None, (error.context, error.problem))))


def _line(lines: list[str], mark: Any) -> str:
    return lines[mark.line] if mark.line < len(lines) else ""


def _known(error: yaml.MarkedYAMLError, mark: Any, start: Any, lines: list[str]) -> YamlMistake | None:
    said, at = _words(error), (mark.line, mark.column)
    line = _line(lines, mark)
    rest = line[mark.column :]
    if "cannot start any token" in said:
        if rest.startswith("\t"):
            return YamlMistake("a tab indents the line", *at, "Indent with blanks: YAML takes no tabs there.")
        return _beginning(rest, at)
    if "expected alphabetic or numeric" in said:
        place = (start.line, start.column)
        word = _line(lines, start)[start.column :].split("#")[0].strip()
        return YamlMistake(f"{quoted(word)} begins with {word[:1]}, a sign of YAML", *place, _in_quotes(word))
    if "quoted scalar" in said and "end of stream" in said:
        return YamlMistake("a quotation mark is not closed", start.line, start.column, "Close it, or remove it.")
    if "unknown escape" in said:
        escape = quoted(line[mark.column : mark.column + 2])[1:-1].replace("\\\\", "\\")
        reason = f"{escape} in double quotation marks is not an escape of YAML"
        return YamlMistake(reason, mark.line, mark.column, "Put the value in single quotation marks.")
    return _structure(said, mark, start, lines)


def _structure(said: str, mark: Any, start: Any, lines: list[str]) -> YamlMistake | None:
    at = (mark.line, mark.column)
    line = _line(lines, mark)
    if "mapping values are not allowed" in said:
        if re.search(r":\s", line[: mark.column]):
            return YamlMistake("a value has a colon and a blank", *at, _QUOTE)
        return YamlMistake("the line is indented more than the one above it", *at, "Align it with the lines above.")
    if "flow sequence" in said or "flow mapping" in said:
        sign, closing = ("[", "]") if "sequence" in said else ("{", "}")
        remedy = f"Close it with {closing}, or put the value in quotation marks if text is meant."
        return YamlMistake(f"a {sign} is not closed", start.line, start.column, remedy)
    if "expected key" in said or "did not find expected '-'" in said:
        if line[: mark.column].strip():
            reason = f"{quoted(line[mark.column :].strip())} follows a value that has ended"
            return YamlMistake(reason, *at, "Put the whole value in quotation marks; double a ' within single ones.")
        reason = "the line is not aligned with the lines above it"
        return YamlMistake(reason, *at, "Indent it as far as the other lines of its block.")
    if "block sequence entries" in said:
        return YamlMistake("a list begins on the line of its key", *at, "Begin each - on a new line.")
    if "expected node content" in said:
        return _beginning(line[mark.column :], at)
    if "block scalar" in said:
        sign = _line(lines, start)[start.column : start.column + 1]
        reason = f"{sign} begins a text of several lines"
        return YamlMistake(reason, start.line, start.column, _QUOTE)
    if "could not find expected ':'" in said:
        written = _line(lines, start).strip()
        remedy = "Write key: value, with a blank behind the colon."
        if written.startswith("-"):
            remedy = "Write a blank behind the -."
        return YamlMistake(f"the line {quoted(written)} has no key", start.line, start.column, remedy)
    return None


def _beginning(rest: str, at: tuple[int, int]) -> YamlMistake:
    word = rest.strip()
    if not word:
        return YamlMistake("a value must follow, or a bracket must be closed", *at, _GENERAL)
    return YamlMistake(f"a value cannot begin with {word[:1]}", *at, _in_quotes(word))


def _in_quotes(word: str) -> str:
    return f"Put it in quotation marks: '{shortened(word)}'." if "'" not in word else _QUOTE
