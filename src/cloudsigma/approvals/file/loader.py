"""An approvals file → `Approvals`, or every mistake in it with its line and remedy."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from typing import Any

from cloudsigma.approvals.approval import MAX_DAYS, Approval
from cloudsigma.approvals.approvals import Approvals
from cloudsigma.approvals.file.entry import EntryReader
from cloudsigma.approvals.file.yaml_map import YamlMap
from cloudsigma.arguments import check_instance, check_path, compiling
from cloudsigma.compiler.document import Document, Path, read_documents
from cloudsigma.compiler.files import read_file
from cloudsigma.compiler.remedies import quoted
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import ApprovalError, Location, Mistake, RuleError

_VERSION = "1"
_KEYS = ("version", "limits", "approvals")
_EXAMPLE = "Write version: 1, then approvals: with a list of them."


def read_approvals(path: str | os.PathLike[str], rules: Iterable[Rule] | None = None) -> Approvals:
    """The approvals of a file; see `Approvals.load`."""
    check_path("path", path)
    check_instance("rules", rules, Iterable, "a RuleSet, another iterable of rules, or None")
    data = read_file(path)
    if isinstance(data, RuleError):
        raise ApprovalError([_of_yaml(data)])
    return parse_approvals(data, os.fspath(path), rules)


def parse_approvals(data: bytes | str, path: str | None = None, rules: Iterable[Rule] | None = None) -> Approvals:
    """The approvals of a text.

    Args:
        data: The text: YAML, or JSON, which is YAML.
        path: The file that it comes from, for messages.
        rules: The rules that approvals may name; `None`: any.

    Raises:
        ApprovalError: The text has mistakes.
    """
    with compiling("reading approvals"):
        documents = list(read_documents(data, path))
    if errors := [_of_yaml(each) for each in documents if isinstance(each, RuleError)]:
        raise ApprovalError(errors)
    file = _File(path, _known(rules))
    file.read([each for each in documents if isinstance(each, Document)])
    if file.mistakes:
        raise ApprovalError(
            sorted(file.mistakes, key=lambda each: (each.location.line or 0, each.location.column or 0))
        )
    content = data.encode() if isinstance(data, str) else data
    return Approvals(tuple(file.entries), path, hashlib.sha256(content).hexdigest()[:16], file.max_days)


def _known(rules: Iterable[Rule] | None) -> frozenset[str] | None:
    if rules is None:
        return None
    return frozenset(each for rule in rules for each in (rule.id, rule.name) if each is not None)


def _of_yaml(error: RuleError) -> Mistake:
    return Mistake(error.reason, error.location, error.remedy or "Mend the YAML.")


class _File:
    """Reads the documents of one file, and collects the mistakes."""

    def __init__(self, path: str | None, known: frozenset[str] | None) -> None:
        self._path = path
        self._known = known
        self.max_days = MAX_DAYS
        self.entries: list[Approval] = []
        self.mistakes: list[Mistake] = []
        self._lines: dict[str, int] = {}

    def read(self, documents: list[Document]) -> None:
        if len(documents) != 1 or not isinstance(documents[0].value, dict):
            line = documents[1].line if len(documents) > 1 else 1
            reason = "the file has several YAML documents" if len(documents) > 1 else "the file is no map"
            self.mistakes.append(Mistake(reason, Location(self._path, line), _EXAMPLE))
            return
        (document,) = documents
        entry = YamlMap(document, (), self._teller(document, None))
        entry.check_keys(_KEYS)
        if entry.text("version") != _VERSION:
            entry.tell("version", "the version of the file is not 1", "Write version: 1 in its first line.")
        self._read_limits(document)
        listed = document.value.get("approvals")
        if not isinstance(listed, list):
            entry.tell("approvals", "there is no list of approvals", _EXAMPLE)
            return
        for at, value in enumerate(listed):
            self._read_entry(document, at, value)

    def _read_limits(self, document: Document) -> None:
        limits = document.value.get("limits")
        if limits is None:
            return
        entry = YamlMap(document, ("limits",), self._teller(document, None))
        if not entry.is_map():
            return
        entry.check_keys(("max_days",))
        days = entry.number("max_days")
        if days is not None and days > MAX_DAYS:
            remedy = f"Write at most {MAX_DAYS}: a file may tighten the limit, not loosen it."
            entry.tell("max_days", f"max_days is {days}", remedy)
        elif days is not None:
            self.max_days = days

    def _read_entry(self, document: Document, at: int, value: Any) -> None:
        named = value.get("id") if isinstance(value, dict) else None
        name = str(named)[:120] if named is not None else None
        entry = YamlMap(document, ("approvals", at), self._teller(document, name))
        if not entry.is_map():
            return
        before = len(self.mistakes)
        approval = EntryReader(entry, self.max_days, self._known).read()
        line = document.place(("approvals", at, "id")).line
        if approval.id in self._lines:
            reason = f"the id {quoted(approval.id)} is used twice (first in line {self._lines[approval.id]})"
            entry.tell("id", reason, "Use another id: matches are counted by it.")
        self._lines.setdefault(approval.id, line)
        if len(self.mistakes) == before:
            self.entries.append(approval)

    def _teller(self, document: Document, name: str | None) -> Callable[[Path, str, str], None]:
        def tell(way: Path, reason: str, remedy: str) -> None:
            place = document.place(way)
            self.mistakes.append(Mistake(reason, Location(self._path, place.line, place.column), remedy, name))

        return tell
