"""Realistic values: the usual values of a field, and natural text around the parts that a rule asks for."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.testing.records.record import DEFAULT_TIME
from cloudsigma.testing.records.templates import read_data

_NETWORKS = ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24", "2001:db8::/32")
"""Networks reserved for documentation (RFC 5737, RFC 3849)."""
_KINDS = frozenset({"awsregion", "errorcode", "eventsource", "mfaused", "sourceipaddress", "useridentity.type"})
_CALL = re.compile("(?:[A-Z][a-z]+){2,}")
_PLAIN = ("example", "sample", "value-1", "7", "100", "1.5", "true", "")


def usual(field: str | None) -> Iterator[Any]:
    """Values that a field of this name may have, likely ones first."""
    whole = (field or "message").lower()
    name = whole.rpartition(".")[2]
    values: dict[str, list[Any]] = read_data("values")
    yield from values.get(whole, values.get(name, ()))
    for ending, others in values.items():
        if name.endswith(ending) and name != ending and len(ending) > 3:
            yield from others
    yield from _PLAIN


def of_one_kind(field: str | None) -> Iterator[Any]:
    """The other values of a field with few values, such as an error code."""
    whole = (field or "").lower()
    name = whole if whole in _KINDS else whole.rpartition(".")[2]
    if name in _KINDS:
        yield from read_data("values")[name]


def for_matcher(matcher: ir.Matcher, field: str | None) -> Iterator[Any]:
    """Values that may pass a matcher that is not a pattern; the caller checks them."""
    match matcher:
        case ir.Number(value):
            yield from (value, str(value), f"{value}.0", f"{value}.00", float(value))
        case ir.Boolean(value):
            yield value
            yield from ("true", "yes", "on") if value else ("false", "no", "off")
        case ir.Cidr(network):
            yield from addresses(network)
        case ir.Compare(_, limit):
            yield from _around(limit)
        case ir.FieldRef() | ir.Null() | ir.Exists() | ir.OneOf() | ir.Pattern() | ir.Regex() | ir.TimePart():
            yield from usual(field)


def _around(limit: int | float) -> Iterator[int | float]:
    for step in (0, 1, -1, 0.5, -0.5, 10, -10, 100, -100):
        yield limit + step


def addresses(network: str) -> Iterator[str]:
    """Addresses in a network: reserved for documentation if possible, then its first and last."""
    whole = operators.parse_network(network)
    for text in _NETWORKS:
        documented = operators.parse_network(text)
        if documented.overlaps(whole):
            yield _address(text if documented.prefixlen > whole.prefixlen else network, 7)
    for at in (10, 1, 0, 2, 20, 100, 200):
        if at < whole.num_addresses:
            yield str(whole[at])
    yield str(whole[-1])
    if whole.prefixlen <= whole.max_prefixlen - 8:  # one of each smaller network, since some may be excluded
        for smaller in whole.subnets(prefixlen_diff=8):
            yield _address(str(smaller), 7)


def _address(network: str, at: int) -> str:
    whole = operators.parse_network(network)
    return str(whole[min(at, whole.num_addresses - 1)])


def outside(network: str) -> Iterator[str]:
    """Addresses outside a network: reserved for documentation, and the nearest ones."""
    whole = operators.parse_network(network)
    for text in _NETWORKS:
        if operators.parse_network(text).version == whole.version:
            yield _address(text, 7)
    kind = type(whole.network_address)
    for number in (int(whole.broadcast_address) + 1, int(whole.network_address) - 1):
        if 0 <= number < 2**whole.max_prefixlen:
            yield str(kind(number))


def times(parts: Sequence[ir.TimePart], unwanted: Sequence[ir.TimePart]) -> Iterator[str]:
    """A time that passes `parts` and fails `unwanted`, if there is one within a few years."""

    def suits(time: dt.datetime, units: Sequence[str]) -> bool:
        def holds(part: ir.TimePart) -> bool:
            return operators.compare(operators.time_part(time, part.unit), part.operator, part.value)

        return all(holds(each) for each in parts if each.unit in units) and not any(
            holds(each) for each in unwanted if each.unit in units
        )

    start = dt.datetime.fromisoformat(DEFAULT_TIME)
    named = [each.value + step for each in parts if each.unit == "year" for step in (0, 1, -1)]
    years = [year for year in (*named, *range(start.year, start.year + 12)) if 1 <= year < 9999]
    days = (start.replace(year=year) + dt.timedelta(days=day) for year in years for day in range(366))
    day = next((each for each in days if suits(each, ("day", "week", "month", "year"))), None)
    hours = [*range(start.hour, 24), *range(start.hour)]
    minutes = [*range(start.minute, 60), *range(start.minute)]
    if day is not None:
        hour = next((each for each in hours if suits(day.replace(hour=each), ("hour",))), None)
        minute = next((each for each in minutes if suits(day.replace(minute=each), ("minute",))), None)
        if hour is not None and minute is not None:
            yield _written(day.replace(hour=hour, minute=minute))


def _written(time: dt.datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def like(value: Any) -> Iterator[Any]:
    """Values that differ slightly from the given one."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        yield from (value + 1, value - 1, value + 0.5)
    elif isinstance(value, str):
        if value.isdecimal() and value.isascii():
            yield from (str(int(value) + 1).zfill(len(value)), str(max(int(value) - 1, 0)).zfill(len(value)))
        if _CALL.fullmatch(value):
            yield f"{value}V2"
        yield from (f"{value}2", f"{value}-2", f"2{value}", f"my{value}")
        stem, dot, ending = value.rpartition(".")
        yield from (f"{stem}2{dot}{ending}", f"{stem}{dot}bak")
        for mark in ("\\", "/", " ", ":"):
            first, found, rest = value.partition(mark)
            if found:
                yield from (rest, first, value.rpartition(mark)[0], value.rpartition(mark)[2])
        yield from (value[:-1], value[1:], value.swapcase(), value.replace("\\", "/"), value.replace(" ", "  "))
        yield from (f"{value[:middle]}x{value[middle + 1 :]}" for middle in range(0, min(len(value), 40), 3))


