"""A finding, and a fix for it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Severity = Literal["error", "warning", "info"]
Confidence = Literal["high", "medium"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""The severities, the gravest first."""


class Fix(msgspec.Struct, frozen=True):
    """An edit of one place that changes nothing else."""

    start: int
    """The first character, from 0."""
    end: int
    """The character behind the last."""
    text: str
    """The text in its place."""


class Finding(msgspec.Struct, frozen=True):
    """Something in a rule that its author should look at."""

    slug: str
    """The kind of the finding, its only identity: `unknown-event-name`."""
    severity: Severity
    confidence: Confidence
    path: str | None
    """The rule file; `None` for text without one."""
    line: int
    """Counted from 1, as are the others."""
    column: int
    """In characters."""
    end_line: int
    end_column: int
    """The column behind the last character."""
    rule: str | None
    """The rule's ID, else its title, where known."""
    message: str
    """What was found, one sentence without a final stop."""
    remedy: str | None = None
    """What to do about it."""
    fixes: tuple[Fix, ...] = ()
    """The edits that do it, if they are safe."""

    def __str__(self) -> str:
        place = f"{self.path or '<text>'}:{self.line}:{self.column}"
        remedy = f". {self.remedy}" if self.remedy else ""
        return f"{place}: {self.severity}: {self.message}{remedy} [{self.slug}]"

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {**msgspec.structs.asdict(self), "fixes": [msgspec.structs.asdict(fix) for fix in self.fixes]}
