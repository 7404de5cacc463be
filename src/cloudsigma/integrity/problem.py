"""Something about a trail's files that its digest files contradict, or cannot confirm."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

ProblemKind = Literal[
    "altered", "missing", "unexpected", "digest-altered", "digest-missing", "gap", "bad-signature", "unreadable"
]
MEANINGS: dict[ProblemKind, str] = {
    "altered": "The content of a log file is not that of its digest file.",
    "missing": "A digest file names a log file that is not there.",
    "unexpected": "A log file is in no digest file of its time.",
    "digest-altered": "The content of a digest file is not that of the digest file after it.",
    "digest-missing": "A digest file names an earlier one that is not there.",
    "gap": "Two digest files that follow each other leave out a time.",
    "bad-signature": "A digest file is not signed by the key that was given.",
    "unreadable": "A file cannot be read.",
}


class Problem(msgspec.Struct, frozen=True, order=True):
    """One problem."""

    path: str
    """The file, or the key of one that is not there."""
    kind: ProblemKind
    text: str
    """A sentence without a final stop."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """The problem as JSON values."""
        return msgspec.structs.asdict(self)
