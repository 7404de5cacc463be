"""The caller, the network and the call that records share, as tests of a Sigma filter.

Only values that are likely to be the same next time: the role and never its session, a user agent without its version.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cloudsigma.drafting.contrast import value_of
from cloudsigma.drafting.draft import Value

ISSUER = "userIdentity.sessionContext.sessionIssuer.arn"
ARN = "userIdentity.arn"
ADDRESS = "sourceIPAddress"
_AGENT = "userAgent"
_SESSION = re.compile(r"arn:[\w-]+:sts::\d*:(assumed-role/[^/]+/|federated-user/)")
_CHANGING = re.compile(r"\d+\.\d+\.\d|\d{8}|[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{16}", re.IGNORECASE)
"""Versions and IDs in a user agent."""
_WIDEST = {4: 16, 6: 48}
"""The shortest prefix of a network that may be used: a wider one is shared by chance."""
_SHORTEST_AGENT = 4
_LONGEST = 300
"""Characters of a value that may be used."""


@dataclass(frozen=True, slots=True)
class FieldTest:
    """One line of a filter."""

    field: str
    value: Value
    modifier: Literal["", "startswith", "cidr"] = ""
    names_origin: bool = False
    """Whether it says who called or from which network; the others say only what was called, where and with which
    program, which any caller can choose."""

    @property
    def key(self) -> str:
        """The field with its modifier, as a rule writes it."""
        return f"{self.field}|{self.modifier}" if self.modifier else self.field


def shared_fields(records: Sequence[Mapping[str, Any]]) -> tuple[FieldTest, ...]:
    """The tests that all records pass, those of the caller first; there is at least one record."""
    found = (*_caller(records), *_network(records), *_agent(records), *_call(records))
    return tuple(each for each in found if each is not None)


def _caller(records: Sequence[Mapping[str, Any]]) -> Iterator[FieldTest]:
    issuer = _shared(records, ISSUER)
    if issuer is not None:
        yield FieldTest(ISSUER, issuer, names_origin=True)
        return
    sessions = [_SESSION.match(text) for text in _texts(records, ARN)]
    if not any(sessions):
        arn = _shared(records, ARN)
        if arn is not None:
            yield FieldTest(ARN, arn, names_origin=True)
            return
    else:
        roles = {found.group() if found is not None else "" for found in sessions}
        role = roles.pop()
        if not roles and role.count("/") > 1:  # the name of a federated user is that of its session
            yield FieldTest(ARN, role, "startswith", names_origin=True)
            return
    if _shared(records, "userIdentity.type") == "AWSService":
        service = _shared(records, "userIdentity.invokedBy")
        if service is not None:
            yield FieldTest("userIdentity.type", "AWSService")
            yield FieldTest("userIdentity.invokedBy", service, names_origin=True)


def _network(records: Sequence[Mapping[str, Any]]) -> Iterator[FieldTest]:
    texts = _texts(records, ADDRESS)
    try:
        addresses = sorted({ipaddress.ip_address(text) for text in texts}, key=int)
    except ValueError:  # a service, such as cloudformation.amazonaws.com
        same = _shared(records, ADDRESS)
        if same is not None:
            yield FieldTest(ADDRESS, same)
        return
    if not addresses or len({address.version for address in addresses}) > 1:
        return
    if len(addresses) == 1:
        same = _shared(records, ADDRESS)
        if same is not None:  # one address in one spelling
            yield FieldTest(ADDRESS, same, names_origin=True)
            return
    first, last = addresses[0], addresses[-1]
    prefix = first.max_prefixlen - (int(first) ^ int(last)).bit_length()
    if prefix >= _WIDEST[first.version]:
        network = ipaddress.ip_network(f"{first}/{prefix}", strict=False)
        yield FieldTest(ADDRESS, str(network), "cidr", names_origin=True)


def _agent(records: Sequence[Mapping[str, Any]]) -> Iterator[FieldTest]:
    texts = _texts(records, _AGENT)
    if not texts or any("HIDDEN_DUE" in text for text in texts):
        return
    whole = _shared(records, _AGENT)
    if whole is not None and not _CHANGING.search(whole):
        yield FieldTest(_AGENT, whole)
        return
    start = _common_start(min(texts), max(texts))[:_LONGEST]  # of sorted texts, the first and last differ most
    changing = _CHANGING.search(start)
    start = start[: changing.start()] if changing is not None else start
    start = start[: max(start.rfind(each) for each in "/ _#") + 1]  # whole words
    if len(start.strip()) >= _SHORTEST_AGENT and start.isprintable():
        yield FieldTest(_AGENT, start, "startswith")


def _call(records: Sequence[Mapping[str, Any]]) -> Iterator[FieldTest]:
    for name in ("recipientAccountId", "eventSource", "eventName"):
        same = _shared(records, name)
        if same is not None:
            yield FieldTest(name, same)


def _common_start(one: str, other: str) -> str:
    pairs = zip(one, other, strict=False)
    return one[: sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))]


def _shared(records: Sequence[Mapping[str, Any]], name: str) -> str | None:
    """The text that the field has in all records, letter case aside, if a filter can hold it."""
    texts = _texts(records, name)
    if not texts or len({text.lower() for text in texts}) > 1:
        return None
    return texts[0] if 0 < len(texts[0]) <= _LONGEST and texts[0].isprintable() else None


def _texts(records: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """The texts of a field; empty if a record has none."""
    values = [value_of(record, name) for record in records]
    return values if all(isinstance(value, str) for value in values) else []
