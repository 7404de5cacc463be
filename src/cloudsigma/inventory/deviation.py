"""Where an account, a trail and a register do not agree."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from cloudsigma.inventory.item import Cause, Item

DeviationKind = Literal[
    "not-registered", "changed", "gone", "never-seen", "past-review", "weak", "not-in-trail", "differs", "order-unknown"
]
MEANINGS: dict[DeviationKind, str] = {
    "not-registered": "It exists, and the register does not have it.",
    "changed": "It is not what was approved.",
    "gone": "It is registered, and was deleted.",
    "never-seen": "It is registered, and neither the trail nor the account has it.",
    "past-review": "The date of its review has passed.",
    "weak": "It was made weak, and still is.",
    "not-in-trail": "The account has it, and the trail does not.",
    "differs": "The trail and the account differ.",
    "order-unknown": "Two events of one second contradict each other; which came last is not known.",
}


class Deviation(msgspec.Struct, frozen=True):
    """One line of a comparison."""

    kind: DeviationKind
    text: str
    """A sentence without a final stop."""
    item: Item | None = None
    """The object; `None` for a registered one that was never seen."""
    entry: str | None = None
    """The registered object, as the register names it."""
    attribute: str | None = None
    expected: Any = None
    found: Any = None
    cause: Cause | None = None
    """The event that changed it, if the trail has it."""

    def __str__(self) -> str:
        subject = str(self.item) if self.item is not None else str(self.entry)
        by = ""
        if self.cause is not None:
            by = f", by {self.cause.principal} at {self.cause.time:%Y-%m-%d %H:%M:%SZ} ({self.cause.event_name}"
            by += f" {self.cause.event_id})" if self.cause.event_id else ")"
        return f"{self.kind}: {subject}: {self.text}{by}"

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        item = self.item
        return {
            "kind": self.kind,
            "text": self.text,
            "object": item.arn or item.id or item.name if item is not None else self.entry,
            "object_kind": item.kind if item is not None else None,
            "account": item.account if item is not None else None,
            "attribute": self.attribute,
            "expected": self.expected,
            "found": self.found,
            "cause": self.cause.to_dict() if self.cause is not None else None,
        }
