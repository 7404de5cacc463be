"""Edit a rule's text at the places of its YAML nodes, and keep layout and comments."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cloudsigma.compiler.spans import TextNode
from cloudsigma.testing.cases.yaml_text import is_plain
from cloudsigma.testing.cases.yaml_text import quoted as double_quoted


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """New text for a range of the old text."""

    start: int
    end: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake in a rule, as edits of its text."""

    id: str
    """A description of the change, stable when other parts of the file change; unique in its document."""
    line: int
    """Line of the change, from 1."""
    edits: tuple[Edit, ...]
    dropped: tuple[int, int] | None = None
    """Line and column, from 1, of the value that is dropped from a list."""


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits applied; they must not overlap."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def diff(before: str, after: str, path: str) -> str:
    """The unified diff of a rule file, with one line of context."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, n=1, lineterm="")
    return "\n".join(lines)


def line_diff(before: str, mutant: Mutant, path: str) -> str:
    """`diff` for a mutant that removes lines or parts of them, made from the lines around."""
    start, end = min(edit.start for edit in mutant.edits), max(edit.end for edit in mutant.edits)
    first = max(before.rfind("\n", 0, before.rfind("\n", 0, start)), 0)
    last = before.find("\n", before.find("\n", end) + 1)
    around = before[first : last if last >= 0 else len(before)].lstrip("\n")
    offset = before.index(around, first) if around else first
    moved = [Edit(edit.start - offset, edit.end - offset, edit.text) for edit in mutant.edits]
    above = before.count("\n", 0, offset)

    def at_its_line(header: re.Match[str]) -> str:
        return f"@@ -{int(header[1]) + above}{header[2]} +{int(header[3]) + above}"

    return re.sub(
        r"^@@ -(\d+)(\S*) \+(\d+)", at_its_line, diff(around, edited(around, moved), path), flags=re.MULTILINE
    )


# --- scalars ------------------------------------------------------------------------------------------------


def rewritten(text: str, node: TextNode, value: str) -> Edit:
    """Replace the value of a text scalar, with the same quotation marks if possible."""
    if node.style in ("", "'") and is_plain(value) and (not node.style or text[node.start] != "'"):
        return Edit(node.start, node.end, value)
    if "\n" in value or not value.isprintable() or node.style == '"':
        quoted = double_quoted(value)
    else:
        quoted = "'" + value.replace("'", "''") + "'"
    if node.style in ("|", ">"):
        body = text[node.start : node.end]
        return Edit(node.start, node.start + len(body.rstrip("\n")), quoted)
    return Edit(node.start, node.end, quoted)


def rekeyed(node: TextNode, old: str, new: str) -> Edit | None:
    """Change the modifiers of a key, inside its quotation marks; `None` if the key has escapes."""
    if node.style not in ("", "'", '"') or node.text != old or not new:
        return None
    if node.end - node.start != len(old) + 2 * len(node.style):  # it has escapes
        return None
    return Edit(node.start + len(node.style), node.end - len(node.style), new)


def part_rewritten(text: str, node: TextNode, start: int, end: int, changed: str) -> Edit:
    """Change a range of a scalar: in place if the text has no escapes or folds, otherwise by rewriting the scalar."""
    begins = node.start + len(node.style if node.style in ("'", '"') else "")
    if text[begins : begins + len(node.text)] == node.text:
        return Edit(begins + start, begins + end, changed)
    whole = " ".join((node.text[:start] + changed + node.text[end:]).split())
    if not node.style:
        return Edit(node.start, node.end, whole)
    return rewritten(text, node, whole)


# --- removals -----------------------------------------------------------------------------------------------


def without_entry(text: str, parent: TextNode, position: int) -> Edit | None:
    """Remove a key and its value from a map; `None` if the map would be empty, or an alias prevents it."""
    entries = parent.entries
    if len(entries) < 2:
        return None
    key, value = entries[position]
    if value.shared:
        return None
    parts = [(each.start, max(each.end, inner.end if not inner.shared else 0)) for each, inner in entries]
    return _without(text, parent, parts, position, begins=key.start)


def without_item(text: str, parent: TextNode, position: int) -> Edit | None:
    """Remove an element from a list; `None` if the list would be empty, or an alias prevents it."""
    items = parent.items
    if len(items) < 2 or any(item.shared for item in items):
        return None
    parts = [(item.start, item.end) for item in items]
    begins = items[position].start
    if not parent.style:  # in a block list, the element starts with its dash
        dash = len(text[:begins].rstrip()) - 1
        if dash < 0 or text[dash] != "-":
            return None
        begins = dash
    return _without(text, parent, parts, position, begins=begins)


def _without(
    text: str, parent: TextNode, parts: Sequence[tuple[int, int]], position: int, *, begins: int
) -> Edit | None:
    start, end = parts[position]
    if parent.style:  # in brackets: also remove the comma after it, or before the last
        if position + 1 < len(parts):
            return Edit(start, parts[position + 1][0])
        return Edit(parts[position - 1][1], end)
    line = text.rfind("\n", 0, begins) + 1
    if not text[line:begins].strip(" "):
        return Edit(line, _end_of_line(text, end))
    if position + 1 < len(parts):  # the first key after a dash: the next key moves there
        return Edit(start, parts[position + 1][0])
    return None


def _end_of_line(text: str, end: int) -> int:
    """The offset after the line in which a part ends; a block scalar includes its last line end."""
    if text[end - 1] == "\n":
        return end - (len(text[:end]) - len(text[:end].rstrip("\n"))) + 1
    found = text.find("\n", end)
    return len(text) if found < 0 else found + 1


# --- names --------------------------------------------------------------------------------------------------


def with_unique_ids(mutants: Sequence[Mutant]) -> Iterator[Mutant]:
    """The mutants, with a number after repeated IDs."""
    taken: dict[str, int] = {}
    for mutant in mutants:
        number = taken[mutant.id] = taken.get(mutant.id, 0) + 1
        yield mutant if number == 1 else replace(mutant, id=f"{mutant.id} #{number}")
