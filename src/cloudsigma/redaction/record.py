"""Goes through a record: which values are names, which are free texts, and which say nothing about anybody."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from cloudsigma.redaction.texts import Texts

_OPEN = frozenset(
    {
        "eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "eventType", "eventCategory", "errorCode",
        "apiVersion", "tlsVersion", "cipherSuite", "keyExchange", "creationDate", "type", "mfaAuthenticated",
        "sessionCredentialFromConsole", "ec2RoleDelivery", "assumedRoot", "readOnly", "managementEvent", "reason",
        "CipherSuite", "encryptionAlgorithm", "keySpec", "keyUsage", "instanceType", "AuthenticationMethod",
        "SignatureVersion", "MFAUsed", "MobileVersion", "ConsoleLogin", "LoginTo",
    }
)  # fmt: skip
"""Members whose values name nobody."""
_FREE = frozenset({"errorMessage", "userAgent", "description", "comment", "message", "statusMessage", "Message"})
"""Members that people and services write."""
_REGION = r"(?:af|ap|ca|eu|il|me|mx|sa|us|cn)-(?:[a-z]+-){1,2}[0-9][a-z]?"
_SERVICE = re.compile(rf"[a-z][a-z0-9-]*(?:\.{_REGION})?\.amazonaws\.com(?:\.cn)?|AWS Internal")
"""A service, as principals and endpoints name it; a label before it may be a bucket or an account."""
_HOST = re.compile(
    rf"(?P<labels>.+?)(?P<service>\.[a-z][a-z0-9-]*(?:\.dualstack)?(?:\.{_REGION})?\.amazonaws\.com(?:\.cn)?)"
)
_PLAIN = re.compile(
    r"[-+]?[0-9]{1,11}(?:\.[0-9]{1,6})?|true|false|success|failure|allow|deny|enabled|disabled|active|inactive|"
    r"pending|running|stopped|available|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?"
    r"|[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4},? [0-9:]+.[AP]M"
    rf"|{_REGION}|HIDDEN_DUE_TO_SECURITY_REASONS"
    r"|\*+|<sensitiveDataRemoved>|Sensitive Data Removed",
    re.IGNORECASE,
)
_HIDDEN = "redacted"


class RecordRedactor:
    """Redacts records.

    Args:
        texts: Replaces the parts of texts.
        kept: Values that rules compare as a whole, in lower case.
    """

    def __init__(self, texts: Texts, kept: frozenset[str] = frozenset()) -> None:
        self._texts = texts
        self._kept = kept
        self.unsure: Counter[str] = Counter()
        """Path of a member → how often it held free text, of which only known forms and names were replaced."""

    def redact(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record with pseudonyms; the record itself is not changed."""
        made: dict[str, Any] = self._value(record, (), 0)
        return made

    def _value(self, value: Any, way: tuple[str, ...], depth: int) -> Any:
        if depth > _DEEPEST:
            return _HIDDEN
        if isinstance(value, Mapping):
            return {
                self._key(name, way): self._value(member, (*way, str(name)), depth + 1)
                for name, member in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._value(element, way, depth + 1) for element in value]
        if isinstance(value, str):
            return self._text(value, way)
        if isinstance(value, int) and not isinstance(value, bool) and len(str(value)) == 12:
            return int(self._texts.patterns(str(value)))
        return value

    def _key(self, name: Any, way: tuple[str, ...]) -> str:
        """A name of a member: fixed by the API, but for maps from names to values, such as tags."""
        text = str(name)
        return self._texts.patterns(text) if way else text

    def _text(self, text: str, way: tuple[str, ...]) -> str:
        name = way[-1] if way else ""
        if (
            not text
            or (name in _OPEN and len(way) <= _OPEN_DEPTH)
            or _PLAIN.fullmatch(text)
            or _SERVICE.fullmatch(text)
        ):
            return text
        if text.lower() in self._kept:
            return text
        if (pieces := self._texts.split(text)) is not None:
            return "".join(piece if at % 2 or not piece else self._text(piece, way) for at, piece in enumerate(pieces))
        if text.startswith("arn:aws"):
            return self._texts.patterns(text)
        if found := _HOST.fullmatch(text):
            return ".".join(self._texts.part(label) for label in found["labels"].split(".")) + found["service"]
        if name in _FREE or (name == "sourceIPAddress" and " " in text):
            return self._free(text, way)
        if text[:1] in "{[" and (decoded := _decoded(text)) is not None:
            return json.dumps(self._value(decoded, way, _TEXT_DEPTH + len(way)), separators=(",", ":"))
        if " " in text.strip() or "\n" in text:
            return self._free(text, way)
        replaced = self._texts.patterns(text)
        if replaced != text:
            return self._rest(text, replaced)
        if ":" in text and way[-1] == "principalId":
            return ":".join(self._texts.part(part) for part in text.split(":"))
        if "/" in text:
            return "/".join(self._texts.part(part) for part in text.split("/"))
        return self._texts.identity(text) if way[0] == "userIdentity" else self._texts.name(text)

    def _rest(self, text: str, replaced: str) -> str:
        """A text of which parts were replaced by their form: an ID with a session name behind it, `AROA…:alice`."""
        head, colon, tail = text.partition(":")
        if colon and not text.startswith("arn:") and "://" not in text:
            return f"{self._texts.part(head)}:{self._texts.part(tail)}"
        return replaced

    def _free(self, text: str, way: tuple[str, ...]) -> str:
        self.unsure[".".join(way[:3])] += 1
        agent = way[-1:] == ("userAgent",)  # full of words that are values elsewhere: Linux, x86_64
        return self._texts.free(text, self._texts.identities if agent else self._texts.names)


_DEEPEST = 100
_OPEN_DEPTH = 4
_TEXT_DEPTH = 1


def _decoded(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, (dict, list)) else None
