"""The objects of IAM Roles Anywhere as calls and answers name them → attributes that compare.

A certificate is the SHA-256 of its DER, a bundle the set of these, so that line ends do not count. Policies and
mappings are canonical JSON.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from cloudsigma.inventory.item import Kind

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
MEMBERS: Mapping[Kind, tuple[str, str, str]] = {
    "trust_anchor": ("trustAnchor", "trustAnchorId", "trustAnchorArn"),
    "profile": ("profile", "profileId", "profileArn"),
    "crl": ("crl", "crlId", "crlArn"),
}
"""Kind → the member of an answer that holds the object, its ID, its ARN."""
_PLAIN: Mapping[Kind, tuple[str, ...]] = {
    "trust_anchor": ("enabled", "crlDpRevocationEnabled", "aliasName", "aliasArn"),
    "profile": (
        "enabled", "durationSeconds", "acceptRoleSessionName", "requireInstanceProperties", "createdBy", "aliasName",
    ),
    "crl": ("enabled", "trustAnchorArn"),
}  # fmt: skip
_LISTS: Mapping[Kind, tuple[str, ...]] = {"profile": ("roleArns", "managedPolicyArns")}
_WRITTEN: Mapping[Kind, tuple[str, ...]] = {
    "trust_anchor": ("notificationSettings",),
    "profile": ("attributeMappings", "tipConfiguration"),
}
"""Members that are compared as canonical JSON."""
_HASHED: Mapping[Kind, tuple[str, ...]] = {"profile": ("sessionPolicy",), "crl": ("crlData",)}


def attributes_of(kind: Kind, value: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that an object, or a part of one, names."""
    found: dict[str, Any] = {}
    for name in _PLAIN.get(kind, ()):
        if name in value:
            found[name] = value[name]
    for name in _LISTS.get(kind, ()):
        if isinstance(value.get(name), (list, tuple)):
            found[name] = sorted(map(str, value[name]))
    for name in _WRITTEN.get(kind, ()):
        if name in value:
            found[name] = canonical(value[name])
    for name in _HASHED.get(kind, ()):
        if value.get(name) is not None:
            found[name] = policy_hash(value[name])
    source = value.get("source")
    if isinstance(source, Mapping):
        found |= _source(source)
    return found


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "sourceType" in source:
        found["sourceType"] = source["sourceType"]
    data = source.get("sourceData")
    if isinstance(data, Mapping):
        if isinstance(data.get("x509CertificateData"), str):
            found["certificates"] = certificate_hashes(data["x509CertificateData"])
        if isinstance(data.get("acmPcaArn"), str):
            found["acmPcaArn"] = data["acmPcaArn"]
    return found


def certificate_hashes(bundle: str) -> list[str]:
    """The SHA-256 of each certificate of a bundle, sorted; of a text that holds none, the SHA-256 of the text."""
    found = set()
    for body in _PEM.findall(bundle):
        text = "".join(body.split())
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            data = text.encode()
        found.add(hashlib.sha256(data).hexdigest())
    return sorted(found) or [hashlib.sha256("".join(bundle.split()).encode()).hexdigest()]


def canonical(value: Any) -> str:
    """A value as JSON whose text does not depend on the order of members and of lists of objects."""
    return json.dumps(_sorted(value), sort_keys=True, separators=(",", ":"), default=str)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _sorted(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return sorted(map(_sorted, value), key=lambda each: json.dumps(each, sort_keys=True, default=str))
    return value


def policy_hash(document: Any) -> str:
    """The SHA-256 of a policy: of its canonical JSON if it is JSON, else of its text."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return hashlib.sha256(document.strip().encode(errors="replace")).hexdigest()
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()
