"""An event of the catalogue, and the marks behind its name in the data file."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Origin = Literal["model", "action", "documented", "observed", "added"]

_WRITTEN = re.compile(r"(?P<name>[\w.]+)(?P<marks>[+~^*!@-]*)")
_ORIGINS: dict[str, Origin] = {"^": "action", "*": "documented", "!": "observed"}


class Event(msgspec.Struct, frozen=True):
    """One event."""

    source: str
    """Its source, such as `iam.amazonaws.com`."""
    name: str
    """Its name, such as `CreateGroup`."""
    read_only: bool = False
    """The record's `readOnly`."""
    origin: Origin = "model"
    """`model`: an operation of botocore's models; `action`: an IAM action of a service without a model; `documented`:
    an event that is no API call; `observed`: seen in public records; `added`: from the configuration."""
    alias: bool = False
    """Whether it is another name of a call, or one that only old records have."""
    undated: bool = False
    """Whether records have the name only with a date behind it, as for Lambda."""
    retired: bool = False
    """Whether it has left its input since an earlier catalogue."""


def read_events(source: str, names: str) -> dict[str, Event]:
    """The events of a source as the data file writes them: lower-case name → event."""
    found: dict[str, Event] = {}
    for written in names.split():
        if match := _WRITTEN.fullmatch(written):
            marks = match["marks"]
            found[match["name"].lower()] = Event(
                source, match["name"], "+" in marks,
                next((origin for mark, origin in _ORIGINS.items() if mark in marks), "model"),
                "~" in marks, "@" in marks, "-" in marks,
            )  # fmt: skip
    return found
