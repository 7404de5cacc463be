"""Links a session to its root: the identity that began its chain of credentials."""

from __future__ import annotations

from cloudsigma.engine.session_link import Link, Step
from cloudsigma.sessions.issue import ISSUING_EVENTS
from cloudsigma.sessions.sessions import Sessions

__all__ = ["ISSUING_EVENTS", "Link", "Sessions", "Step"]
