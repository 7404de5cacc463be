"""What a client of S3 must be able to do, and what can go wrong; the same for every client.

A method makes one attempt. Trying again, in what order and how much at once is decided elsewhere, once for all clients.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import msgspec

Kind = Literal[
    "transient", "denied", "bucket", "key", "archived", "key needed", "kms", "credentials", "region", "other"
]
"""What sort of thing went wrong; `transient` alone is worth another attempt."""

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
    """A request that failed. Its text is made here and never holds what a server sent, beyond an error code."""

    def __init__(self, kind: Kind, said: str) -> None:
        super().__init__(kind, said)
        self.kind: Kind = kind
        self.said = said
        """What happened in a word: an error code of S3, or what a connection did."""


class ListedObject(msgspec.Struct, frozen=True):
    """One object of a listing."""

    key: str
    size: int | None
    """Bytes as stored; `None` where no listing told it."""
    etag: str | None = None
    """Another one once the object has other bytes; `None` where no listing told it."""


class Page(msgspec.Struct, frozen=True):
    """One answer of a listing, in the order of the keys."""

    objects: tuple[ListedObject, ...]
    prefixes: tuple[str, ...]
    """What stands between the prefix asked for and the next `/`, where it was asked to end there."""
    following: str | None
    """Asks for the next page; `None` after the last."""


class Body(msgspec.Struct, frozen=True):
    """The bytes of an object, or of a part of it; whole as far as the client can tell."""

    data: bytes
    size: int
    """Bytes of the whole object."""
    etag: str | None
    md5: str | None = None
    """What `data` must have, where S3 tells it."""


class ObjectStore(ABC):
    """One bucket. May be used from several threads, and only in the process that made it."""

    bucket: str

    @abstractmethod
    def page(self, prefix: str, *, to_slash: bool, following: str | None = None) -> Page:
        """A page of the keys with a prefix, or of those up to the next `/` and the prefixes beyond; raises `Fault`."""

    @abstractmethod
    def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
        """An object, or its bytes from the first number to before the second; raises `Fault`.

        With `etag` it must still be the same object.
        """

    @abstractmethod
    def close(self) -> None:
        """Give up its connections."""


def fault_of(code: str, status: int | None, message: str = "") -> Fault:
    """What an error that S3 answered stands for; of the message only certain words are looked for."""
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


def reason(fault: Fault, doing: Literal["list", "read"]) -> str:
    """Why something was not listed or read, and what to do about it."""
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
            return f"it is encrypted with a key of the customer's own (SSE-C), which cannot be given ({fault.said})"
        case "archived":
            return f"it is archived in Glacier ({fault.said}); restore it first (aws s3api restore-object)"
        case "bucket":
            return f"there is no such bucket ({fault.said}); check the name, and AWS_PROFILE and AWS_ENDPOINT_URL_S3"
        case "key":
            return f"there is no such object ({fault.said}); it may have been deleted since it was listed or named"
        case "credentials":
            return f"the AWS credentials do not do ({fault.said}); sign in, or set AWS_PROFILE"
        case "region":
            return f"the bucket is in another region ({fault.said}); set AWS_REGION to the bucket's"
        case _:
            return f"S3 refused it ({fault.said})"
