"""The text of a rule file: where each node begins and ends, and the comments that silence findings."""

from __future__ import annotations

import re
from bisect import bisect_right

import msgspec

from cloudsigma.compiler.spans import TextNode, shared_spans, text_nodes

_COMMENT = re.compile(r"#\s*cloudsigma:\s*ignore\[(?P<slugs>[^\]]*)\](?P<reason>[^\n]*)")


class Suppression(msgspec.Struct, frozen=True):
    """A comment `# cloudsigma: ignore[slug] reason`."""

    line: int
    column: int
    slugs: tuple[str, ...]
    reason: str
    whole_rule: bool
    """Whether it is on the first line of a rule, for all of it."""


class RuleText:
    """One rule file."""

    def __init__(self, path: str | None, text: str) -> None:
        self.path = path
        self.text = text
        self._lines = [0, *(found.end() for found in re.finditer(r"\n", text))]
        self.documents = text_nodes(text)
        self._ends: dict[int, int] = {}
        self._values: dict[int, str] = {}
        self._scalars: list[tuple[int, int]] = []
        self._plain: set[int] = set()
        self._shared = shared_spans(text) if "*" in text else []
        for document in self.documents:
            self._note(document)
        self._scalars.sort()

    def _note(self, root: TextNode) -> None:
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node.kind == "scalar":
                self._ends.setdefault(node.start, node.end)
                self._values.setdefault(node.start, node.text)
                self._scalars.append((node.start, node.end))
                if not node.style:
                    self._plain.add(node.start)
            waiting += node.items
            for key, value in node.entries:
                waiting += (key, value)

    def is_plain(self, offset: int) -> bool:
        """Whether a value without quotation marks begins at a position."""
        return offset in self._plain

    def can_edit(self, offset: int, written: str) -> bool:
        """Whether this value or key is at a position, and no alias repeats it: an edit would change both places."""
        found = self._values.get(offset, self._values.get(offset - 1))
        return found == written and not any(start <= offset < end for start, end in self._shared)

    def offset(self, line: int, column: int) -> int:
        """The position of a place in the text, from 0."""
        return self._lines[min(line, len(self._lines)) - 1] + column - 1

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a position."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def end(self, line: int, column: int) -> tuple[int, int]:
        """Where the node at a place ends: line and column behind it; else the end of the line."""
        start = self.offset(line, column)
        for begin in (start, start - 1):  # the place of a quoted text may be that of its content
            if begin in self._ends:
                return self.place(self._ends[begin])
        stop = self.text.find("\n", start)
        return self.place(stop if stop >= 0 else len(self.text))

    def first_line(self, line: int) -> int:
        """The first line of the document that a line is in."""
        begins = [document.line for document in self.documents if document.line <= line]
        return max(begins, default=1)

    def suppressions(self) -> list[Suppression]:
        """The comments that silence findings; text within a value does not count."""
        found = []
        begins = {document.line for document in self.documents}
        for match in _COMMENT.finditer(self.text):
            at = bisect_right(self._scalars, (match.start(), len(self.text))) - 1
            if at >= 0 and self._scalars[at][0] <= match.start() < self._scalars[at][1]:
                continue
            line, column = self.place(match.start())
            slugs = tuple(filter(None, (slug.strip() for slug in match["slugs"].split(","))))
            alone = not self.text[self._lines[line - 1] : match.start()].strip()
            whole = line in begins or (alone and line + 1 in begins)
            found.append(Suppression(line, column, slugs, match["reason"].strip(), whole))
        return found
