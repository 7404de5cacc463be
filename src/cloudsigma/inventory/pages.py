"""An inventory as lines of text, and as sections of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudsigma.inventory.deviation import MEANINGS, Deviation
from cloudsigma.inventory.item import KINDS, TITLES, Cause, Item, State
from cloudsigma.inventory.register import shown
from cloudsigma.report.section import Section, Table

_LISTED = (("member", "members"), ("policy", "policies"), ("inline policy", "inline policies"))


def text_lines(state: State, deviations: Sequence[Deviation]) -> Iterator[str]:
    """The inventory for people: each object with its attributes, then the deviations."""
    for item in state.items:
        yield f"{item}{_standing(item)}"
        for label, value in _attributes(item):
            yield f"  {label}: {value}"
    if deviations:
        yield ""
    yield from map(str, deviations)


def _standing(item: Item) -> str:
    if not item.exists:
        return f": deleted {_by(item.deleted)}".rstrip()
    if item.created is not None:
        return f": created {_by(item.created)}"
    return "" if item.whole else ": partly known, it is older than the logs"


def _attributes(item: Item) -> Iterator[tuple[str, str]]:
    for prefix, label in _LISTED:
        found = item.present(prefix)
        if found:
            yield f"at least the {label}" if not item.whole else label, ", ".join(found)
    for name, fact in item.facts.items():
        if name.startswith(tuple(f"{prefix} " for prefix, _ in _LISTED)) or fact.value is None:
            continue
        changed = fact.before is not None and fact.cause is not None
        yield name, shown(fact.value) + (f" (was {shown(fact.before)}; changed {_by(fact.cause)})" if changed else "")


def _by(cause: Cause | None) -> str:
    return f"{cause.time:%Y-%m-%d %H:%M:%SZ} by {cause.principal}" if cause is not None else ""


def sections(state: State, deviations: Sequence[Deviation]) -> list[Section]:
    """The inventory as sections of a page."""
    found = []
    if deviations:
        rows = [
            [
                each.kind, str(each.item) if each.item is not None else str(each.entry), each.text,
                _by(each.cause), each.cause.event_id if each.cause is not None else "",
            ]
            for each in deviations
        ]  # fmt: skip
        kinds = sorted({each.kind for each in deviations})
        lines = [f"{kind}: {MEANINGS[kind]}" for kind in kinds]
        heads = ("Kind", "Object", "What", "When and who", "Event")
        found.append(Section("inventory-deviations", "Inventory: to look at", lines, tables=[Table(heads, rows)]))
    tables = []
    for kind in KINDS:
        items = [item for item in state.items if item.kind == kind]
        if items:
            rows = [
                [
                    item.name or item.id, f"{item.account} {item.region}".rstrip(),
                    "exists" if item.exists else "deleted", _standing(item).removeprefix(": "),
                    "; ".join(f"{label}: {value}" for label, value in _attributes(item)),
                ]
                for item in items
            ]  # fmt: skip
            heads = ("Name", "Account", "State", "Since", "Attributes")
            tables.append(Table(heads, rows, title=f"{TITLES[kind]}s"))
    lines = [] if tables else ["The logs have no event of groups, trust anchors, profiles or revocation lists."]
    return [*found, Section("inventory", "Inventory", lines, tables=tables)]
