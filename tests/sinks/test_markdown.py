"""Markdown for tickets: bounded, and neutral to hostile text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from cloudsigma.engine.match import Match
from cloudsigma.sinks.markdown import MAX_CHARACTERS, MarkdownReport, neutral


def report(matches: Iterable[Match], notes: Iterable[str] = ()) -> str:
    made = MarkdownReport()
    for match in matches:
        made.add(match)
    return made.text(notes)


def test_the_report_of_the_sample(sample_matches: list[Match]) -> None:
    written = report(sample_matches, ["2 files could not be read"])
    assert written.splitlines()[0] == "# 6 matches"
    assert "> 2 files could not be read" in written
    assert "| high | AWS IAM Roles Anywhere Trust Anchor Created with External CA | 1 |" in written
    assert "| 2026-11-17 13:31:44 | high | CreateTrustAnchor | success |" in written


def test_text_is_never_markup_link_or_mention(hostile_matches: list[Match]) -> None:
    for match in hostile_matches:
        written = report([match])
        row = written.splitlines()[-1]
        cells = re.split(r"(?<!\\)\|", row)
        assert len(cells) == 11, row
        assert not re.search(r"(?<!\\)[`<\[]", row)
        assert not re.search(r"https?:|(?<!\\)@\w", row)


def test_a_long_report_says_how_many_are_left_out(match_of: Callable[..., Match]) -> None:
    matches = [match_of(eventID=str(at)) for at in range(2000)]
    written = report(matches)
    assert len(written) <= MAX_CHARACTERS
    shown = written.count("| CreateGroup |")
    assert f"… and {2000 - shown:,} more" in written


def test_no_matches_are_said(match_of: Callable[..., Match]) -> None:
    assert report([]).startswith("# 0 matches\n")
    assert report([match_of()]).startswith("# 1 match\n")


def test_long_names_are_cut_in_the_middle() -> None:
    shown = neutral(f"begin{'x' * 500}end")
    assert shown.startswith("begin")
    assert shown.endswith("end")
    assert "…" in shown


def test_approved_matches_are_counted_in_the_last_line(decided_matches: list[Match]) -> None:
    report = MarkdownReport()
    for match in decided_matches:
        report.add(match)
    text = report.text(closing="1 approved: CHG0031337 1")
    assert text.startswith(f"# {len(decided_matches) - 1} matches\n")
    assert text.endswith("\n\n1 approved: CHG0031337 1\n")
    rows = [line for line in text.splitlines() if line.startswith("| 2026")]
    assert len(rows) == len(decided_matches) - 1
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1  # hostile near misses add no cell


def test_a_long_report_keeps_its_last_line(match_of: Callable[..., Match]) -> None:
    report = MarkdownReport()
    for _ in range(1000):
        report.add(match_of())
    text = report.text(closing="3 approved: CHG1 3")
    assert len(text) <= MAX_CHARACTERS
    assert text.endswith("\n\n3 approved: CHG1 3\n")