# --- patterns -----------------------------------------------------------------------------------------------


def of_patterns(patterns: Sequence[ir.Pattern], field: str | None) -> Iterator[str]:
    """Texts that may match all the patterns, natural ones first."""
    pieces = [_pieces(pattern) for pattern in patterns]
    start = max((each[0] for each in pieces), key=len)
    end = max((each[-1] for each in pieces if len(each) > 1), key=len, default="")
    middle: list[str] = []
    for each in pieces:
        for part in each[1:-1]:
            if not any(part.lower() in other.lower() for other in (start, end, *middle)):
                middle = [other for other in middle if other.lower() not in part.lower()]
                middle.append(part)
    if all(len(each) == 1 for each in pieces):
        yield start
        return
    joined = _joined(middle)
    before = "" if start else _before(joined or end, field)
    after = "" if end else _after(joined or start, field)
    between = [""] if joined or not (start and end) else ["example", "-", " ", ""]
    for gap in between:
        yield f"{before}{start}{gap}{joined}{gap}{end}{after}"
    for gap in (" ", "example", ""):
        yield f"{before}{start}{gap}{gap.join(middle)}{gap}{end}{after}"
    yield f"{start}{joined}{end}"
    yield f"{start}{' '.join(middle)}{' ' if middle else ''}{end}"
    yield f"{start}{' '.join(reversed(middle))}{end}"
    yield f"{'-'.join(each[0] for each in pieces)}{joined}{end}"


def _pieces(pattern: ir.Pattern) -> list[str]:
    """The parts of a pattern between its `*`, with `1` for each `?`."""
    pieces = [""]
    for part in pattern.parts:
        if part is ir.Wildcard.MANY:
            pieces.append("")
        else:
            pieces[-1] += "1" if isinstance(part, ir.Wildcard) else part
    return pieces


def _joined(parts: Sequence[str]) -> str:
    joined = ""
    for part in parts:
        blank = joined[-1:].isspace() or part[:1].isspace() or not joined or part[:1] in "\\/.:" or joined[-1:] in "\\/"
        joined += part if blank else f" {part}"
    return joined


_BEFORE = {"\\": "C:\\Windows\\System32", "/": "/usr/bin", ".": "example", " ": "example", "-": "example ", ":": "a"}
_AFTER = {"\\": "example", "/": "example", ".": "example", " ": "value", "=": "value", ":": "value", "-": "1"}


def _before(text: str, field: str | None) -> str:
    if text[:1].isalnum() and (field or "").lower().endswith("arn") and "arn:" not in text:
        return "arn:aws:iam::111122223333:user/"
    if text.startswith("\\\\"):
        return ""
    if text[:1].isalnum() and (field or "").lower().endswith("image"):
        return "C:\\Windows\\System32\\"
    return _BEFORE.get(text[:1], "")


def _after(text: str, field: str | None) -> str:
    ending = (field or "").lower()
    if text.endswith("\\") and ending.endswith("image"):
        return "example.exe"
    return _AFTER.get(text[-1:], "")
