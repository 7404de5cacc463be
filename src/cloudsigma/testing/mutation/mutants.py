"""Mutants: each known mistake that can be made in a rule, as an edit of its text.

This module has the mistakes in selections, `mutants_values` those in single values, `mutants_condition` and
`mutants_correlation` those in the other parts. A mutant may mean the same as the rule; the solver checks that.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from cloudsigma.compiler.spans import TextNode, text_nodes
from cloudsigma.testing.mutation.edits import (
    Edit,
    Mutant,
    part_rewritten,
    rekeyed,
    with_unique_ids,
    without_entry,
    without_item,
)
from cloudsigma.testing.mutation.mutants_condition import condition_changes
from cloudsigma.testing.mutation.mutants_correlation import correlation_mutants
from cloudsigma.testing.mutation.mutants_values import value_mutants

_COMPARISONS = ("exact", "contains", "startswith", "endswith")
_NO_TEXT = frozenset(
    {"re", "cidr", "exists", "lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"}
)
"""With these modifiers, a value is not compared as text."""
_TRANSFORMATIONS = ("windash", "base64", "base64offset", "wide", "utf16le", "utf16be", "utf16", "fieldref", "neq")
"""Modifiers whose removal leaves a rule that compiles and matches other records."""
_LAST = ("cased", "all", "neq")
"""Modifiers that follow a comparison."""
_ORDERS = {"lt": "lte", "lte": "lt", "gt": "gte", "gte": "gt"}
_OPPOSITES = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}


def document_mutants(text: str) -> list[tuple[int, list[Mutant]]]:
    """Line and mutants of each rule, filter and correlation in a rule file."""
    found = []
    for document in text_nodes(text):
        mutants = list(with_unique_ids(list(_merged(_of_document(text, document)))))
        if mutants:
            found.append((document.line, mutants))
    return found


_NAMES_CASED = re.compile(r".*\.eventName cased added")


def _merged(mutants: Iterator[Mutant]) -> Iterator[Mutant]:
    """The mutants of a document, with all that make letter case of exact event names count as one mutant."""
    names: list[Mutant] = []
    for mutant in mutants:
        if _NAMES_CASED.fullmatch(mutant.id) and (not names or not _overlap(names, mutant)):
            names.append(mutant)
        else:
            yield mutant
    if names:
        edits = tuple(edit for mutant in names for edit in mutant.edits)
        yield Mutant(names[0].id if len(names) == 1 else "every eventName cased added", names[0].line, edits)


def _overlap(mutants: list[Mutant], other: Mutant) -> bool:
    return any(
        one.start < two.end and two.start < one.end for mutant in mutants for one in mutant.edits for two in other.edits
    )


def _of_document(text: str, document: TextNode) -> Iterator[Mutant]:
    section = document.get("detection") or document.get("filter")
    if section is not None:
        yield from _detection(text, section)
    if document.get("filter") is not None:
        yield Mutant("filter dropped", document.line, (Edit(document.start, document.end),))
    correlation = document.get("correlation")
    if correlation is not None:
        yield from correlation_mutants(text, correlation)


def _detection(text: str, section: TextNode) -> Iterator[Mutant]:
    condition = section.get("condition")
    written = " ".join(_texts(condition))
    for position, (name, body) in enumerate(section.entries):
        if name.text in ("condition", "rules", "timeframe"):
            continue
        if body.kind != "scalar":
            yield from _body(text, body, name.text)
        else:
            yield from value_mutants(text, body, name.text, frozenset(), keyword=True)
        if _only_by_pattern(name.text, written) and (edit := without_entry(text, section, position)):
            yield Mutant(f"selection {name.text} dropped", name.line, (edit,))
    if condition is not None:
        yield from _condition(text, condition)


def _texts(node: TextNode | None) -> list[str]:
    return [] if node is None else [each.text for each in node.items] if node.kind == "list" else [node.text]


def _only_by_pattern(name: str, condition: str) -> bool:
    """Whether only quantifiers refer to a selection, so that the condition still parses without it."""
    words = re.findall(r"[^\s()]+", condition)
    patterns = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "of"]
    meant = any(pattern == "them" or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    return meant and name not in [word for at, word in enumerate(words) if at == 0 or words[at - 1] != "of"]


# --- selections ---------------------------------------------------------------------------------------------


def _body(text: str, body: TextNode, way: str) -> Iterator[Mutant]:
    if body.shared:
        return
    if body.kind == "map":
        for position, (key, value) in enumerate(body.entries):
            yield from _item(text, key, value, f"{way}.{key.text}")
            if cut := without_entry(text, body, position):
                yield Mutant(f"{way}.{key.text} dropped", key.line, (cut,))
        return
    keywords = not any(item.kind != "scalar" for item in body.items)
    for position, item in enumerate(body.items):
        place = way if keywords else f"{way}.{position}"
        if item.kind == "scalar":
            yield from value_mutants(text, item, place, frozenset(), keyword=True)
        else:
            yield from _body(text, item, place)
        if edit := without_item(text, body, position):
            yield Mutant(f"{place} {item.text!r} dropped" if keywords else f"{place} dropped", item.line, (edit,))


def _item(text: str, key: TextNode, value: TextNode, way: str) -> Iterator[Mutant]:
    values = value.items if value.kind == "list" else (value,)
    if value.shared:
        values = ()
    yield from _keys(key, values, way)
    modifiers = frozenset(key.text.split("|")[1:])
    for position, each in enumerate(values):
        if each.kind != "scalar" or each.shared:
            continue
        yield from value_mutants(text, each, way, modifiers, keyword=not key.text.split("|")[0])
        if value.kind == "list" and (edit := without_item(text, value, position)):
            place = each.line, each.start - text.rfind("\n", 0, each.start)
            yield Mutant(f"{way} {each.text!r} dropped", each.line, (edit,), place)


def _keys(key: TextNode, values: tuple[TextNode, ...], way: str) -> Iterator[Mutant]:
    """Mistakes in the modifiers of a key."""
    name, *modifiers = key.text.split("|")
    for what, changed in _modifier_changes(name, modifiers, values):
        edit = rekeyed(key, key.text, "|".join((name, *changed)))
        if edit is not None:
            yield Mutant(f"{way} {what}", key.line, (edit,))


def _modifier_changes(name: str, modifiers: list[str], values: tuple[TextNode, ...]) -> Iterator[tuple[str, list[str]]]:
    texts = [value.text for value in values if value.tag == "str"]
    compared = name and texts and not _NO_TEXT.intersection(modifiers)
    if compared:
        current = next((each for each in modifiers if each in _COMPARISONS), "exact")
        for other in _COMPARISONS:
            if other != current:
                yield f"{current}->{other}", _with_comparison(modifiers, current, other)
    if "cased" in modifiers:
        yield "cased dropped", _less(modifiers, "cased")
    elif compared and any(each.lower() != each.upper() for each in texts) and not _decoded(modifiers):
        yield "cased added", [*modifiers, "cased"]
    if "all" in modifiers:
        yield "all dropped", _less(modifiers, "all")
    elif name and len(values) > 1:
        yield "all added", [*modifiers, "all"]
    if "re" in modifiers:
        if "i" in modifiers:
            yield "i dropped", _less(modifiers, "i")
        else:
            at = modifiers.index("re") + 1
            yield "i added", [*modifiers[:at], "i", *modifiers[at:]]
    for each in _TRANSFORMATIONS:
        if each in modifiers:
            yield f"{each} dropped", _less(modifiers, each)
    for each in modifiers:
        for order in (_ORDERS.get(each), _OPPOSITES.get(each)):
            if order is not None:
                yield f"{each}->{order}", [order if one == each else one for one in modifiers]


def _decoded(modifiers: list[str]) -> bool:
    return any(each.startswith("base64") for each in modifiers)


def _less(modifiers: list[str], modifier: str) -> list[str]:
    return [each for each in modifiers if each != modifier]


def _with_comparison(modifiers: list[str], current: str, other: str) -> list[str]:
    if current != "exact":
        return [other if each == current else each for each in modifiers if each != current or other != "exact"]
    at = next((at for at, each in enumerate(modifiers) if each in _LAST), len(modifiers))
    return [*modifiers[:at], other, *modifiers[at:]]


# --- conditions ---------------------------------------------------------------------------------------------


def _condition(text: str, condition: TextNode) -> Iterator[Mutant]:
    if condition.kind == "list":
        for position, item in enumerate(condition.items):
            yield from _one_condition(text, item, f"condition.{position}")
            if edit := without_item(text, condition, position):
                yield Mutant(f"condition.{position} dropped", item.line, (edit,))
    else:
        yield from _one_condition(text, condition, "condition")


def _one_condition(text: str, node: TextNode, way: str) -> Iterator[Mutant]:
    for what, (start, end, changed) in condition_changes(node.text):
        yield Mutant(f"{way} {what}", node.line, (part_rewritten(text, node, start, end, changed),))
