"""The channels of a configuration, and the settings of notifications. Secrets are references, never texts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from cloudsigma.errors import UsageError

ChannelKind = Literal["webhook", "slack", "teams", "pagerduty", "smtp", "sns", "eventbridge", "ses", "securityhub"]
_LARGEST_SECRET = 10_000


class Secret(msgspec.Struct, frozen=True):
    """Where a secret is: an environment variable or a file. It is read when it is used, and never shown."""

    variable: str = ""
    file: str = ""

    def read(self) -> str:
        """The secret.

        Raises:
            UsageError: The variable is not set, or the file cannot be read.
        """
        if self.variable:
            found = os.environ.get(self.variable, "")
            if not found:
                raise UsageError(f"the environment variable {self.variable} is not set")
            return found
        try:
            with Path(self.file).open(encoding="utf-8") as file:
                return file.read(_LARGEST_SECRET).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the secret in {self.file} cannot be read ({type(error).__name__})") from error


class Channel(msgspec.Struct, frozen=True):
    """A receiver."""

    name: str
    kind: ChannelKind
    level: str = ""
    """The lowest level that is sent; `""`: all."""
    approved: bool = False
    """Whether approved matches are sent, too."""
    secrets: Mapping[str, Secret] = {}
    """Role (`url`, `secret`, `key`, `user`, `password`) → where it is."""
    options: Mapping[str, Any] = {}
    """The other keys of its kind."""

    def secret(self, role: str) -> str:
        """A secret, `""` if the channel has none of this role."""
        found = self.secrets.get(role)
        return found.read() if found is not None else ""


class Settings(msgspec.Struct, frozen=True):
    """The channels, and how they are used."""

    channels: tuple[Channel, ...]
    outbox: str
    """The file of the outbox."""
    dead: str
    """The file of messages that a receiver refused, as JSON lines."""
    pause: float = 900.0
    """Seconds between two updates of a group."""
    most: int = 50
    """Messages of a run to one channel; one more counts the rest."""
    attempts: int = 5
    """Attempts of a run at one message; after them it stays in the outbox."""
    heartbeat: float = 0.0
    """Seconds after which a channel that got nothing is told that nothing happened; 0: never."""
