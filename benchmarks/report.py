"""Results as a table for people: on the terminal, and in `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from results import Goal, Line, Results, Row, Spread

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
GOALS = ("row", "what", "goal", "measured", "least to most", "reached")
LINES = ("who", "work", "records", "CPU s", "least to most", "thousand/s", "time to the first", "peak MB", "matches")


def figure(value: float, unit: str = "") -> str:
    """Three digits, and the unit."""
    places = next((places for least, places in ((100, 0), (10, 1), (0.1, 2)) if value >= least), 3)
    text = f"{value:,.{places}f}"
    return f"{text} {unit}".strip() if unit not in {"x", "%"} else f"{text}{unit}"


def between(spread: Spread, unit: str = "") -> str:
    """The least and the most."""
    return f"{figure(spread.least)} to {figure(spread.most, unit)}"


def markdown(results: Results) -> str:
    """The part of the page between its two marks."""
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    place = f"{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, {machine.system}, {machine.python}"
    parts = [f"Measured on {place}. Versions: {versions}."]
    if results.quick:
        parts.append("**These figures are of a quick run on small corpora; they say nothing about speed.**")
    goals = [_goal(row, goal) for row in results.rows for goal in row.goals]
    parts.append(_table(GOALS, goals))
    parts += [_section(row) for row in results.rows]
    return "\n\n".join(parts)


def text(row: Row) -> str:
    """A row for the terminal."""
    parts = [f"{row.name}: {row.title}", f"  {row.corpus}; {row.measured_on}; {row.runs} runs"]
    if row.goals:
        parts.append(_aligned(GOALS[1:], [_goal(row, goal)[1:] for goal in row.goals]))
    if row.lines:
        parts.append(_aligned(LINES, [_line(line) for line in row.lines]))
    parts += [f"  note: {note}" for note in row.notes]
    return "\n".join(parts) + "\n"


def write_page(page: Path, results: Results) -> None:
    """Put the results between the marks of the page; raises `ValueError` where it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{markdown(results)}\n\n{END}{after}", encoding="utf-8")


def _section(row: Row) -> str:
    parts = [
        f"### {row.title}",
        f"{row.corpus[0].upper()}{row.corpus[1:]}; {row.measured_on}; median of {row.runs} runs.",
    ]
    if row.lines:
        parts.append(_table(LINES, [_line(line) for line in row.lines]))
    if row.notes:
        parts.append("\n".join(f"- {note}" for note in row.notes))
    return "\n\n".join(parts)


def _goal(row: Row, goal: Goal) -> tuple[str, ...]:
    sign = "at least" if goal.sense == "least" else "at most"
    unit = "x" if goal.unit == "x floor" else goal.unit
    return (
        row.name.partition("-")[0],
        goal.what,
        f"{sign} {figure(goal.bound, unit)}",
        figure(goal.measured.median, unit),
        between(goal.measured),
        "yes" if goal.met else "no",
    )


def _line(line: Line) -> tuple[str, ...]:
    counted = "" if line.matches is None else f"{line.matches:,}"
    return (
        line.name,
        line.work,
        f"{line.records:,}" + ("" if line.unit == "records" else f" {line.unit}"),
        figure(line.seconds.median),
        between(line.seconds),
        figure(line.rate) if line.unit == "records" else "",
        "" if line.ratio is None else f"{figure(line.ratio.median, 'x')} ({between(line.ratio)})",
        "" if line.peak is None else figure(line.peak),
        ", ".join(part for part in (counted, line.agreement) if part),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = [head, *rows]
    widths = [max(len(line[place]) for line in table) for place in range(len(head))]

    def lines() -> Iterator[str]:
        for line in table:
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()

    return "\n".join(lines())
