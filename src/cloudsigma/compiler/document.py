"""Rule text → YAML documents with the place of every key and value.

Values have the types of PyYAML's safe loader (YAML 1.1: `No` is false, `0644` is 420), since pySigma uses it. But they
are built here, from the events of PyYAML's C parser: this builder keeps positions, and refuses repeated keys, unknown
tags, deep nesting and aliases that grow. Documents are read one by one, so that a bad one never hides its neighbors.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import yaml

from cloudsigma.compiler.limits import DEFAULT_LIMITS, RuleLimits
from cloudsigma.compiler.remedies import quoted, shortened
from cloudsigma.compiler.rule_text import decode, documents_of
from cloudsigma.compiler.yaml_mistakes import yaml_mistake
from cloudsigma.errors import Category, RuleError, Severity

MAX_DEPTH = 64
"""Maps and lists may nest this deep."""

Path = tuple[str | int, ...]
"""The way to a node: keys and list positions from the top of the document."""

_GLUED_COMMENT = re.compile(r"\s*(?:- |[^#'\"]*: )[^#'\"]*[^\s#'\"][ \t]+(#[^\s#]{1,20})\s*")
_PREFIX = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_PREFIX + name for name in ("str", "int", "float", "bool", "null", "timestamp", "binary"))
_MERGE = _PREFIX + "merge"
_TEXT = _PREFIX + "str"
_SPELLED_KINDS = (bool, int, float, dt.date)
_RESOLVER = yaml.SafeLoader("")
"""Resolves the type of a plain scalar."""
_PARSER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a node starts: line and column count from 1; `offset` is what a quotation mark adds."""

    line: int
    column: int
    offset: int = 0
    single_line: bool = True


class Document:
    """One YAML document: its value and the position of every node."""

    __slots__ = ("comments", "keys", "line", "path", "spelled", "unwritten", "value", "values")

    def __init__(self, value: Any, line: int, path: str | None) -> None:
        self.value = value
        self.line = line
        self.path = path
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.spelled: dict[Path, tuple[str, Any]] = {}
        """The values without quotation marks that YAML reads as another number, boolean or date than their text
        shows (`0644`, `1_000`, `1.10`, `No`): text and value."""
        self.unwritten: set[Path] = set()
        """Ways to nulls written as an empty value after a key or a dash."""
        self.comments: tuple[tuple[Place, str], ...] = ()
        """Comments of one word, without a blank behind the #, that follow a value: `bob #1`."""

    def place(self, way: Path) -> Place:
        """The place of the key at this way, else of the value, else of the nearest node above."""
        while way:
            if found := self.keys.get(way) or self.values.get(way):
                return found
            way = way[:-1]
        return self.values.get((), Place(self.line, 1))


