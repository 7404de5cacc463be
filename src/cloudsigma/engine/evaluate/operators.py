"""The definition of each comparison, used by explanations; tests compare the faster code with it.

A matcher, one value of a rule, is compared with one value of a record. Every function is total: a value of the wrong
kind does not match, and nothing raises. See `docs/semantics.md`, "Matching one value".
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, cast

from cloudsigma import ir
from cloudsigma.engine.context.event_time import read_time
from cloudsigma.engine.evaluate import fields
from cloudsigma.engine.numbers import Numeric, number_text, order, read_number

_log = logging.getLogger("cloudsigma")

MAX_PAIRS = 100_000
"""Pairs of values that `fieldref` with `startswith`, `endswith` or `contains` compares in one record."""
_FEW_PAIRS = 64
"""Up to this many, the plain definition is faster."""

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TRUE_WORDS = frozenset({"true", "yes", "on"})
_FALSE_WORDS = frozenset({"false", "no", "off"})


# --- forms of a value ---------------------------------------------------------------------------------------


def fold(text: str) -> str:
    """Simple case folding, one character to one character, independent of position and locale."""
    return text.lower() if text.isascii() else "".join(map(_fold_character, text))


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


def text(value: Any) -> str | None:
    """The text that patterns compare; `None` for null and for values of types that JSON lacks."""
    if isinstance(value, str):
        return value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return number_text(value)
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return None


def number(value: Any) -> Numeric | None:
    """The number of a value: a JSON number, or a string that is entirely a number; booleans are not numbers."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float, Decimal)):
        return value if not (isinstance(value, Decimal) and value.is_snan()) else None
    return read_number(value) if isinstance(value, str) and _JSON_NUMBER.fullmatch(value) else None


def time_part(when: dt.datetime, unit: ir.TimeUnit) -> int:
    """One part of a time; `week` is the week of ISO 8601."""
    return when.isocalendar().week if unit == "week" else cast("int", getattr(when, unit))


# --- comparisons --------------------------------------------------------------------------------------------


class Subject:
    """One value of a record, with its text, which many values of a rule are compared with."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @cached_property
    def text(self) -> str | None:
        """Its text."""
        return text(self.value)

    @cached_property
    def folded(self) -> str | None:
        """Its text without letter case."""
        return None if self.text is None else fold(self.text)


def matches(matcher: ir.Matcher, value: Any) -> bool:
    """Whether one value of a record passes one value of a rule."""
    return meets(Subject(value), matcher)


def meets(subject: Subject, matcher: ir.Matcher) -> bool:
    """`matches`, for a value that is compared with many matchers."""
    value = subject.value
    match matcher:
        case ir.Pattern(_, cased):
            given = subject.text if cased else subject.folded
            return given is not None and _match_pattern(matcher, given)
        case ir.Regex(pattern, flags):
            return subject.text is not None and search(compile_regex(pattern, flags), subject.text)
        case ir.Cidr(network):
            return in_network(value, parse_network(network))
        case ir.Number(wanted):
            return compare(number(value), "eq", wanted)
        case ir.Boolean(wanted):
            return is_boolean(value, wanted=wanted)
        case ir.Compare(operator, limit):
            return compare(number(value), operator, limit)
        case ir.TimePart(unit, operator, limit):
            when = read_time(value)
            return when is not None and compare(time_part(when, unit), operator, limit)
        case ir.OneOf(variants):
            return any(meets(subject, variant) for variant in variants)
        case ir.Null() | ir.Exists() | ir.FieldRef():  # these ask about a field, not about one value
            return False


def field_matches(matcher: ir.Matcher, record: Mapping[str, Any], name: str | None) -> bool:
    """Whether a field of a record passes one value of a rule."""
    match matcher:
        case ir.Null():
            return all(value is None for value in fields.values(record, name))
        case ir.Exists(wanted):
            return bool(fields.nodes(record, name or "")) is wanted
        case ir.FieldRef(other, comparison, cased):
            theirs = fields.values(record, other)
            return any(True for _ in agreeing(fields.values(record, name), theirs, comparison, cased=cased))
        case _:
            return any(matches(matcher, value) for value in fields.values(record, name))


def _match_pattern(pattern: ir.Pattern, subject: str) -> bool:
    """Compare with a whole text, folded unless letter case counts."""
    parts = pattern.parts if pattern.cased else tuple([fold(p) if isinstance(p, str) else p for p in pattern.parts])
    many = ir.Wildcard.MANY
    match parts:
        case (str() as wanted,):
            return subject == wanted
        case (str() as wanted, last) if last is many:
            return subject.startswith(wanted)
        case (first, str() as wanted) if first is many:
            return subject.endswith(wanted)
        case (first, str() as wanted, last) if first is many and last is many:
            return wanted in subject
        case _:
            return match_wildcards(parts, subject)


def match_wildcards(parts: Sequence[str | ir.Wildcard], subject: str) -> bool:
    """Compare by the textbook: walk both sides, remember the last `*`, start again behind it."""
    wanted: list[str | ir.Wildcard] = []
    for part in parts:
        if isinstance(part, ir.Wildcard):
            wanted.append(part)
        else:
            wanted.extend(part)
    at, seen, star, resume = 0, 0, -1, 0
    while seen < len(subject):
        if at < len(wanted) and wanted[at] is ir.Wildcard.MANY:
            star, resume = at, seen
            at += 1
        elif at < len(wanted) and (wanted[at] is ir.Wildcard.ONE or wanted[at] == subject[seen]):
            at += 1
            seen += 1
        elif star >= 0:
            resume += 1
            at, seen = star + 1, resume
        else:
            return False
    return all(part is ir.Wildcard.MANY for part in wanted[at:])


@lru_cache(maxsize=256)
def compile_regex(pattern: str, flags: str) -> Any:
    """An RE2 expression; raises `re2.error` if RE2 refuses it."""
    return new_regex(pattern, flags)


def new_regex(pattern: str, flags: str) -> Any:
    """`compile_regex` for an owner that keeps the expression itself."""
    import re2  # takes a while, and few rules have an expression

    options = re2.Options()
    options.log_errors = False
    return re2.compile(f"(?{flags}){pattern}" if flags else pattern, options)


def compile_alternatives(texts: tuple[str, ...]) -> Any:
    """An RE2 expression that finds any of the texts; `None` if RE2 cannot hold them."""
    import re2  # as above

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    try:
        return re2.compile("|".join(map(re2.escape, texts)), options)
    except (re2.error, UnicodeEncodeError):  # too many, or a lone surrogate
        return None


def search(compiled: Any, subject: str) -> bool:
    """Search with RE2; a lone surrogate, which has no UTF-8 form, counts as the replacement character."""
    try:
        return compiled.search(subject) is not None
    except UnicodeEncodeError:
        return compiled.search(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", subject)) is not None


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=1024)
def parse_network(network: str) -> Network:
    """The network of a `cidr` value; raises `ValueError` if host bits are set or it is not a network."""
    return ipaddress.ip_network(network)


def address(value: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address in a text; `None` for any other text or value."""
    if not isinstance(value, str):
        return None
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def in_network(value: Any, network: Network) -> bool:
    """Whether a text is an address of the same version inside the network."""
    found = address(value)
    return found is not None and found.version == network.version and found in network


