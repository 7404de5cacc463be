"""Numbers of a record: their text and their order, whatever the caller's `decimal` context and limits of digits.

A record may hold an integer of any length, and a `Decimal` of any size. Nothing here raises, sets a flag of the
caller's context, or depends on its precision, its traps or `sys.set_int_max_str_digits`.
"""

from __future__ import annotations

import decimal
from decimal import Decimal

Numeric = int | float | Decimal

MOST_DIGITS = 10_000_000
"""A `Decimal` that would take more digits is written with an exponent: `1E+999999999`."""
_PLAIN_DIGITS = 600
"""`str` writes integers of this many digits under any limit: no limit is below 640."""
_PLAIN_BITS = 1_900
"""Integers below 2 to this power have at most 600 digits."""
_SHORT_BITS = 20_000
"""Integers below 2 to this power become a `Decimal` at once."""

_EXACT = decimal.Context(
    prec=decimal.MAX_PREC, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, rounding=decimal.ROUND_HALF_EVEN, traps=[]
)


def number_text(value: Numeric) -> str:
    """The digits of a number: an integral one without a fraction, a float in its shortest form.

    A `Decimal` loses trailing zeros and its exponent (`1E+3` is `1000`) unless that takes more than 10,000,000 digits.
    """
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(float(value))
    if isinstance(value, int):
        return str(int(value)) if value.bit_length() <= _PLAIN_BITS else _plain(_of_integer(int(value)))
    return _plain(value)


def _plain(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    if not value:
        return "0"
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -MOST_DIGITS and value.adjusted() < MOST_DIGITS:
        written = format(value, "f")
        return written.rstrip("0").rstrip(".") if "." in written else written
    sign, digits, _ = value.as_tuple()
    first, rest = str(digits[0]), "".join(map(str, digits[1:])).rstrip("0")
    return f"{'-' if sign else ''}{first}{'.' if rest else ''}{rest}E{value.adjusted():+d}"


def _of_integer(value: int) -> Decimal:
    """The integer as a `Decimal`, half by half: its own conversion takes quadratic time."""
    width = value.bit_length()
    if width <= _SHORT_BITS:
        return Decimal(value)
    half = width >> 1
    high, low = value >> half, value & ((1 << half) - 1)
    return _EXACT.fma(_of_integer(high), _EXACT.power(Decimal(2), half), _of_integer(low))


def read_number(text: str) -> Numeric:
    """The number of a text in JSON's grammar."""
    if "." in text or "e" in text or "E" in text:
        return float(text)
    return int(text) if len(text) <= _PLAIN_DIGITS else _EXACT.create_decimal(text)


def order(left: Numeric, right: Numeric) -> int | None:
    """-1, 0 or 1 as `left` is less than, equal to or greater than `right`; `None` where one is NaN."""
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        found = _EXACT.compare(_decimal(left), _decimal(right))
        return None if found.is_nan() else int(found)
    return (left > right) - (left < right) if left == left and right == right else None  # noqa: PLR0124  # NaN


def _decimal(value: Numeric) -> Decimal:
    if isinstance(value, float):
        return Decimal.from_float(value)  # noqa: FURB164  # `Decimal(value)` sets a flag of the context, or raises
    return value if isinstance(value, Decimal) else _of_integer(int(value))
