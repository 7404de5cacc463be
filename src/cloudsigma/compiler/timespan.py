"""Timespans of correlations: text such as `10m` → seconds, and remedies for other spellings."""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2629746, "y": 31556952}
_TIMESPAN = re.compile(r"([0-9]+)([smhdwMy])", re.ASCII)
_OTHER_TIMESPAN = re.compile(
    r"([0-9]{1,9}) *((?:s(?:ec(?:ond)?)?|m(?:in(?:ute)?)?|h(?:r|our)?|d(?:ay)?|w(?:eek)?|mon(?:th)?|y(?:ear)?)?s?)"
    r"(?![a-z])",
    re.ASCII,
)
_LONGEST_TIMESPAN = 40


def parse_timespan(value: object) -> int | None:
    """A timespan in seconds; `None` if it is not a whole number above 0 and a unit."""
    found = _TIMESPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None or len(found[1]) > 9 or int(found[1]) == 0:
        return None
    return int(found[1]) * _SECONDS[found[2]]


def timespan_remedy(value: object) -> str:
    """The remedy for other spellings of a timespan: `10min`, `1h30m`, `10 m`, `600`."""
    text = str(value).strip().lower() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if text.endswith("ms"):
        return "The smallest unit is the second: write 1s or more."
    parts = _OTHER_TIMESPAN.findall(text[:_LONGEST_TIMESPAN])
    known = "".join("".join(part) for part in parts) == text.replace(" ", "")
    if not parts or not known or (len(parts) > 1 and not all(unit for _, unit in parts)):
        return "Write a whole number and one of s, m, h, d, w, M (months) and y, such as 10m."
    seconds = sum(int(number) * _SECONDS["M" if unit.startswith("mon") else unit[:1] or "s"] for number, unit in parts)
    if seconds == 0:
        return "Write a whole number above 0, such as 10m."
    unit = next(unit for unit in ("M", "w", "d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"Write {seconds // _SECONDS[unit]}{unit}."
