"""CSV: a row for each match, and no cell that a spreadsheet runs or a terminal acts on."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from cloudsigma.engine.match import Match
from cloudsigma.engine.match_row import COLUMNS
from cloudsigma.escaping import printable_lines
from cloudsigma.sinks.csv_rows import header, row, safe_cell


def read(*lines: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(lines), newline="")))


@pytest.mark.parametrize(
    "text", ["=1", " =1", "\u00a0=1", "a\n=1", "\t=1", "-1", "+1", "@x", "\ufeff=1", "\r=1", "'=1", "\n"]
)
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == f"'{printable_lines(text)}"


@pytest.mark.parametrize(
    "value", ["a=1", "arn:aws:iam::111122223333:user/a", "2026-11-17T13:00:00Z", "", "a-b", "x@y.z"]
)
def test_other_texts_stay(value: str) -> None:
    assert safe_cell(value) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2066b", "a\\u2066b"),
        ("a\x9bb", "a\\x9bb"),
        ("a\rb", "a\\rb"),
        ("a\tb", "a\\tb"),
        ("a\nb", "a\nb"),
        ("a\n\x07b", "a\n\\x07b"),
        ("\x1b]0;x\x07=1", "\\x1b]0;x\\x07=1"),
    ],
)
def test_characters_that_a_terminal_acts_on_are_escaped(text: str, shown: str) -> None:
    assert safe_cell(text) == shown


def test_rows_are_printable_unless_raw(match_of: Callable[..., Match], hostile_matches: list[Match]) -> None:
    for match in hostile_matches:
        assert row(match).removesuffix("\r\n").replace("\n", "").isprintable()
    colored = match_of(eventID="\x1b[31mred")
    assert "\\x1b[31mred" in row(colored)
    assert "\x1b[31mred" in row(colored, raw=True)


@pytest.mark.parametrize(("value", "shown"), [(None, ""), (True, "true"), (False, "false"), (-1, "-1"), (0, "0")])
def test_values_have_one_form(value: bool | int | None, shown: str) -> None:
    assert safe_cell(value) == shown


def test_a_match_is_one_row_of_all_columns(sample_matches: list[Match]) -> None:
    rows = read(header(), *map(row, sample_matches))
    assert [list(each) for each in rows] == [list(COLUMNS)] * 6
    assert [(each["event_name"], each["time"]) for each in rows if each["records"] == "1"] == [
        ("CreateTrustAnchor", "2026-11-17T13:31:44Z"),
        ("CreateProfile", "2026-11-17T13:33:10Z"),
        ("CreateGroup", "2026-11-17T13:09:41Z"),
        ("DeleteGroup", "2026-11-17T14:20:57Z"),
    ]


def test_hostile_rows_come_back_with_an_apostrophe_at_most(hostile_matches: list[Match]) -> None:
    for match in hostile_matches:
        [safe] = read(header(), row(match))
        [raw] = read(header(), row(match, raw=True))
        for name, value in match.to_row().items():
            text = "" if value is None else str(value)
            if isinstance(value, str) and "\x00" not in text and "\ud800" not in text:
                assert raw[name] == text
                assert safe[name] in {printable_lines(text), f"'{printable_lines(text)}"}
        assert not any(cell.strip()[:1] in set("=+-@") for cell in safe.values() if cell)


def test_a_row_is_made_of_plain_values(match_of: Callable[..., Match]) -> None:
    made = match_of().to_row()
    assert list(made) == list(COLUMNS)
    assert {type(value) for value in made.values()} <= {str, int, bool, type(None)}
    assert made["principal"] == "arn:aws:iam::111122223333:user/alice"
