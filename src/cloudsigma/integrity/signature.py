"""Signatures of digest files: SHA-256 with RSA, by the public key that CloudTrail's API lists for the time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloudsigma.errors import FileAccessError, MissingPackageError, UsageError

_LARGEST = 100_000


class PublicKey:
    """A public key."""

    def __init__(self, key: Any, fingerprint: str) -> None:
        self._key = key
        self.fingerprint = fingerprint
        """The MD5 of its DER (PKCS#1), by which digest files name it."""

    def verifies(self, signature: str, signed: bytes) -> bool:
        """Whether a signature, in hexadecimal digits, is that of a text."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self._key.verify(binascii.unhexlify(signature), signed, PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def read_public_key(path: str | os.PathLike[str]) -> PublicKey:
    """A key of a file: PEM, DER, or the base64 that `aws cloudtrail list-public-keys` prints.

    Raises:
        MissingPackageError: cryptography is not installed.
        FileAccessError: The file cannot be read.
        UsageError: It holds no RSA key.
    """
    if find_spec("cryptography") is None:
        raise MissingPackageError("signatures need cryptography: pip install 'cloudsigma-rules[integrity]'")
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_der_public_key,
        load_pem_public_key,
    )

    try:
        data = Path(path).read_bytes()[:_LARGEST]
    except OSError as error:
        raise FileAccessError(os.fspath(path), error) from error
    try:
        if b"-----BEGIN" in data:
            key = load_pem_public_key(data)
        else:
            key = load_der_public_key(data if data[:1] == b"\x30" else base64.b64decode(data.strip(b' \r\n\t"')))
    except (ValueError, binascii.Error, TypeError) as error:
        raise UsageError(f"{os.fspath(path)!r} holds no public key: PEM, DER or base64") from error
    if not isinstance(key, RSAPublicKey):
        raise UsageError(f"{os.fspath(path)!r} holds a key that is not RSA")
    der = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return PublicKey(key, hashlib.md5(der, usedforsecurity=False).hexdigest())
