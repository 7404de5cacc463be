"""The table on a terminal: no line is too long, no two names are drawn alike, and outcomes are words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable
from cloudsigma.sinks.table_layout import Layout
from cloudsigma.sinks.table_row import Row, make_row

TIME = dt.datetime(2026, 11, 17, 13, 31, 44, tzinfo=dt.UTC)
WIDTHS = (30, 45, 59, 60, 79, 80, 81, 100, 109, 110, 111, 120, 150, 179, 180, 200, 250)
TEXTS = (
    "a", "x" * 300, "日本" * 40, "é" * 50, "e\u0301" * 40, "a b " * 30, "-", "👩🏽" * 30,
    "arn:aws:iam::1:user/" + "y" * 90, "…" * 40, "#2" * 30,
)  # fmt: skip


def row(text: str, **changes: object) -> Row:
    made = {
        "time": TIME, "level": "high", "title": text, "event": text, "outcome": "DENIED", "who": f"{text} → {text}",
        "principal": text, "resource": text, "full_resource": text, "address": text, "account": text, "region": text,
    }  # fmt: skip
    return Row(**{**made, **changes})  # type: ignore[arg-type]  # values of the right types


def drawn(rows: Sequence[Row], width: int, *, accounts: bool = True) -> list[str]:
    lines = Layout(width).lines(rows, accounts=accounts)
    return [" ".join(cell.text for cell in line).rstrip() for line in lines]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("accounts", [True, False])
def test_no_line_is_longer_than_the_terminal_is_wide(width: int, accounts: bool) -> None:
    rows = [
        row(text, level=level, outcome=outcome, time=time)
        for text in TEXTS
        for level in ("critical", "informational", "-", "a level of its own")
        for outcome in ("ok", "DENIED", "FAILED", "?")
        for time in (TIME, None)
    ]
    lines = drawn([*rows, *rows[:7]], width, accounts=accounts)
    assert max(map(cell_len, lines)) <= width


@fuzz(150)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6), st.integers(30, 260), st.booleans())
def test_any_text_fits(texts: list[str], width: int, accounts: bool) -> None:
    lines = drawn([row(printable(text)) for text in texts], width, accounts=accounts)
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_two_principals_of_real_matches_are_drawn_alike(real_matches: list[Match], width: int) -> None:
    rows = {(made.who, made.resource): made for made in map(make_row, real_matches)}
    layout = Layout(width)
    principals: dict[str, str] = {}
    for made in rows.values():
        list(layout.lines([made], accounts=True))
    for cut in (cut for (name, _), cut in layout._cuts.items() if name in {"who", "resource"}):
        principals.update({shown: name for name, shown in cut._shown.items()})
        assert len(set(cut._shown.values())) == len(cut._shown)
    assert len({made.who for made in rows.values()}) > 20


@pytest.mark.parametrize("width", [80, 120, 200])
def test_outcomes_are_words(real_matches: list[Match], width: int) -> None:
    rows = [make_row(match) for match in real_matches]
    lines = drawn(rows, width)
    for word in ("ok", "DENIED", "FAILED"):
        assert any(f" {word} " in line for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_count_of_repeats_is_never_cut(width: int) -> None:
    names = [f"{'n' * 80}-{at}" for at in range(3)]
    rows = [row("a", resource=name, time=TIME + dt.timedelta(minutes=minute)) for minute in range(29) for name in names]
    text = "\n".join(drawn(rows, width))
    assert text.count("×29") == 3
    assert text.count("×29 13:31–13:59") == 3 or width in {60, 110, 111}
