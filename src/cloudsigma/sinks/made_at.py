"""The time at which an output is made: the one thing in it that depends on the clock."""

from __future__ import annotations

import datetime as dt
import os


def made_at() -> dt.datetime:
    """Now, in UTC; `SOURCE_DATE_EPOCH` (seconds since 1970) sets another time, so that outputs can be reproduced."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch.isdigit() else dt.datetime.now(dt.UTC)
