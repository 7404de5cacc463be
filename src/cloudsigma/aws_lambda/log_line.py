"""The one line of JSON that an invocation writes to its log."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from msgspec import structs

from cloudsigma.engine.json_form import json_ready
from cloudsigma.escaping import printable_json
from cloudsigma.reading.account.ledger import Ledger, Loss
from cloudsigma.version import __version__

MOST_LOSSES = 20
"""Losses that a line names; it counts the others."""


class InvocationLog:
    """Adds up what the parts of an invocation held."""

    def __init__(self, request_id: str | None) -> None:
        self._request_id = request_id
        self._counts: Counter[str] = Counter()
        self._losses: list[Loss] = []
        self.matches: Counter[str] = Counter()
        """Matches by rule ID, each once."""
        self.repeated = 0
        """Matches left out because an earlier part had the same event."""
        self.failed: list[str] = []
        """Identifiers of the parts that Lambda shall hand over again."""

    @property
    def losses(self) -> tuple[Loss, ...]:
        """All that could not be read."""
        return tuple(self._losses)

    def add(self, ledger: Ledger, identifier: str | None) -> None:
        """Add the account of one part; its losses are named by its identifier, or by the file in S3."""
        self._counts.update(parts=1, files=ledger.files, bytes=ledger.bytes, records=ledger.records)
        for loss in ledger.losses:
            named = loss.path.startswith("s3://")
            self._losses.append(loss if named else structs.replace(loss, path=identifier or "the event"))

    def line(self, *, rules: int, seconds: float, not_begun: int = 0, error: str | None = None) -> str:
        """The line."""
        shown: dict[str, Any] = {
            "cloudsigma": __version__,
            "request_id": self._request_id,
            **{name: self._counts[name] for name in ("parts", "files", "bytes", "records")},
            "matches": sum(self.matches.values()),
            "matches_by_rule": dict(self.matches),
            "repeated": self.repeated,
            "failed": self.failed,
            "not_begun": not_begun,
            "losses": len(self._losses),
            "losses_named": [str(loss) for loss in self._losses[:MOST_LOSSES]],
            "rules": rules,
            "seconds": round(seconds, 3),
        }
        if error is not None:
            shown["error"] = error
        return printable_json(json.dumps(json_ready(shown)))
