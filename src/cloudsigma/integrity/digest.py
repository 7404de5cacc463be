"""One digest file of CloudTrail: the log files of an hour with their hashes, and the digest file before it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from cloudsigma.engine.context.event_time import read_time


class NamedFile(msgspec.Struct, frozen=True):
    """A file that a digest names."""

    bucket: str
    key: str
    sha256: str
    """Of its content, not compressed, in hexadecimal digits."""


class DigestFile(msgspec.Struct, frozen=True):
    """A digest file."""

    path: str
    """Where it lies."""
    bucket: str
    key: str
    account: str
    start: dt.datetime
    end: dt.datetime
    end_text: str
    """The end as the file writes it, which is signed."""
    files: tuple[NamedFile, ...]
    previous: NamedFile | None
    """The digest file before it; `None` of the first one of a trail."""
    previous_signature: str | None
    """The signature of the digest file before it: hexadecimal."""
    fingerprint: str
    """Of the public key that verifies the signature."""
    sha256: str
    """Of its own content."""

    @property
    def chain(self) -> tuple[str, str]:
        """Digest files of one account, region and trail form a chain: the key without its date and name."""
        parts = self.key.split("/")
        at = parts.index("CloudTrail-Digest") if "CloudTrail-Digest" in parts else -1
        trail = "_".join(parts[-1].split("_")[:-1]) if at >= 0 else parts[-1]
        return "/".join(parts[: at + 2]) if at >= 0 else "", trail

    @property
    def signed(self) -> bytes:
        """The text that is signed."""
        lines = (self.end_text, f"{self.bucket}/{self.key}", self.sha256, self.previous_signature or "null")
        return "\n".join(lines).encode()


class NoDigestError(ValueError):
    """The content is no digest file."""


def read_digest(path: str, content: bytes) -> DigestFile:
    """Read the content of a digest file, not compressed; raises `NoDigestError`."""
    try:
        value = msgspec.json.decode(content)
        return DigestFile(
            path=path,
            bucket=str(value["digestS3Bucket"]),
            key=str(value["digestS3Object"]),
            account=str(value["awsAccountId"]),
            start=_moment(value["digestStartTime"]),
            end=_moment(value["digestEndTime"]),
            end_text=str(value["digestEndTime"]),
            files=tuple(
                _named(each, "s3Bucket", "s3Object", "hashValue", "hashAlgorithm") for each in value["logFiles"]
            ),
            previous=_previous(value),
            previous_signature=_text(value.get("previousDigestSignature")),
            fingerprint=str(value.get("digestPublicKeyFingerprint") or ""),
            sha256=hashlib.sha256(content).hexdigest(),
        )
    except NoDigestError:
        raise
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoDigestError(f"it is no digest file of CloudTrail ({type(error).__name__})") from error


def _previous(value: Mapping[str, Any]) -> NamedFile | None:
    if value.get("previousDigestS3Object") is None:
        return None
    return _named(
        value, "previousDigestS3Bucket", "previousDigestS3Object", "previousDigestHashValue",
        "previousDigestHashAlgorithm",
    )  # fmt: skip


def _named(value: Mapping[str, Any], bucket: str, key: str, digest: str, algorithm: str) -> NamedFile:
    if value.get(algorithm, "SHA-256") != "SHA-256":
        raise NoDigestError("it has hashes that are not SHA-256")
    return NamedFile(str(value[bucket]), str(value[key]), str(value[digest]).lower())


def _moment(value: Any) -> dt.datetime:
    found = read_time(value)
    if found is None:
        raise NoDigestError("it has no times")
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
