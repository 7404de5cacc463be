"""Rule text → its YAML nodes with start and end, for edits that keep the layout.

`document` reads values and the start of each node; this module adds the end, the quotation marks and the flow style.
Its input must be text that `document` reads without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from cloudsigma.compiler.document import MAX_DEPTH

_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class TextNode:
    """A node of a YAML text."""

    kind: Literal["scalar", "list", "map"]
    start: int
    """The position of its first character in the text, from 0."""
    end: int
    """The position after its last character; of a block list or map, after its last scalar or bracket."""
    line: int
    """From 1."""
    tag: str
    """Of a scalar its type in YAML: `str`, `int`, `float`, `bool`, `null`, or the whole tag of another type."""
    text: str = ""
    """Of a scalar its text without quotation marks and escapes."""
    style: str = ""
    """Of a scalar `'`, `"`, `|`, `>`, or empty for a plain one; of a list or map `flow` or empty."""
    items: tuple[TextNode, ...] = ()
    """Of a list."""
    entries: tuple[tuple[TextNode, TextNode], ...] = ()
    """Of a map: keys and values in their order, merge keys (`<<`) left out."""
    shared: bool = False
    """The node is an alias: its text is at the anchor, and a change there changes this node, too."""

    def get(self, key: str) -> TextNode | None:
        """The value of a map's key that is a scalar of this text."""
        return next((value for name, value in self.entries if name.kind == "scalar" and name.text == key), None)


def text_nodes(text: str) -> list[TextNode]:
    """The documents of a YAML text; empty if any part is not YAML or nests too deep."""
    try:
        return [
            _node(document, set(), 0) for document in yaml.compose_all(text, Loader=_LOADER) if document is not None
        ]
    except (yaml.YAMLError, UnicodeError, RecursionError, _TooDeepError):
        return []


def shared_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of the nodes that aliases repeat, merge keys included: an edit in one changes several places."""
    found: dict[str, tuple[int, int]] = {}
    shared: list[tuple[int, int]] = []
    waiting: list[tuple[str | None, int]] = []
    try:
        parsed: Any = yaml.parse(text, Loader=_LOADER)
        for event in parsed:
            begin, end = event.start_mark.index, event.end_mark.index
            if isinstance(event, yaml.AliasEvent):
                shared += [found[event.anchor]] if event.anchor in found else []
            elif isinstance(event, yaml.CollectionStartEvent):
                waiting.append((event.anchor, begin))
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, start = waiting.pop()
                if anchor is not None:
                    found[anchor] = (start, end)
            elif isinstance(event, yaml.ScalarEvent) and event.anchor is not None:
                found[event.anchor] = (begin, end)
    except (yaml.YAMLError, UnicodeError):
        return shared
    return shared


class _TooDeepError(Exception):
    pass


def _node(node: yaml.Node, seen: set[int], depth: int) -> TextNode:
    if depth > MAX_DEPTH:
        raise _TooDeepError
    start, line = node.start_mark.index, node.start_mark.line + 1
    tag = str(node.tag).removeprefix(_PREFIX)
    if isinstance(node, yaml.ScalarNode):
        shared = id(node) in seen
        seen.add(id(node))
        return TextNode(
            "scalar", start, node.end_mark.index, line, tag, str(node.value), node.style or "", (), (), shared
        )
    kind: Literal["list", "map"] = "list" if isinstance(node, yaml.SequenceNode) else "map"
    if id(node) in seen:  # not opened again: aliases may grow without bound
        return TextNode(kind, start, start, line, tag, shared=True)
    seen.add(id(node))
    flow = bool(getattr(node, "flow_style", False))
    items: tuple[TextNode, ...] = ()
    entries: tuple[tuple[TextNode, TextNode], ...] = ()
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_node(item, seen, depth + 1) for item in node.value)
    elif isinstance(node, yaml.MappingNode):
        entries = tuple(_entries(node, seen, depth))
    parts = [*items, *(value for _, value in entries)]
    ends = [part.end for part in parts if not part.shared]
    end = node.end_mark.index if flow else max(ends, default=start)
    return TextNode(kind, start, end, line, tag, "", "flow" if flow else "", items, entries)


def _entries(node: yaml.MappingNode, seen: set[int], depth: int) -> Iterator[tuple[TextNode, TextNode]]:
    for key, value in node.value:
        made = _node(key, seen, depth + 1), _node(value, seen, depth + 1)
        if key.tag != f"{_PREFIX}merge":
            yield made
