"""Mistakes in a single value: a missing wildcard or anchor, a number off by one, null for empty text."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from cloudsigma.compiler.spans import TextNode
from cloudsigma.testing.mutation.edits import Edit, Mutant, rewritten

_ESCAPED = "\\*?"


def value_mutants(text: str, node: TextNode, way: str, modifiers: frozenset[str], *, keyword: bool) -> Iterator[Mutant]:
    """The mistakes that can be made in one value of a test."""
    for changed in _changes(node, modifiers, keyword=keyword):
        if isinstance(changed, str):
            edit, shown = rewritten(text, node, changed), changed
        else:
            edit, shown = Edit(node.start, node.end, changed[0]), changed[0]
        yield Mutant(
            f"{way} {_shown(node)}->{shown if isinstance(changed, tuple) else repr(shown)}", node.line, (edit,)
        )


def _shown(node: TextNode) -> str:
    return repr(node.text) if node.tag == "str" else node.text or "null"


def _changes(node: TextNode, modifiers: frozenset[str], *, keyword: bool) -> Iterator[str | tuple[str]]:
    """New texts; those in a tuple are written without quotation marks."""
    if node.style in ("|", ">"):
        return
    match node.tag:
        case "str" if "re" in modifiers:
            yield from _without_anchors(node.text)
        case "str" if "cidr" in modifiers:
            yield from _networks(node.text)
        case "str" if not modifiers & {"base64", "base64offset", "fieldref"}:
            yield from _without_wildcards(node.text)
            if not node.text and not keyword and not modifiers:
                yield ("null",)
        case "int" | "float":
            yield from _off_by_one(node)
        case "bool":
            yield ("false" if node.text.lower() in ("true", "yes", "on") else "true",)
        case "null" if not keyword:
            yield ""


def _without_wildcards(value: str) -> Iterator[str]:
    at = 0
    while at < len(value):
        if value[at] == "\\" and value[at + 1 : at + 2] in ("\\", "*", "?"):
            at += 2
            continue
        if value[at] in "*?":
            yield value[:at] + value[at + 1 :]
        at += 1


def _without_anchors(pattern: str) -> Iterator[str]:
    if pattern.startswith("^"):
        yield pattern[1:]
    if pattern.endswith("$") and (len(pattern) - len(pattern[:-1].rstrip("\\"))) % 2:
        yield pattern[:-1]


def _networks(value: str) -> Iterator[str]:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        return
    if network.prefixlen:
        yield str(network.supernet())
    if network.prefixlen < network.max_prefixlen:
        yield str(next(iter(network.subnets())))


def _off_by_one(node: TextNode) -> Iterator[tuple[str]]:
    try:
        number = float(node.text) if node.tag == "float" else int(node.text)
    except ValueError:  # YAML has more ways to write a number: 0o14, 1_000, .inf
        return
    for other in (number - 1, number + 1):
        yield (str(other),)
