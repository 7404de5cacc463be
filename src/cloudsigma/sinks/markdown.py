"""A Markdown report for a ticket: matches grouped by rule, then a table, within the size that trackers take.

An attacker chooses the names in records. In a cell nothing is markup: pipes, backticks, brackets, tags and links are
escaped, and an `@name` mentions nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable

MAX_CHARACTERS = 60_000
"""Characters that a report may have: GitHub, GitLab and Jira take at least as many in one comment."""

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$^=\-])")
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])")
_CELL = 200
_LEVELS = ("critical", "high", "medium", "low", "informational", None)


def neutral(text: str) -> str:
    """Text of a record for Markdown, GitHub's included: shown as it is, and never markup, link or mention."""
    shown = printable(text)
    shown = shown if len(shown) <= _CELL else f"{shown[: _CELL // 2]}…{shown[-_CELL // 2 :]}"
    shown = _MARKUP.sub(r"\\\1", shown)
    # A zero-width joiner breaks what renderers would link or mention without any markup.
    return _LINK.sub("\\1\u200d\\2", shown).replace("@", "@\u200d")


def report(matches: Iterable[Match], notes: Iterable[str] = ()) -> str:
    """The report of matches, at most `MAX_CHARACTERS` long: the matches that do not fit are counted.

    Args:
        matches: In the order in which they are to stand.
        notes: Lines about the scan, such as what could not be read; they stand first.
    """
    held = list(matches)
    counts = Counter((match.rule.level, match.rule.title) for match in held)
    ordered = sorted(counts, key=lambda group: (_LEVELS.index(group[0]) if group[0] in _LEVELS else 5, group[1]))
    lines = [f"# {len(held)} {'match' if len(held) == 1 else 'matches'}", ""]
    lines += [f"> {neutral(note)}" for note in notes]
    lines += ["", "| Level | Rule | Matches |", "| --- | --- | ---: |"]
    lines += [f"| {level or '-'} | {neutral(title)} | {counts[level, title]} |" for level, title in ordered]
    lines += ["", "| Time (UTC) | Level | Event | Outcome | Principal | Resource | Address | Account | Region |"]
    lines += ["| --- " * 9 + "|"]
    size = sum(map(len, lines)) + len(lines)
    for at, match in enumerate(held):
        line = _row(match)
        size += len(line) + 1
        if size > MAX_CHARACTERS - 100:
            lines.append(f"\n… and {len(held) - at:,} more, which do not fit in {MAX_CHARACTERS:,} characters.")
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def _row(match: Match) -> str:
    context = match.context
    when = context.time.strftime("%Y-%m-%d %H:%M:%S") if context.time is not None else "-"
    who = str(context.principal or "-")
    if match.session is not None and match.session.root not in (None, who):
        who = f"{match.session.root} → {who}"
    outcome = context.outcome if context.error_code is None else f"{context.outcome}: {context.error_code}"
    cells = (
        context.event_name,
        outcome,
        who,
        context.resource,
        context.source_ip,
        context.account,
        context.region,
    )
    shown = " | ".join(neutral(str(cell)) if cell is not None else "-" for cell in cells)
    return f"| {when} | {match.rule.level or '-'} | {shown} |"
