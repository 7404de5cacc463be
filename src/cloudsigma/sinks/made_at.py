"""The creation time of an output: the only part of it that depends on the clock."""

from __future__ import annotations

import datetime as dt
import os


def made_at() -> dt.datetime:
    """The current time in UTC, or `SOURCE_DATE_EPOCH` (seconds since 1970) if set, for reproducible outputs."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch.isdigit() else dt.datetime.now(dt.UTC)
