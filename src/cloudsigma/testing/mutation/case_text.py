"""The text of a proposed case: a base of the case file, and the changes that make the record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from cloudsigma.testing.cases.yaml_text import flow, overrides, quoted, scalar


class Proposal(msgspec.Struct, frozen=True):
    """A case that passes with the rule and fails with the mutant."""

    near: str
    """The case that it was made from; empty if it was made from the base of the cases."""
    match: bool
    """The rule's verdict; the author decides whether it is right."""
    records: tuple[dict[str, Any], ...]
    yaml: str
    """The case as text for the case file."""


class SearchStart(msgspec.Struct, frozen=True):
    """A record to start the search from."""

    record: Mapping[str, Any]
    case: str
    """The name of its case; empty for the base of a case."""
    base: Mapping[str, Any] | None = None
    """The base of the case."""
    base_name: str | None = None
    """The base's name in the case file."""


def head(mutant: str, *, match: bool) -> list[str]:
    """The first keys of a case that kills a mutant."""
    return [
        f"- name: {quoted(f'tells the rule from: {mutant}')}",
        "  reason: say why this is the right verdict",
        f"  match: {'true' if match else 'false'}",
    ]


def made_from(record: dict[str, Any], start: SearchStart, ignored: Collection[str] = ()) -> list[str]:
    """The keys of a case that make the record: the base and its changes, or the record itself."""
    if start.base is None:
        return [f"record: {flow(record)}"]
    lines = overrides(start.base, record, ignored)
    if lines[:1] == ["record:"]:
        return [f"record: {flow(record)}"]
    named = [f"base: {scalar(start.base_name)}"] if start.base_name else []
    return [*named, *lines]
