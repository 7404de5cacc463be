"""Pseudonyms by HMAC: an original has one pseudonym under one key, and nobody without the key can test a guess."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from functools import lru_cache

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_KEPT = 200_000
"""Pseudonyms that are remembered; others are computed again."""


class Pseudonyms:
    """The pseudonyms of one key (bytes, at least 16)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.digest = lru_cache(_KEPT)(self._digest)
        """The HMAC-SHA256 of a kind and an original."""

    def _digest(self, kind: str, original: str) -> bytes:
        return hmac.new(self._key, f"{kind}\0{original}".encode(errors="replace"), hashlib.sha256).digest()

    def account(self, original: str) -> str:
        """An account ID: 12 digits, never the original."""
        number = int.from_bytes(self.digest("account", original)[:8]) % 900_000_000_000 + 100_000_000_000
        return str(number if str(number) != original else 100_000_000_000 + number % 800_000_000_000)

    def identifier(self, original: str, kept: int) -> str:
        """A unique ID such as `AKIA…` or `AROA…`: its first letters, then others; the same length."""
        digest = self.digest("id", original) * (len(original) // 32 + 1)
        letters = "".join(_UPPER[byte % 32] for byte in digest[: len(original) - kept])
        return original[:kept] + letters

    def hexadecimal(self, original: str) -> str:
        """Hexadecimal digits of the same number."""
        return (self.digest("hex", original).hex() * (len(original) // 64 + 1))[: len(original)]

    def uuid(self, original: str) -> str:
        """A UUID."""
        made = uuid.UUID(bytes=self.digest("uuid", original.lower())[:16], version=4)
        return str(made).upper() if original.isupper() else str(made)

    def name(self, original: str) -> str:
        """A name: letters that begin with `n`, since some names may not begin with a digit."""
        return "n" + base64.b32encode(self.digest("name", original)[:6]).decode().rstrip("=").lower()

    def email(self, original: str) -> str:
        """A mail address at a domain that nobody has."""
        local, _, domain = original.rpartition("@")
        return f"{self.name(local)}@{self.name(domain.lower())}.example"

    def bit(self, prefix: str) -> int:
        """One bit for a prefix of an address."""
        return self.digest("address", prefix)[0] & 1
