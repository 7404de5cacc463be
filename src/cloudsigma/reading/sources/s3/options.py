"""Options for reading S3: client, concurrency, memory, timeouts."""

from __future__ import annotations

from typing import Literal

import msgspec

from cloudsigma.reading.sources.s3.retry import Patience


class S3Options(msgspec.Struct, frozen=True):
    """Options for reading S3; the defaults suit any bucket."""

    client: Literal["auto", "boto3", "obstore"] = "auto"
    """The library that fetches objects; `auto`: obstore if it is installed and usable, else boto3."""
    threads: int = 16
    """Most concurrent requests, for listings and for objects each."""
    ahead: int = 64 << 20
    """Most stored bytes of objects fetched ahead."""
    streamed: int = 32 << 20
    """Objects of at least this many bytes are read in parts instead of being fetched ahead."""
    part: int = 8 << 20
    """Size of a part in bytes."""
    unlisted: int = 4 << 20
    """Most bytes fetched ahead of an object of unknown size; a larger object is read in parts."""
    listed: int = 20_000
    """Most objects listed ahead."""
    timeout: float = 30.0
    """Timeout in seconds, for connecting and between two bytes."""
    patience: Patience = Patience()
    """Number of attempts, and the waits between them."""


DEFAULT = S3Options()
"""The default options."""
