"""Documents of one text → rules of one text: the legacy actions `global`, `repeat` and `reset`.

Sigma 2.1 no longer mentions them; pySigma reads them, and so do we: global values are merged over every following
rule, and win; `repeat` merges a document over the previous rule. If several rules then share an ID, the first keeps it
and the others get IDs made from it and their position, since IDs must be unique.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from cloudsigma.compiler.document import Document
from cloudsigma.errors import RuleError


def apply_actions(documents: Iterable[Document | RuleError]) -> Iterator[Document | RuleError]:
    """The rules of a text with its actions carried out; errors pass through."""
    template: Document | None = None
    previous: Document | None = None
    shared: Counter[str] = Counter()
    for document in documents:
        if isinstance(document, RuleError) or not isinstance(document.value, dict):
            yield document
            continue
        action = document.value.get("action")
        if action == "global":
            template = _without_action(document)
            previous = template
        elif action == "reset":
            template = None
        elif action == "repeat":
            repeated = _without_action(document)
            previous = _merged(previous, repeated) if previous is not None else repeated
            yield _with_own_id(previous, shared)
        elif action is not None:
            place = document.place(("action",))
            yield RuleError(
                "schema",
                f"there is no action {action!r}",
                path=document.path,
                line=place.line,
                column=place.column,
                remedy="Use global, repeat or reset, or remove it.",
            )
        elif "correlation" in document.value or "filter" in document.value:
            yield document
        else:
            previous = _merged(document, template) if template is not None else document
            inherits = template is not None and "id" in template.value
            if not inherits and isinstance(document.value.get("id"), str):
                shared[document.value["id"]] += 1
                yield previous
            else:
                yield _with_own_id(previous, shared)


def _with_own_id(document: Document, shared: Counter[str]) -> Document:
    """The document, with a new ID if an earlier rule of the text has the ID that it inherits."""
    given = document.value.get("id")
    if not isinstance(given, str):
        return document
    shared[given] += 1
    if shared[given] == 1:
        return document
    try:
        own = str(uuid.uuid5(uuid.UUID(given), str(shared[given])))
    except ValueError:  # not a UUID: the loader has the better message
        return document
    return _with_places(Document({**document.value, "id": own}, document.line, document.path), document)


def _without_action(document: Document) -> Document:
    value = {key: item for key, item in document.value.items() if key != "action"}
    return _with_places(Document(value, document.line, document.path), document)


def _merged(under: Document, over: Document) -> Document:
    """One document over another: maps are merged, everything else is replaced."""
    merged = _with_places(Document(_merge(under.value, over.value), over.line, over.path), under)
    for way in over.values:
        merged.spelled.pop(way, None)
    return _with_places(merged, over)


def _with_places(document: Document, source: Document) -> Document:
    document.keys.update(source.keys)
    document.values.update(source.values)
    document.spelled.update(source.spelled)
    document.unwritten |= source.unwritten
    document.comments += source.comments
    return document


def _merge(under: Any, over: Any) -> Any:
    if not isinstance(over, dict) or not isinstance(under, dict):
        return over
    return {**under, **{key: _merge(under.get(key), value) for key, value in over.items()}}