class Located:
    """Makes errors about one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        value = document.value if isinstance(document.value, dict) else {}
        named = value.get("id") or value.get("title")
        self.rule = str(named)[:120] if named is not None else None

    def error(self, category: Category, reason: str, way: Path, remedy: str | None = None) -> RuleError:
        """An error at a node of the document."""
        return self.at(self.document.place(way), category, reason, remedy)

    def warning(self, category: Category, reason: str, way: Path, remedy: str) -> RuleError:
        """A warning at a node of the document."""
        return self.at(self.document.place(way), category, reason, remedy, "warning")

    def at(
        self, place: Place, category: Category, reason: str, remedy: str | None, severity: Severity = "error"
    ) -> RuleError:
        """An error or warning at a place of the document."""
        return RuleError(
            category,
            reason,
            path=self.document.path,
            line=place.line,
            column=place.column,
            rule=self.rule,
            remedy=remedy,
            severity=severity,
        )


def read_documents(
    data: bytes | str, path: str | None, limits: RuleLimits = DEFAULT_LIMITS
) -> Iterator[Document | RuleError]:
    """The documents of a rule file in order; for each that cannot be read, its error instead.

    Empty documents are left out. Line numbers are those of the whole file.
    """
    if len(data) > limits.file:
        yield too_large(path, limits)
        return
    try:
        text = decode(data)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        yield RuleError(
            "yaml",
            f"the file is not UTF-8 text ({error.reason})",
            path=path,
            line=line,
            remedy="Save it as UTF-8.",
        )
        return
    for number, (first_line, part) in enumerate(documents_of(text), start=1):
        if number > limits.documents:
            reason = f"the file has more than {limits.said('documents')} YAML documents"
            yield RuleError("yaml", reason, path=path, line=first_line, remedy="Split it into several files.")
            return
        builder = _Builder(first_line, path, limits)
        try:
            builder.build(part)
        except RuleError as error:
            yield from builder.documents
            yield error
        else:
            yield from builder.documents


def too_large(path: str | None, limits: RuleLimits) -> RuleError:
    """The error of a file larger than the limit."""
    reason = f"the file is larger than {limits.said('file')} bytes"
    return RuleError("yaml", reason, path=path, remedy="Split it into several files.")


class _Builder:
    """Builds the values of the documents in one part of the text from the parser's events."""

    def __init__(self, first_line: int, path: str | None, limits: RuleLimits) -> None:
        self._limits = limits
        self.documents: list[Document] = []
        self._first_line = first_line
        self._path = path
        self._nodes = 0
        self._anchors: dict[str, tuple[Any, int, list[tuple[Path, tuple[str, Any]]]]] = {}
        """Name → value, nodes, and its `spelled` values by relative way."""
        self._spelled: list[Path] = []
        self._open_anchors: set[str] = set()

    def build(self, text: str) -> None:
        try:
            self._next = _PARSER(text).get_event
            while not isinstance(event := self._next(), yaml.StreamEndEvent):
                if isinstance(event, yaml.DocumentStartEvent):
                    self._nodes = 0
                    self._anchors.clear()
                    self._spelled.clear()
                elif isinstance(event, yaml.NodeEvent):
                    line = event.start_mark.line if event.start_mark is not None else 0
                    self._document = Document(None, self._first_line + line, self._path)
                    self._keys, self._values = self._document.keys, self._document.values
                    self._document.value = self._node(event, (), 0)
                    if self._document.value is not None:
                        self.documents.append(self._document)
            if " #" in text:
                self._note_comments(text)
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            found = yaml_mistake(error, text)
            raise RuleError(
                "yaml",
                found.reason,
                path=self._path,
                line=self._first_line + found.line,
                column=found.column + 1 if found.column is not None else None,
                remedy=found.remedy,
            ) from error

    def _note_comments(self, text: str) -> None:
        found: list[tuple[Place, str]] = []
        for number, line in enumerate(text.split("\n")):
            if "#" in line and (comment := _GLUED_COMMENT.fullmatch(line)):
                found.append((Place(self._first_line + number, comment.start(1) + 1), comment[1]))
        for document in self.documents:
            document.comments = tuple(found)

    # --- nodes ------------------------------------------------------------------------------------------------

    def _node(self, event: Any, way: Path, depth: int) -> Any:
        before, spelled = self._nodes, len(self._spelled)
        self._count(1, event)
        self._values[way] = self._place(event)
        kind_of_event = type(event)
        if kind_of_event is yaml.AliasEvent:
            return self._alias(event, way)
        if event.anchor:
            self._open_anchors.add(event.anchor)
        if kind_of_event is yaml.ScalarEvent:
            value = self._scalar(event, way)
            if value is None and not event.value:
                self._document.unwritten.add(way)
        else:
            if depth >= MAX_DEPTH:
                raise self._error(
                    f"maps and lists nest deeper than {MAX_DEPTH} levels",
                    event.start_mark,
                    remedy="Flatten it: no part of a rule needs such depth.",
                )
            kind = "seq" if kind_of_event is yaml.SequenceStartEvent else "map"
            if event.tag not in (None, "!", _PREFIX + kind):
                raise self._unknown_tag(event, event.tag)
            value = self._list(way, depth) if kind == "seq" else self._map(way, depth)
        if event.anchor:
            self._open_anchors.discard(event.anchor)
            inside = [(each[len(way) :], self._document.spelled[each]) for each in self._spelled[spelled:]]
            self._anchors[event.anchor] = (value, self._nodes - before, inside)
        return value

    def _alias(self, event: Any, way: Path) -> Any:
        if event.anchor in self._open_anchors:
            raise self._error(f"the alias *{event.anchor} is inside the node that it names", event.start_mark)
        if event.anchor not in self._anchors:
            raise self._error(
                f"*{event.anchor} is an alias of YAML, and there is no &{event.anchor} before it",
                event.start_mark,
                remedy=f"Put it in quotation marks if text is meant: '*{event.anchor}'.",
            )
        value, size, spelled = self._anchors[event.anchor]
        self._count(size, event)
        for inner, text_and_value in spelled:
            self._note((*way, *inner), *text_and_value)
        return _copy(value)

    def _list(self, way: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            items.append(self._node(event, (*way, len(items)), depth + 1))
        return items

    def _map(self, way: Path, depth: int) -> dict[Any, Any]:
        own: dict[Any, Any] = {}
        merged: list[dict[Any, Any]] = []
        while type(event := self._next()) is not yaml.MappingEndEvent:
            tag = self._tag(event) if type(event) is yaml.ScalarEvent else None
            if tag == _MERGE:
                self._count(1, event)
                merged += self._merge(self._next(), way, depth)
                continue
            if tag == _TEXT and event.anchor is None:  # as nearly every key is
                self._count(1, event)
                key: Any = event.value
            else:
                key = self._node(event, (*way, "<key>"), depth + 1)
                if isinstance(key, (list, dict)):
                    raise self._error("a list or map is used as a key", event.start_mark)
            key_way = (*way, key)
            if key in own:
                first = self._keys[key_way]
                raise self._error(
                    f"the key {key!r} appears twice (first in line {first.line})",
                    event.start_mark,
                    remedy="Keep one of them: the later one would silently replace the earlier.",
                )
            self._keys[key_way] = self._place(event)
            own[key] = self._node(self._next(), key_way, depth + 1)
        if not merged:
            return own
        value: dict[Any, Any] = {}
        for source in reversed(merged):
            value.update(source)
        value.update(own)
        return value

    def _merge(self, event: Any, way: Path, depth: int) -> list[dict[Any, Any]]:
        """The maps of a merge key (`<<`), the most important first."""
        value = self._node(event, (*way, "<<"), depth + 1)
        maps = value if isinstance(value, list) else [value]
        if not all(isinstance(item, dict) for item in maps):
            raise self._error("a merge key (<<) takes a map or a list of maps", event.start_mark)
        return maps

    def _scalar(self, event: Any, way: Path) -> Any:
        tag = self._tag(event)
        if tag == _TEXT:
            return event.value
        if tag not in _SCALAR_TAGS:
            raise self._unknown_tag(event, tag)
        try:
            value = yaml.SafeLoader.yaml_constructors[tag](_RESOLVER, yaml.ScalarNode(tag, event.value))
            if isinstance(value, int):
                str(value)  # raises for a base-16 integer that has too many digits for Python to write in base 10
        except (ValueError, OverflowError, KeyError, IndexError, yaml.YAMLError) as error:
            kind = {"timestamp": "date", "binary": "base64"}.get(tag.removeprefix(_PREFIX), "number")
            raise self._error(
                f"{quoted(event.value)} looks like a {kind} to YAML, and is not a valid one",
                event.start_mark,
                remedy="Put the value in quotation marks if it is meant as text.",
            ) from error
        if event.tag is None and isinstance(value, _SPELLED_KINDS) and _shown(value) != event.value:
            self._note(way, event.value, value)
        return value

    def _note(self, way: Path, text: str, value: Any) -> None:
        self._document.spelled[way] = (text, value)
        self._spelled.append(way)

    def _tag(self, event: Any) -> str:
        if event.tag not in (None, "!"):
            return str(event.tag)
        if event.tag is None and not event.style:  # plain: its type depends on its text
            return _resolved(event.value)
        return _TEXT

    # --- limits, places, errors -------------------------------------------------------------------------------

    def _count(self, nodes: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            raise self._error(
                f"the document has more nodes than {self._limits.said('nodes')}",
                event.start_mark,
                remedy="Use fewer values, or fewer aliases (*name).",
            )

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        style = getattr(event, "style", None)
        single = style not in ("|", ">") and start.line == end.line
        return Place(self._first_line + start.line, start.column + 1, int(style in ("'", '"')), single)

    def _unknown_tag(self, event: Any, tag: str) -> RuleError:
        if tag == _PREFIX + "value":
            return self._error(
                "a lone = has a special meaning in YAML", event.start_mark, remedy="Put it in quotation marks."
            )
        if tag == _MERGE:
            return self._error(
                "<< is a merge key of YAML, not a value", event.start_mark, remedy="Put it in quotation marks."
            )
        shown = shortened(tag.replace(_PREFIX, "!!"))
        return self._error(
            f"{shown} is a tag of YAML, which a rule may not have",
            event.start_mark,
            remedy="Put the value in quotation marks if text is meant; a negation belongs in the condition.",
        )

    def _error(self, problem: str, mark: Any, remedy: str | None = None) -> RuleError:
        return RuleError(
            "yaml",
            problem,
            path=self._path,
            line=self._first_line + (mark.line if mark is not None else 0),
            column=mark.column + 1 if mark is not None else None,
            remedy=remedy or "Check indentation, brackets and quotation marks there.",
        )


@lru_cache(maxsize=10_000)
def _resolved(text: str) -> str:
    """The tag of a plain scalar."""
    return str(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call]


def _shown(value: Any) -> str:
    """The plainest text that YAML reads as this value."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _copy(value: Any) -> Any:
    """A copy of maps and lists, so that uses of an alias share nothing."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
