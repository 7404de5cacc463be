"""Doubts about the values of one item: text probably meant as another type, and missing values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from cloudsigma.compiler.document import Located, Path
from cloudsigma.compiler.doubts.texts import control_in, foreign_letter_in, invisible_in
from cloudsigma.compiler.items import TIME_RANGES, holds_for_part
from cloudsigma.compiler.remedies import quoted, shortened, spelled
from cloudsigma.errors import RuleError

_Doubt = tuple[str, str]
"""Reason and remedy."""

_EQUALITY = frozenset({"cased", "neq", "all"})
"""Modifiers under which the whole text is still compared."""
_HIDDEN = re.compile(r"[^\x20-\x7e\t\r\n]")
_LIST = re.compile(r"[\w.:*-]+(?:\s*[,;]\s*[\w.:*-]+)+|[\w.:*-]+(?: (?:or|OR|and|AND) [\w.:*-]+)+|\[.*,.*\]", re.DOTALL)
_NETWORK = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}|[0-9a-f:]*::?[0-9a-f:]*/[0-9]{1,3}", re.IGNORECASE)
_PERCENT = re.compile(r"%[A-Za-z_]\w*%?|[A-Za-z_]\w*%")
_ALTERNATIVES = re.compile(r"[\w.:*-]+(?:\s*\|\s*[\w.:*-]+)+")
_NEGATION = re.compile(r"!=?\s*\w|==?\s*\w|not\s|<>\s*\w|[<>]=?\s*[0-9]", re.IGNORECASE)
_EXPRESSION = re.compile(
    r"\^\w|.*\w\$$|.*\w\.\*\w|.*\(\w+(?:\|\w+)+\)|.*(?<!\\)\\[dws][+*]|.*\[[A-Za-z0-9^-]+\]", re.DOTALL
)
_QUOTES = re.compile("(?:'[^']*'|\"[^\"]*\"|`[^`]*`|[\u201c\u201d].*[\u201c\u201d]|[\u2018\u2019].*[\u2018\u2019])")
_GLOB = re.compile(r"[\w:/ .-]*\w\*[\w:/ *-]*")
_DELIMITED = re.compile(r"/(?:[^/]|\\/)+/[imsgux]*")
_FIELD_TEST = re.compile(r"[A-Za-z][\w.]*(?:\|\w+)?\s*[:=]\s*\S")


def value_doubts(
    key: str | None, values: Sequence[Any], way: Path, located: Located, *, aws: bool
) -> Iterator[RuleError]:
    """Warnings about the values of one item, each at its place.

    Args:
        key: Field and modifiers as written; `None` for keywords.
        values: As YAML has them.
        way: The way to the item.
        located: Makes the warnings.
        aws: Whether the rule is for AWS; other log sources have texts in other formats.
    """
    kind = _kind_of(key)
    if not values:
        reason = "an empty list asks for a field without a value"
        yield located.warning("value", reason, way, "Add a value, or write null if that is meant.")
    for at, value in enumerate(values):
        if type(value) is str:
            if not (kind.plain or kind.watched) and value and not _HIDDEN.search(value):
                continue
            doubt = _text_doubt(value, kind, aws=aws)
        else:
            doubt = _other_doubt(value, kind, (way, (*way, at)), located)
        if doubt is not None:
            reason, remedy = doubt
            yield located.warning("value", reason, (*way, at) if len(values) > 1 else way, remedy)


class _Kind:
    """The properties of an item's values that follow from its key."""

    __slots__ = ("field", "modifiers", "operator", "part", "plain", "watched")

    def __init__(self, key: str | None) -> None:
        name, *modifiers = (key or "").split("|")
        self.field = name
        self.modifiers = frozenset(modifiers)
        self.plain = self.modifiers <= _EQUALITY
        self.part = next((modifier for modifier in modifiers if modifier in TIME_RANGES), None)
        self.operator = next((modifier for modifier in modifiers if modifier in ("lt", "lte", "gt", "gte")), "eq")
        self.watched = bool(self.modifiers & {"re", "expand"})


_kind_of = lru_cache(maxsize=4_096)(_Kind)


