"""A message to a channel: the first of a group, an update, an overflow, a heartbeat."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from cloudsigma.notifying.alert import Alert

MessageKind = Literal["first", "update", "more", "heartbeat"]


class Message(msgspec.Struct, frozen=True):
    """A message, as the outbox keeps it."""

    id: str
    """The same at every attempt: receivers drop repeats by it."""
    kind: MessageKind
    group: str
    """Of a group of matches; `""` for an overflow or a heartbeat."""
    alert: Alert | None = None
    """The match that it shows."""
    count: int = 1
    """Matches that it speaks of."""
    groups: int = 1
    """Groups that it speaks of."""
    fresh: tuple[str, ...] = ()
    """Only in an update: resources that no earlier message named."""
    text: str = ""
    """Only in a heartbeat: its text."""

    @property
    def title(self) -> str:
        """The headline."""
        if self.kind == "heartbeat" or self.alert is None:
            return self.text
        if self.kind == "more":
            return f"and {_counted(self.groups, 'group')} more, of {_counted(self.count, 'match')}"
        if self.kind == "update":
            return f"{self.count:,} more since: {self.alert.summary}"
        return self.alert.summary

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Label and text of each line below the headline."""
        if self.alert is None or self.kind == "heartbeat":
            return []
        if self.kind == "more":
            return [("The gravest", self.alert.summary)]
        new = [("New", ", ".join(self.fresh))] if self.fresh else []
        return [*self.alert.facts, *new]

    @property
    def lines(self) -> list[str]:
        """The message as plain text."""
        return [self.title, *(f"{label}: {text}" for label, text in self.facts)]


def message_id(channel: str, group: str, sequence: int) -> str:
    """The ID of a message of a channel: the same in every process."""
    return "msg_" + hashlib.sha256(f"{channel}\n{group}\n{sequence}".encode()).hexdigest()[:32]


def _counted(number: int, noun: str) -> str:
    plural = "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"
