"""Mistakes in one item of a selection: a field with its modifiers, and the values.

`item_errors` finds meaningless items that pySigma accepts; `refusal` explains in plain words why pySigma refuses an
item. Both name the value, and the remedy that its author most likely needs.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import re
from collections.abc import Iterator
from typing import Any

import re2
from sigma.modifiers import modifier_mapping

from cloudsigma.compiler.document import Located, Path
from cloudsigma.compiler.remedies import nearest, quoted, shortened, spelled
from cloudsigma.errors import Category, RuleError

_COMPARISONS = frozenset({"lt", "lte", "gt", "gte"})
TIME_RANGES: dict[str, tuple[int, int]] = {
    "minute": (0, 59), "hour": (0, 23), "day": (1, 31), "week": (1, 53), "month": (1, 12), "year": (1, 9999),
}  # fmt: skip
"""The least and the greatest value of each part of a time."""
_TIME_PARTS = tuple(TIME_RANGES)
_NEEDS_FIELD = frozenset({*_COMPARISONS, *_TIME_PARTS, "fieldref", "exists"})
_NUMBERS = frozenset({*_COMPARISONS, *_TIME_PARTS})
_ANY_CASE = "Text is compared without regard to case: write contains, startswith, endswith or no modifier."
_SYNONYMS = {
    **dict.fromkeys(("in", "any", "or", "oneof", "anyof"), "A list of values means any of them: leave it out."),
    **dict.fromkeys(("regex", "regexp", "rx", "matches", "match", "pattern"), "Did you mean 're'?"),
    **dict.fromkeys(
        ("eq", "equals", "equal", "is", "exact", "exactly"), "Equality needs no modifier: write field: value."
    ),
    **dict.fromkeys(("=", "=="), "Equality needs no modifier: write field: value."),
    **dict.fromkeys((">", "above", "over", "after", "morethan", "greaterthan"), "Did you mean 'gt'?"),
    **dict.fromkeys(("<", "below", "under", "before", "lessthan", "smaller"), "Did you mean 'lt'?"),
    **dict.fromkeys(
        ("begins", "beginswith", "begin", "starts", "prefix", "startsw", "sw"), "Did you mean 'startswith'?"
    ),
    **dict.fromkeys(("ends", "end", "suffix", "ew", "finishes"), "Did you mean 'endswith'?"),
    **dict.fromkeys(("includes", "include", "substring", "has", "find", "search"), "Did you mean 'contains'?"),
    **dict.fromkeys(("present", "defined", "isset", "notnull", "isnotnull", "notempty"), "Write field|exists: true."),
    **dict.fromkeys(("like", "glob", "wildcard", "wildcards"), "Write * and ? in the value, without a modifier."),
    **dict.fromkeys(("ge", "geq", "min", "greater", "atleast", ">=", "=>"), "Did you mean 'gte'?"),
    **dict.fromkeys(("le", "leq", "max", "less", "atmost", "<=", "=<"), "Did you mean 'lte'?"),
    **dict.fromkeys(("ip", "net", "network", "subnet", "ipcidr", "ipv4", "ipv6"), "Did you mean 'cidr'?"),
    **dict.fromkeys(("null", "isnull", "empty", "missing", "none"), "Write field: null, or field|exists: false."),
    **dict.fromkeys(("iequals", "icontains", "ieq", "lower", "upper", "nocase", "insensitive"), _ANY_CASE),
    **dict.fromkeys(("case", "casesensitive", "sensitive", "cs"), "Did you mean 'cased'?"),
    **dict.fromkeys(("range", "between"), "Write two selections, one with gte and one with lte."),
    **dict.fromkeys(("not", "isnot"), "Negate in the condition: selection and not filter (or use the modifier neq)."),
    **dict.fromkeys(("ne", "noteq", "notequals", "notequal", "!=", "<>"), "Did you mean 'neq'?"),
    "and": "Did you mean 'all'?",
    "b64": "Did you mean 'base64'?",
    "": "Write a modifier behind the |, or remove it.",
}
_EXPRESSION_REMEDIES = {
    "no argument for": "In a regular expression * repeats the character before it: write .* for any text.",
    "bad repetition": "Remove one of the two: RE2 has no possessive parts.",
    "missing )": "Close each ( with a ), and write \\( for the character.",
    "unexpected )": "Open each ) with a (, and write \\) for the character.",
    "missing ]": "Close each [ with a ], and write \\[ for the character.",
    "repetition size": "RE2 repeats a part at most 1,000 times.",
    "escape sequence": "RE2 does not know it: write ^ and $ for the ends of the text, \\\\ for a backslash.",
    "trailing": "Write \\\\ for a backslash.",
}
_INSTEAD_OF = {
    ("contains", "re"): "Remove contains: a regular expression is found anywhere in the text.",
    ("startswith", "re"): "Write field|re: ^…, without startswith.",
    ("endswith", "re"): "Write field|re: …$, without endswith.",
    ("contains", "cidr"): "Remove contains: cidr asks for the addresses of a network.",
}


def item_errors(key: str | None, values: list[Any], way: Path, located: Located) -> Iterator[RuleError]:
    """The errors of a meaningless item that pySigma accepts; `key` is `None` for keywords."""
    name, *modifiers = (key or "").split("|")
    if key is not None and name != name.strip():
        yield located.error("schema", f"the field name {quoted(name)} begins or ends with a blank", way, "Remove it.")
    if not name and (wrong := next((modifier for modifier in modifiers if modifier in _NEEDS_FIELD), None)):
        yield located.error("modifier", f"{wrong} needs a field, and keywords have none", way, "Name the field.")
    if modifiers:
        yield from _modifier_errors(modifiers, values, way, located)
    if key is not None and not name and not values:
        yield located.error("schema", "the list of keywords is empty", way, "Add a keyword or remove the line.")
    for at, value in enumerate(values):
        if type(value) is str:  # as nearly every value is
            continue
        place: Path = (*way, at) if len(values) > 1 else way
        if isinstance(value, (dict, list)):
            kind, remedy = "map", "Write nested fields as one dotted name: parent.child: value."
            if isinstance(value, list):
                kind, remedy = "list inside a list", "Write one list of values."
            yield located.error("value", f"a {kind} is used as a value", place, remedy)
        elif isinstance(value, (dt.date, dt.datetime, bytes)) or not _is_finite(value):
            kind = "binary" if isinstance(value, bytes) else "a date" if isinstance(value, dt.date) else "a number"
            shown = "the value" if isinstance(value, bytes) else shortened(str(value))
            reason = f"YAML reads {shown} as {kind} that no field can equal"
            yield located.error("value", reason, place, "Put it in quotation marks to compare it as text.")
        elif "re" in modifiers:
            reason = f"the regular expression {quoted(value)} is not text"
            yield located.error("value", reason, place, "Put it in quotation marks.")
        elif value is None and not name:
            yield located.error("schema", "null is used as a keyword", place, "Bind it to a field: field: null.")


def _modifier_errors(modifiers: list[str], values: list[Any], way: Path, located: Located) -> Iterator[RuleError]:
    if "re" in modifiers and (wrong := next((each for each in modifiers if each in ("startswith", "endswith")), None)):
        reason = f"re with {wrong} does not mean more than re alone"
        yield located.error("unsupported", reason, way, "Use ^ or $ in the expression.")
    if not values:
        reason = f"an empty list under {modifiers[0]} matches nothing"
        yield located.error("value", reason, way, "Add a value, or remove the line.")
    parts = [modifier for modifier in modifiers if modifier in _TIME_PARTS]
    if len(parts) > 1:
        reason = f"{parts[0]} and {parts[1]} are two parts of one time, and no value has both"
        yield located.error("modifier", reason, way, f"Write two items: field|{parts[0]} and field|{parts[1]}.")
    wide = next((modifier for modifier in modifiers if modifier in ("wide", "utf16", "utf16le", "utf16be")), None)
    if wide is not None and not any(modifier in ("base64", "base64offset") for modifier in modifiers):
        reason = f"{wide} without base64 asks for text with a zero byte beside each letter, which no record has"
        yield located.error("modifier", reason, way, f"Write {wide}|base64offset|contains, or remove {wide}.")


def holds_for_part(unit: str, operator: str, number: int | float) -> bool | None:
    """Whether a comparison holds for every value of a part of a time (true), for none (false), or for some (`None`)."""
    least, most = TIME_RANGES[unit]
    if operator == "eq":
        return None if least <= number <= most else False
    below = operator in ("lt", "lte")
    first, last = (least, most) if below else (most, least)
    if not _compares(operator, first, number):  # not even the nearest value
        return False
    return True if _compares(operator, last, number) else None


def _compares(operator: str, left: int | float, right: int | float) -> bool:
    match operator:
        case "lt":
            return left < right
        case "lte":
            return left <= right
        case "gt":
            return left > right
    return left >= right


def _is_finite(value: Any) -> bool:
    try:
        return not isinstance(value, (int, float)) or math.isfinite(value)
    except OverflowError:  # an integer beyond the floats, which pySigma refuses
        return False


# --- refusals of pySigma ------------------------------------------------------------------------------------


def refusal(error: Exception, key: str | None, values: Any, way: Path, located: Located) -> RuleError:
    """Why pySigma refused an item, in plain words."""
    _, *modifiers = (key or "").split("|")
    unknown = next((modifier for modifier in modifiers if modifier not in modifier_mapping), None)
    if unknown is not None:
        word = unknown.strip().lower()
        remedy = f"Did you mean {word!r}?" if word in modifier_mapping else _SYNONYMS.get(re.sub(r"[_ -]", "", word))
        if remedy is None and word.startswith(("not", "doesnot", "!")):
            remedy = _SYNONYMS["not"]
        reason = f"there is no modifier {quoted(unknown)}" if unknown else "there is a | without a modifier"
        return located.error("modifier", reason, way, remedy or nearest(unknown, modifier_mapping))
    listed = values if isinstance(values, list) else [values]
    ways = [(*way, at) for at in range(len(listed))] if isinstance(values, list) else [way]
    written = [
        located.document.spelled.get(each, (spelled(value),))[0] for each, value in zip(ways, listed, strict=True)
    ]
    category, reason, remedy, at = _Refusal(str(error.args[0]) if error.args else "", modifiers, listed, written).told()
    place = ways[at] if at is not None and len(ways) > 1 else way
    return located.error(category, reason, place, remedy)


_Told = tuple[Category, str, str, int | None]
"""Category, reason, remedy, and the position of the value."""


class _Refusal:
    """One item that pySigma has refused with a message."""

    def __init__(self, message: str, modifiers: list[str], values: list[Any], written: list[str]) -> None:
        self._message = " ".join(message.split())
        self._modifiers = modifiers
        self._values = values
        self._written = written

    def told(self) -> _Told:
        message = self._message
        if found := re.match(r"Modifier (\w+) incompatible", message):
            written = (each for each in self._modifiers if modifier_mapping[each].__name__ == found[1])
            return self._wrong_type(next(written, ""))
        if "expects number" in message:
            return self._not_a_number(next(each for each in self._modifiers if each in _COMPARISONS))
        if "only applicable to unmodified" in message:
            modifier = next(each for each in ("re", "cidr", "exists") if each in self._modifiers)
            return self._out_of_order(modifier)
        if "Invalid CIDR" in message:
            return self._network()
        if message.startswith("Regular expression"):
            return self._expression()
        return self._encoding()

    def _first(self, *types: type) -> tuple[int, Any] | None:
        """The first value of another type than these."""
        return next(((at, v) for at, v in enumerate(self._values) if type(v) not in types), None)

    def _wrong_type(self, modifier: str) -> _Told:
        if modifier in ("i", "m", "s"):
            reason = f"{modifier} is a flag of regular expressions, and no re comes before it"
            extra = " Text is compared without regard to case anyway." if modifier == "i" else ""
            return "modifier", reason, f"Write field|re|{modifier}, or remove {modifier}.{extra}", None
        if modifier == "exists":
            wrong = self._first(bool)
            shown = quoted(wrong[1]) if wrong else "this"
            remedy = "Write exists: true or exists: false, without quotation marks."
            return "modifier", f"exists takes true or false, and {shown} is neither", remedy, wrong and wrong[0]
        if modifier in _NUMBERS:
            return self._not_a_number(modifier)
        if wrong := self._first(str):
            at, value = wrong
            if value is None:
                return "modifier", f"{modifier} compares text, and the value is null", "Write field: null.", at
            kind = "a boolean" if isinstance(value, bool) else "a number"
            shown = shortened(self._written[at])
            reason = f"{modifier} compares text, and YAML reads {shown} as {kind}"
            return "modifier", reason, f"Put it in quotation marks: '{shown}'.", at
        return self._out_of_order(modifier)

    def _not_a_number(self, modifier: str) -> _Told:
        wrong = self._first(int, float)
        if wrong is None:
            return self._out_of_order(modifier)
        at, value = wrong
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", value):
            remedy = f"Write it without quotation marks: {shortened(value)}."
        elif isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,3}(?:,[0-9]{3})+", value):
            remedy = f"Write {shortened(value.replace(',', ''))}."
        elif isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            remedy = f"Compare parts of a time: field|year|{modifier}: {value[:4]}."
        else:
            remedy = f"Write a number: {modifier}: 5."
        kind = "text" if isinstance(value, str) else "null" if value is None else "a boolean"
        return "modifier", f"{modifier} compares numbers, and {quoted(value)} is {kind}", remedy, at

    def _out_of_order(self, modifier: str) -> _Told:
        before = self._modifiers[: self._modifiers.index(modifier)] if modifier in self._modifiers else []
        if not before:
            return "modifier", f"{modifier} cannot be used with this value", "Correct the value.", None
        remedy = _INSTEAD_OF.get((before[-1], modifier))
        if remedy is None and modifier in _TIME_PARTS and before[-1] in _COMPARISONS:
            remedy = f"Write {modifier}|{before[-1]}."
        reason = f"{modifier} cannot follow {before[-1]}"
        return "modifier", reason, remedy or f"Remove {before[-1]} or {modifier}.", None

    def _network(self) -> _Told:
        for at, value in enumerate(self._values):
            text = str(value)
            try:
                ipaddress.ip_network(text)
            except ValueError:
                return "value", *_network_mistake(text), at
        return "value", "a network is malformed", "Write it as 10.0.0.0/8 or 2001:db8::/32.", None

    def _expression(self) -> _Told:
        for at, value in enumerate(self._values):
            if isinstance(value, str) and (problem := expression_mistake(value)):
                return "value", *problem, at
        return "value", "the regular expression is invalid", "See RE2's syntax.", None

    def _encoding(self) -> _Told:
        message = self._message
        if "wildcards is not allowed" in message:
            at, value = next(((at, v) for at, v in enumerate(self._values) if re.search(r"[*?]", str(v))), (None, ""))
            reason = f"base64 encodes a whole text, and {quoted(value)} has a wildcard"
            return "value", reason, "Remove the wildcard, or write \\* or \\? for the character itself.", at
        if "only allowed for ascii" in message or "valid Unicode" in message:
            bad = next(((at, v) for at, v in enumerate(self._values) if not str(v).isascii()), (None, ""))
            reason = f"{quoted(bad[1])} has characters that cannot be encoded"
            return "value", reason, "Use ASCII letters, or another encoding.", bad[0]
        if message.startswith("windash"):
            remedy = "Split it into several values with fewer dashes."
            return "value", "windash replaces at most three dashes of a value", remedy, None
        if message.startswith("Field references"):
            return "value", "fieldref names a field, and a name has no wildcards", "Write the name of the field.", None
        plain = re.sub(r"\bSigma(?=[A-Z])\w+", "value", message).rstrip(".")
        return "value", f"it cannot be read ({shortened(plain)})", "See the rule reference.", None


def _network_mistake(text: str) -> tuple[str, str]:
    """Reason and remedy for the text of a network that Python cannot parse."""
    try:
        fitting = ipaddress.ip_network(text, strict=False)
    except ValueError:
        pass
    else:
        return f"{quoted(text)} has host bits set", f"Write {fitting}."
    if found := re.fullmatch(r"((?:[0-9]{1,3}\.){1,3})(?:\*(?:\.\*)*|[0-9]{1,3}-[0-9]{1,3})", text):
        octets = found[1].count(".")
        if "*" in text:
            return f"{quoted(text)} is not a network", f"Write {found[1]}{'.'.join('0' * (4 - octets))}/{8 * octets}."
    if "," in text:
        return f"{quoted(text)} is one text, not several networks", "Write a list of networks."
    address = text.partition("/")[0]
    for kind, bits in ((ipaddress.IPv4Address, 32), (ipaddress.IPv6Address, 128)):
        try:
            kind(address)
        except ValueError:
            continue
        return f"{quoted(text)} has no valid prefix", f"The number behind the / is between 0 and {bits}."
    return f"{quoted(text)} is not a network", "Write networks as 10.0.0.0/8 or 2001:db8::/32, and one value for each."


def expression_mistake(pattern: str, flags: str = "") -> tuple[str, str] | None:
    """Reason and remedy for a regular expression that RE2 refuses."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(f"(?{flags}){pattern}" if flags else pattern, options)
    except re2.error as error:
        raw = error.args[0] if error.args else ""
        problem = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
        kind, _, part = problem.partition(": ")
        shown = kind if part in ("", pattern) else f"{kind} {shortened(part)}"
        reason = f"the regular expression {quoted(pattern)} is invalid ({shown})"
        return _unsupported_part(pattern) or (reason, _expression_remedy(problem))
    return None


def _unsupported_part(pattern: str) -> tuple[str, str] | None:
    if found := re.search(r"\(\?(?:<?[=!])", pattern):
        kind = "look-behind" if "<" in found[0] else "look-ahead"
        reason = f"the regular expression {quoted(pattern)} has a {kind}, and RE2 has none"
        return reason, "Negate a selection in the condition instead." if "!" in found[0] else "Match the whole text."
    if re.search(r"(?<!\\)(?:\\\\)*\\(?:[1-9]|k<)", pattern):
        return (f"the regular expression {quoted(pattern)} has a back-reference, and RE2 has none",
                "Write the text out.")  # fmt: skip
    if re.search(r"\(\?>|[*+?}]\+", pattern):
        return (f"the regular expression {quoted(pattern)} has an atomic or possessive part, and RE2 has none",
                "Remove it: RE2 does not backtrack.")  # fmt: skip
    return None


def _expression_remedy(problem: str) -> str:
    for part, remedy in _EXPRESSION_REMEDIES.items():
        if part in problem:
            return remedy
    return "See RE2's syntax, or write the value without re."
