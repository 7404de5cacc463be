"""How S3 is read: which client, how much at once, how long."""

from __future__ import annotations

from typing import Literal

import msgspec

from cloudsigma.reading.sources.s3.retry import Patience


class S3Options(msgspec.Struct, frozen=True):
    """Bounds and choices; the defaults suit any bucket."""

    client: Literal["auto", "boto3", "obstore"] = "auto"
    """Which library fetches objects; `auto`: obstore where it is installed and can be used, else boto3."""
    threads: int = 16
    """Requests at the same time: so many for listings, and so many for objects."""
    ahead: int = 64 << 20
    """Bytes, as stored, of objects that are fetched before their turn."""
    streamed: int = 32 << 20
    """Bytes from which an object is not fetched ahead and whole, but in parts as it is read."""
    part: int = 8 << 20
    """Bytes of such a part."""
    unlisted: int = 4 << 20
    """Bytes that are fetched ahead of an object whose size no listing told; one with more is read in parts."""
    listed: int = 20_000
    """Objects that are listed before their turn."""
    timeout: float = 30.0
    """Seconds without a connection or a byte before an attempt has failed."""
    patience: Patience = Patience()
    """How often to try again, and after which waits."""


DEFAULT = S3Options()
"""What is used where nothing else is said."""
