"""The text of `cloudsigma summary`: laid out for the width of a terminal; elsewhere no list is cut to fit."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len

from cloudsigma.activity.summary import OTHER, Activity, Summary
from cloudsigma.escaping import printable

OUTCOMES = {"success": "ok", "denied": "DENIED", "failed": "FAILED"}
"""Outcome of an event → its name in text."""
_DAYS = 62
"""Most days shown one by one; more are shown as months."""
_BLOCKS = {
    "errors": "Errors",
    "services": "Services",
    "calls": "Calls",
    "addresses": "Addresses",
    "regions": "Regions",
    "accounts": "Accounts",
}
_LINES = ("sessions", "addresses", "regions", "services", "calls", "errors")
"""Kinds of values that have a line under each principal."""
_SIDE_BY_SIDE = 120
"""Terminal columns from which lists are laid out side by side."""
_GAP = 4


def screen_width() -> int | None:
    """Columns of the terminal on standard output; `None` if it is not a terminal, so lines have no bound."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def summary_text(summary: Summary, top: int, width: int | None) -> str:
    """The text of a summary, with the most frequent values of each kind."""
    principals = summary.principals
    whole = summary.total(principals)
    lines = [*_heading(whole, len(principals), summary.undated), *_days(summary.days)]
    blocks = [_block(title, whole.values.get(kind, Counter()), top) for kind, title in _BLOCKS.items()]
    lines += _side_by_side([block for block in blocks if block], width)
    if principals:
        of_all = f" ({top:,} of {len(principals):,})" if len(principals) > top else ""
        lines += ["", f"Principals{of_all}"]
        for name, activity in list(principals.items())[:top]:
            lines += _principal(name, activity, top, width)
    return "\n".join(lines)


def counts_text(field: str, counts: Counter[str], top: int) -> str:
    """The text of the values of one field."""
    return "\n".join(_block(field, counts, top) or [f"{field}: no events"])


def call_text(value: str) -> str:
    """A service or call, safe for a terminal and short: `sts`, `sts:AssumeRole`."""
    service, ending, name = printable(value).partition(".amazonaws.com")
    return service + name.replace(" ", ":", 1) if ending and name[:1] in {"", " "} else printable(value)


def outcomes_text(outcomes: Counter[str]) -> str:
    """`89 ok, 3 DENIED`, and the share that was denied."""
    parts = [f"{outcomes[outcome]:,} {name}" for outcome, name in OUTCOMES.items() if outcomes[outcome]]
    if denied := outcomes["denied"]:
        parts[-1] += f" ({denied / outcomes.total():.1%} denied)"
    return ", ".join(parts)


def span_text(first: str | None, last: str | None) -> str:
    """From the first time to the last; the same day is written once."""
    if first is None or last is None:
        return "without a time"
    first, last = (printable(time.replace("T", " ", 1).removesuffix("Z")) for time in (first, last))
    if first == last:
        return first
    return f"{first} – {last[11:] if first[:11] == last[:11] else last}"


def listed(counts: Counter[str], top: int, room: int | None) -> str:
    """As many values as fit, the most frequent first, with their counts; at least one."""
    values = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    shown = ""
    for at, (value, count) in enumerate(values[:top]):
        more = len(values) - at - 1
        longer = f"{shown}{', ' if shown else ''}{call_text(value)} ×{count:,}"
        behind = cell_len(f" and {more:,} more") if more else 0
        if shown and room is not None and cell_len(longer) + behind > room:
            return f"{shown} and {more + 1:,} more"
        shown = longer
    return f"{shown} and {len(values) - top:,} more" if len(values) > top else shown


def _heading(whole: Activity, principals: int, undated: int) -> list[str]:
    if not whole.events:
        return ["no events"]
    lines = [
        f"{number(whole.events, 'event')}, {span_text(whole.first, whole.last)} UTC: {outcomes_text(whole.outcomes)}"
    ]
    counted = {
        "principal": principals,
        "session": _distinct(whole, "sessions"),
        "account": _distinct(whole, "accounts"),
        "region": _distinct(whole, "regions"),
        "service": _distinct(whole, "services"),
    }
    lines.append(", ".join(number(count, one) for one, count in counted.items()))
    if undated:
        lines.append(f"{number(undated, 'event')} without a time")
    return lines


def _distinct(activity: Activity, kind: str) -> int:
    return len(activity.values.get(kind, ()))


def _days(days: dict[str, Counter[str]]) -> list[str]:
    if not days:
        return []
    title = "Days"
    if len(days) > _DAYS:
        title, months = "Months", dict[str, Counter[str]]()
        for day, outcomes in days.items():
            months.setdefault(day[:7], Counter()).update(outcomes)
        days = months
    lines = ["", f"{title:10}{'events':>12}{'ok':>12}{'DENIED':>12}{'FAILED':>12}"]
    for day, outcomes in days.items():
        numbers = (outcomes.total(), *(outcomes[outcome] for outcome in OUTCOMES))
        lines.append(f"{printable(day):10}" + "".join(f"{number:>12,}" for number in numbers))
    return lines


def _block(title: str, counts: Counter[str], top: int) -> list[str]:
    """A title and a line for each value; empty without values."""
    if not counts:
        return []
    values = sorted(counts.items(), key=lambda each: (each[0] == OTHER, -each[1], each[0]))
    if len(values) == top + 1:
        top += 1  # a name no longer than the count of the rest
    lines = [title, *(f"{count:>10,}  {call_text(value)}" for value, count in values[:top])]
    if more := values[top:]:
        lines.append(f"{sum(count for _, count in more):>10,}  in {len(more):,} more")
    return lines


def _side_by_side(blocks: Sequence[list[str]], width: int | None) -> Iterable[str]:
    """Blocks below one another, two in a row where the terminal has room for both."""
    at = 0
    while at < len(blocks):
        pair = blocks[at : at + 2]
        left = max(map(cell_len, pair[0]))
        half = max(left + _GAP, width // 2) if width is not None else 0
        if (
            width is not None
            and width >= _SIDE_BY_SIDE
            and len(pair) == 2
            and half + max(map(cell_len, pair[1])) <= width
        ):
            yield ""
            for one, other in zip_longest(*pair, fillvalue=""):
                yield f"{one}{' ' * (half - cell_len(one))}{other}".rstrip()
            at += 2
        else:
            yield ""
            yield from pair[0]
            at += 1


def _principal(name: str, activity: Activity, top: int, width: int | None) -> list[str]:
    kinds = sorted(activity.values.get("types", ()))
    kind = f" ({printable(', '.join(kinds))})" if kinds else ""
    lines = [
        f"{activity.events:>10,}  {printable(name)}{kind}",
        f"{'':12}{span_text(activity.first, activity.last)}: {outcomes_text(activity.outcomes)}",
    ]
    for kind in _LINES:
        if counts := activity.values.get(kind):
            room = width - 23 if width is not None else None
            lines.append(f"{'':12}{kind:11}{listed(counts, top, room)}")
    return lines


def number(count: int, one: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"
