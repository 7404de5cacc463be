"""What happened in a trail, rule or no rule: counts of all events, by principal and by any field."""

from __future__ import annotations

from cloudsigma.activity.summary import Summary, count_field, summarize

__all__ = ["Summary", "count_field", "summarize"]
