"""The interface of S3 clients, and their errors.

Each method makes one attempt. Retries, order and concurrency are implemented elsewhere, once for all clients.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import msgspec

from cloudsigma.reading.sources.interface import FailureKind

Kind = Literal[
    "transient", "denied", "bucket", "key", "archived", "key needed", "kms", "credentials", "region", "other"
]
"""The kind of failure; only `transient` ones are retried."""

_TRANSIENT = frozenset(
    {
        "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeoutException", "Throttling",
        "ThrottlingException", "RequestThrottled", "RequestLimitExceeded", "TooManyRequests", "OperationAborted",
    }
)  # fmt: skip
_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_KINDS: dict[str, Kind] = {
    "AccessDenied": "denied",
    "AllAccessDisabled": "denied",
    "Forbidden": "denied",
    "NoSuchBucket": "bucket",
    "NoSuchKey": "key",
    "InvalidObjectState": "archived",
    "ExpiredToken": "credentials",
    "TokenRefreshRequired": "credentials",
    "InvalidAccessKeyId": "credentials",
    "InvalidToken": "credentials",
    "SignatureDoesNotMatch": "credentials",
    "RequestTimeTooSkewed": "credentials",
    "PermanentRedirect": "region",
    "TemporaryRedirect": "region",
    "AuthorizationHeaderMalformed": "region",
}
_KINDS_OF_STATUS: dict[int, Kind] = {301: "region", 401: "credentials", 403: "denied", 404: "key"}


class Fault(Exception):  # noqa: N818  # turned into an entry of the ledger
    """A request that failed. Its text never contains text from a server, except an error code."""

    def __init__(self, kind: Kind, said: str) -> None:
        super().__init__(kind, said)
        self.kind: Kind = kind
        self.said = said
        """The cause in a few words: an error code of S3, or the failure of a connection."""


class ListedObject(msgspec.Struct, frozen=True):
    """One object of a listing."""

    key: str
    size: int | None
    """Stored size in bytes; `None` without a listing."""
    etag: str | None = None
    """Changes when the content changes; `None` without a listing."""


class Page(msgspec.Struct, frozen=True):
    """One page of a listing, in the order of the keys."""

    objects: tuple[ListedObject, ...]
    prefixes: tuple[str, ...]
    """The prefixes up to the next `/`, if the listing stops there."""
    following: str | None
    """The token for the next page; `None` after the last."""


class Body(msgspec.Struct, frozen=True):
    """The bytes of an object or of a part of it; complete as far as the client can tell."""

    data: bytes
    size: int
    """Size of the whole object in bytes."""
    etag: str | None
    md5: str | None = None
    """The expected MD5 of `data`; `None` if S3 does not give it."""


class ObjectStore(ABC):
    """A client for one bucket. Thread-safe, but only usable in the process that created it."""

    bucket: str

    @abstractmethod
    def page(self, prefix: str, *, to_slash: bool, following: str | None = None) -> Page:
        """List a page of the keys with a prefix; `to_slash`: only up to the next `/`. Raises `Fault`."""

    @abstractmethod
    def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
        """Fetch an object, or the bytes of `span` (end exclusive); raises `Fault`.

        With `etag`, the object must still have this ETag.
        """

    @abstractmethod
    def close(self) -> None:
        """Close its connections."""


def fault_of(code: str, status: int | None, message: str = "") -> Fault:
    """Translate an error response of S3; the message is only searched for certain words."""
    if code in _TRANSIENT or (status in _TRANSIENT_STATUS and code not in _KINDS):
        return Fault("transient", code or f"status {status}")
    said = code or (f"status {status}" if status is not None else "no error code")
    if code.startswith("KMS.") or (code == "AccessDenied" and "kms:" in message):
        return Fault("kms", said)
    if code == "InvalidRequest" and "encryption" in message.lower():
        return Fault("key needed", said)
    kind = _KINDS.get(code)
    if kind is None and (not code or code.isdigit()) and status is not None:
        kind = _KINDS_OF_STATUS.get(status)
    return Fault(kind or "other", said)


def failure_kind(fault: Fault) -> FailureKind:
    """Whether a later attempt to read the object may succeed. S3 is consistent: a missing object stays missing."""
    if fault.kind in {"denied", "kms"}:
        return "denied"
    return "lasting" if fault.kind in {"key", "bucket", "archived", "key needed"} else "passing"


def reason(fault: Fault, doing: Literal["list", "read"]) -> str:
    """Why a listing or an object could not be read, and what to do."""
    match fault.kind:
        case "transient":
            return f"S3 did not give it, however often it was asked; the last answer: {fault.said}"
        case "denied":
            permission = "s3:ListBucket on the bucket" if doing == "list" else "s3:GetObject on the object"
            return f"access is denied ({fault.said}); {permission} is needed"
        case "kms":
            return (
                f"it is encrypted with a KMS key that may not be used ({fault.said}); kms:Decrypt on that key is needed"
            )
        case "key needed":
            return f"it is encrypted with a customer-provided key (SSE-C), which is not supported ({fault.said})"
        case "archived":
            return f"it is archived in Glacier ({fault.said}); restore it first (aws s3api restore-object)"
        case "bucket":
            return f"there is no such bucket ({fault.said}); check the name, and AWS_PROFILE and AWS_ENDPOINT_URL_S3"
        case "key":
            return f"there is no such object ({fault.said}); it may have been deleted since it was listed or named"
        case "credentials":
            return f"the AWS credentials cannot be used ({fault.said}); sign in, or set AWS_PROFILE"
        case "region":
            return f"the bucket is in another region ({fault.said}); set AWS_REGION to the bucket's"
        case _:
            return f"S3 refused it ({fault.said})"
