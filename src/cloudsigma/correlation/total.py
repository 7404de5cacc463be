"""Exact sums: adding numbers and removing them again leaves no rounding error."""

from __future__ import annotations

import math
from collections.abc import Iterable

_EXACT_AS_FLOAT = 2**53
"""Whole numbers up to this are floats without loss."""


def as_float(number: int | float) -> float:
    """The number as a float; infinite if it is too large."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def exact_sum(numbers: Iterable[int | float]) -> int | float:
    """The sum: exact for whole numbers; with a float among them the sum of all as floats, rounded once."""
    total = Total()
    for number in numbers:
        total.add(number)
    return total.value


class Total:
    """The sum of a changing collection of numbers.

    A float is a whole number over a power of two, and Python's integers have no limit: so only the final value is
    rounded, and it equals that of `math.fsum`.
    """

    __slots__ = ("_floats", "_loss", "_minus", "_nan", "_plus", "_scale", "_scaled", "_whole")

    def __init__(self) -> None:
        self._whole = 0
        self._loss = 0  # the rounding error of whole numbers as floats, negative if rounded up
        self._floats = 0  # how many numbers are floats
        self._scaled = 0  # the sum of the floats, times 2 ** scale
        self._scale = 0
        self._plus = self._minus = self._nan = 0  # how many are not finite as floats

    def add(self, number: int | float, times: int = 1) -> None:
        """Add a number; with `times` -1 remove it again."""
        if isinstance(number, int):
            self._whole += number * times
            if -_EXACT_AS_FLOAT <= number <= _EXACT_AS_FLOAT:
                return
            rounded = as_float(number)
            self._loss += (number - int(rounded) if math.isfinite(rounded) else number) * times
            self._note_infinite(rounded, times)
            return
        self._floats += times
        if math.isfinite(number):
            numerator, denominator = number.as_integer_ratio()
            shift = denominator.bit_length() - 1
            if shift > self._scale:
                self._scaled <<= shift - self._scale
                self._scale = shift
            self._scaled += times * (numerator << (self._scale - shift))
        else:
            self._note_infinite(number, times)

    def _note_infinite(self, number: float, times: int) -> None:
        if number == math.inf:
            self._plus += times
        elif number == -math.inf:
            self._minus += times
        elif math.isnan(number):
            self._nan += times

    @property
    def value(self) -> int | float:
        """The sum: exact for whole numbers; with a float among them the sum of all as floats, rounded once."""
        if not self._floats:
            return self._whole
        if self._nan or (self._plus and self._minus):
            return math.nan
        if self._plus or self._minus:
            return math.inf if self._plus else -math.inf
        exact = ((self._whole - self._loss) << self._scale) + self._scaled
        try:
            return exact / (1 << self._scale)  # of integers, this is rounded correctly
        except OverflowError:
            return math.inf if exact > 0 else -math.inf
