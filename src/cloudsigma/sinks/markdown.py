"""A Markdown report for a ticket: matches grouped by rule, then a table, within the size limits of issue trackers.

An attacker chooses the names in records. In a cell nothing is markup: pipes, backticks, brackets, tags and links are
escaped, and an `@name` mentions nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from cloudsigma.engine.approval import approval_note
from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput

MAX_CHARACTERS = 60_000
"""Most characters in a report; GitHub, GitLab and Jira accept at least as many in one comment."""

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#!|~&$^])")
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])")
_CELL = 200
_GROUPS = 100
"""Rules that are listed."""
_NOTES = 20
"""Lines of the account that are shown."""
_LEVELS = ("critical", "high", "medium", "low", "informational", None)


def neutral(text: str) -> str:
    """Escape record text for Markdown (GitHub's too): it renders as plain text, never as markup, link or mention."""
    shown = printable(text)
    shown = shown if len(shown) <= _CELL else f"{shown[: _CELL // 2]}…{shown[-_CELL // 2 :]}"
    shown = _MARKUP.sub(r"\\\1", shown)
    # A zero-width joiner breaks bare links and mentions, which renderers recognize without markup.
    return _LINK.sub("\\1\u200d\\2", shown).replace("@", "@\u200d")


class MarkdownReport:
    """Counts matches by rule, and keeps the rows that fit; its memory is bounded.

    With `show_approved`, matches that are approved changes get a row, too; otherwise they are left to `closing`.
    """

    def __init__(self, *, show_approved: bool = False) -> None:
        self._show_approved = show_approved
        self._decided = False
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self._rows: list[str] = []
        self._size = 0
        self._left_out = 0

    def add(self, match: Match) -> None:
        """Count a match; it gets a row if there is room."""
        self._decided = self._decided or match.approval is not None
        if match.approval is not None and match.approval.approved and not self._show_approved:
            return
        self._counts[match.rule.level, match.rule.title] += 1
        line = _row(match)
        if self._left_out or self._size + len(line) >= MAX_CHARACTERS:
            self._left_out += 1
        else:
            self._rows.append(line)
            self._size += len(line) + 1

    def text(self, notes: Iterable[str] = (), closing: str | None = None) -> str:
        """The report, at most `MAX_CHARACTERS` long; rows that do not fit are counted.

        Args:
            notes: Lines about the scan, such as unreadable files; they are shown first.
            closing: The last line, such as the number of approved matches.
        """
        total = self._counts.total()
        ordered = sorted(
            self._counts, key=lambda group: (_LEVELS.index(group[0]) if group[0] in _LEVELS else 5, group[1])
        )
        lines = [f"# {total:,} {'match' if total == 1 else 'matches'}", ""]
        lines += [f"> {neutral(note)}" for note in notes]
        lines += ["", "| Level | Rule | Matches |", "| --- | --- | ---: |"]
        groups = [f"| {level or '-'} | {neutral(title)} | {self._counts[level, title]:,} |" for level, title in ordered]
        lines += groups[:_GROUPS]
        if len(groups) > _GROUPS:
            lines += ["", f"… and {len(groups) - _GROUPS:,} more rules."]
        heads = "| Time (UTC) | Level | Event | Outcome | Principal | Resource | Address | Account | Region |"
        lines += ["", heads + " Approval |" * self._decided, "| --- " * (9 + self._decided) + "|"]
        last = f"\n{neutral(closing)}\n" if closing is not None else ""
        used, shown = sum(map(len, lines)) + len(lines) + len(last) + 100, 0
        for line in self._rows:
            used += len(line) + 1
            if used > MAX_CHARACTERS:
                break
            lines.append(line)
            shown += 1
        if more := total - shown:
            lines += ["", f"… and {more:,} more, which do not fit in {MAX_CHARACTERS:,} characters."]
        return "\n".join(lines) + "\n" + last


class MarkdownSink(Sink):
    """Writes the report when the scan has ended."""

    def __init__(self, stream: LineOutput, *, show_approved: bool = False) -> None:
        """`show_approved`: show the matches that are approved changes, too."""
        self._stream = stream
        self._report = MarkdownReport(show_approved=show_approved)

    def write(self, match: Match) -> None:
        """Count one match."""
        self._report.add(match)

    def finish(self, outcome: ScanOutcome) -> None:
        """Write the report."""
        notes = [] if outcome.complete else ["NOT COMPLETE: not everything was read, or the scan was stopped."]
        approvals = outcome.approvals
        closing = str(approvals) if approvals is not None and approvals.approved else None
        self._stream.write(self._report.text([*notes, *str(outcome.ledger).splitlines()[:_NOTES]], closing))


def _row(match: Match) -> str:
    context = match.context
    when = context.time.strftime("%Y-%m-%d %H:%M:%S") if context.time is not None else "-"
    who = str(context.principal or "-")
    if match.session is not None and match.session.root not in (None, who):
        who = f"{match.session.root} → {who}"
    outcome = context.outcome if context.error_code is None else f"{context.outcome}: {context.error_code}"
    cells: tuple[object, ...] = (
        context.event_name,
        outcome,
        who,
        context.resource,
        context.source_ip,
        context.account,
        context.region,
    )
    if match.approval is not None:
        cells = (*cells, approval_note(match.approval, [each.approval for each in match.matches]) or "none")
    shown = " | ".join(neutral(str(cell)) if cell is not None else "-" for cell in cells)
    return f"| {when} | {match.rule.level or '-'} | {shown} |"
