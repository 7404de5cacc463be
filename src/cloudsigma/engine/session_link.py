"""The root of a session and the steps to it, as a match holds them."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

Certainty = Literal["certain", "probable", "ambiguous", "unknown"]
"""The certainty of a link: `ambiguous` has several possible roots, `unknown` has no root in these logs."""

Credentials = Literal[
    "long_term", "service", "sign_in", "login", "console", "forward", "key", "session", "ambiguous", "missing", "none"
]
"""How the credentials that signed a call were obtained, or why that is not known."""


class Step(msgspec.Struct, frozen=True):
    """One event that issued credentials, on the way from the root to the record."""

    event_name: str
    event_id: str
    time: dt.datetime | None
    """UTC; `None` if the record has no readable time."""
    actor: str
    """The principal that requested the credentials."""
    session: str | None
    """The session that was issued: its ARN, else the access key ID."""
    source_ip: str | None
    """The source address; may be the name of a service."""

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        made = msgspec.structs.asdict(self)
        made["time"] = self.time.strftime("%Y-%m-%dT%H:%M:%SZ") if self.time is not None else None
        return made


class Link(msgspec.Struct, frozen=True):
    """The identity behind a call, and the steps from it."""

    root: str | None
    """The identity that began the chain; `None` if these logs do not tell."""
    steps: tuple[Step, ...]
    """The events that issued credentials, from the root to the record; empty where the caller is the root."""
    certainty: Certainty
    why: str
    """One sentence: how the session was linked, or where the chain breaks."""
    credentials: Credentials
    """How the credentials of the record itself were obtained."""

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form, as in the key `session` of a match."""
        return {
            "root": self.root,
            "steps": [step.to_dict() for step in self.steps],
            "certainty": self.certainty,
            "why": self.why,
        }