def is_boolean(value: Any, *, wanted: bool) -> bool:
    """Whether a value is this boolean, or a text that YAML 1.1 reads as it."""
    if isinstance(value, bool):
        return value is wanted
    return isinstance(value, str) and fold(value) in (_TRUE_WORDS if wanted else _FALSE_WORDS)


_ORDER: dict[str, Callable[[int], bool]] = {
    "lt": lambda sign: sign < 0,
    "lte": lambda sign: sign <= 0,
    "gt": lambda sign: sign > 0,
    "gte": lambda sign: sign >= 0,
    "eq": lambda sign: sign == 0,
}


def compare(given: Numeric | None, operator: str, limit: int | float) -> bool:
    """Whether a number is in this order to the limit; false for any other value."""
    sign = None if given is None else order(given, limit)
    return sign is not None and _ORDER[operator](sign)


def agree(ours: Any, theirs: Any, comparison: ir.Comparison, *, cased: bool = False) -> bool:
    """Whether the values of two fields agree (`fieldref`): equal texts, or equal numbers where one is a number."""
    left, right = text(ours), text(theirs)
    if left is None or right is None:
        return False
    if not cased:
        left, right = fold(left), fold(right)
    match comparison:
        case "startswith":
            return left.startswith(right)
        case "endswith":
            return left.endswith(right)
        case "contains":
            return right in left
        case "equals":
            return left == right or (
                (_is_number(ours) or _is_number(theirs))
                and (mine := number(ours)) is not None
                and (their := number(theirs)) is not None
                and order(mine, their) == 0
            )


def agreeing(
    ours: Sequence[Any], theirs: Sequence[Any], comparison: ir.Comparison, *, cased: bool = False
) -> Iterator[Any]:
    """Those of our values that `agree` with one of theirs, in linear time for `equals`.

    The other comparisons check at most `MAX_PAIRS` pairs, since arrays in a record multiply; more log a warning.
    """
    if len(ours) * len(theirs) <= _FEW_PAIRS:
        yield from (v for v in ours if any(agree(v, other, comparison, cased=cased) for other in theirs))
    elif comparison == "equals":
        yield from _equal(ours, theirs, cased=cased)
    else:
        yield from _related(ours, theirs, comparison, cased=cased)


def _equal(ours: Sequence[Any], theirs: Sequence[Any], *, cased: bool) -> Iterator[Any]:
    texts = {said if cased else fold(said) for said in map(text, theirs) if said is not None}
    numbers = {given for given in map(number, theirs) if given is not None}
    written = {given for each in theirs if _is_number(each) and (given := number(each)) is not None}
    for each in ours:
        said = text(each)
        if said is None:
            continue
        if (said if cased else fold(said)) in texts:
            yield each
            continue
        given = number(each)
        equals_itself = given is not None and given == given  # noqa: PLR0124  # NaN does not
        if equals_itself and given in (numbers if _is_number(each) else written):
            yield each


def _related(ours: Sequence[Any], theirs: Sequence[Any], comparison: ir.Comparison, *, cased: bool) -> Iterator[Any]:
    pairs = 0
    for each in ours:
        for other in theirs:
            pairs += 1
            if pairs > MAX_PAIRS:
                _log.warning(
                    "fieldref with %s: two fields of a record have more than %d pairs of values; the others were not "
                    "compared", comparison, MAX_PAIRS,
                )  # fmt: skip
                return
            if agree(each, other, comparison, cased=cased):
                yield each
                break


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