def _text_doubt(value: str, kind: _Kind, *, aws: bool) -> _Doubt | None:
    shown = quoted(value)
    if _HIDDEN.search(value) and (doubt := _hidden_doubt(value)):
        return doubt
    if kind.plain and kind.field:
        return _equality_doubt(value, kind.field, shown, aws=aws)
    if kind.plain:
        if aws and _FIELD_TEST.match(value):
            reason = f"the keyword {shown} is searched as text, not as a field and its value"
            return reason, "Write field: value, with a blank behind the colon and no quotation marks around both."
        return None
    if "re" in kind.modifiers:
        return _expression_doubt(value, shown)
    if "expand" in kind.modifiers and value.count("%") < 2:
        return f"expand replaces %names%, and {shown} has none", f"Write '%{shortened(value.strip('%'))}%'."
    if not value and kind.modifiers & {"contains", "startswith", "endswith"}:
        return "an empty text is part of every text", "Write a value, or field|exists: true."
    return None


def _hidden_doubt(value: str) -> _Doubt | None:
    if found := control_in(value):
        reason = f"the value has a control character, which {found} in double quotation marks makes"
        return reason, f"Put it in single quotation marks if {found} is meant as written."
    if found := invisible_in(value):
        return f"the value {quoted(value)} has an invisible character ({found})", "Type the value again."
    if found := foreign_letter_in(value):
        return f"the value has a letter that looks like another ({found})", "Type the value again."
    return None


def _equality_doubt(value: str, field: str, shown: str, *, aws: bool) -> _Doubt | None:
    if value != value.strip():
        if value.endswith("\n"):
            return f"{shown} ends with a line break, which is compared, too", "Write the value on the line of its key."
        reason = f"{shown} begins or ends with a blank, and the whole text is compared"
        return reason, "Remove the blank, or use contains."
    if not aws and not _NEGATION.match(value):
        return None
    if _NEGATION.match(value):
        if value[0] in "<>" and value[1:2] != ">":
            return f"{shown} is compared as text", "Use the modifiers gt, gte, lt and lte, with a number."
        if value[0] == "=":
            return f"{shown} is compared as text, its = too", "Write the value alone."
        return f"{shown} is compared as text, its negation too", "Negate a selection in the condition."
    if re.match(r"-\w", value):
        return f"{shown} begins with a hyphen, which is a part of the text", "Write a blank behind the - of a list."
    if _LIST.fullmatch(value):
        listed = re.sub(r"\s*[,;]\s*| (?:or|and) ", ", ", value.strip("[]"), flags=re.IGNORECASE)
        return f"{shown} is one text, not several values", f"Write a list: [{shortened(listed)}]."
    if _ALTERNATIVES.fullmatch(value):
        return f"{shown} is one text, not several values", f"Write a list: [{shortened(', '.join(value.split('|')))}]."
    if field.lower().endswith("ipaddress") and _NETWORK.fullmatch(value):  # cidrIp: 0.0.0.0/0 is the text itself
        return f"{shown} is compared as text, not as a network", "Use the modifier cidr."
    if _PERCENT.fullmatch(value):
        return f"% is not a wildcard in {shown}", "Write * for any text, or use the modifier expand for a placeholder."
    if _QUOTES.fullmatch(value):
        return f"the quotation marks of {shown} are part of the text", "Keep one pair of plain quotation marks."
    if value.lower() in ("null", "none", "nil", "undefined"):
        return f"{shown} is text here", "Write null without quotation marks for a field without a value."
    if _EXPRESSION.match(value):
        return f"{shown} is compared as text, with * and ? as wildcards", "Use the modifier re."
    return None


def _expression_doubt(value: str, shown: str) -> _Doubt | None:
    if _GLOB.fullmatch(value) and ".*" not in value:
        reason = f"in the regular expression {shown} a * repeats the character before it"
        return reason, f"Write {shortened(re.sub(r'(?<![.])[*]', '.*', value))}, or leave re out."
    if len(value) > 2 and _DELIMITED.fullmatch(value) and re.search(r"[\\\[\](){}+*?|^$]|/[imsgux]+$", value):
        return f"the slashes around {shown} are part of the expression", "Remove them; flags are modifiers: re|i."
    if not value:
        return "an empty expression is found in every text", "Write an expression, or field|exists: true."
    return None


def _other_doubt(value: Any, kind: _Kind, ways: tuple[Path, Path], located: Located) -> _Doubt | None:
    if value is None and any(way in located.document.unwritten for way in ways):
        return "no value is written, which YAML reads as null", "Write the value, or null if that is meant."
    if kind.part and isinstance(value, (int, float)) and holds_for_part(kind.part, kind.operator, value):
        return f"every {kind.part} passes {kind.operator} {spelled(value)}", "Write another number, or exists: true."
    if type(value) is float and kind.plain and kind.field:
        shown = spelled(value)
        reason = f"YAML reads {shown} as a number, which equals {shown}0, too"
        return reason, f"Put it in quotation marks if the text is meant: '{shown}'."
    return None
