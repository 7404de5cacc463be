"""An approvals file → `Approvals`, or every mistake in it with its line and remedy."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from cloudsigma.approvals.approval import MAX_DAYS, Approval
from cloudsigma.approvals.approvals import Approvals
from cloudsigma.approvals.file.entry import EntryReader
from cloudsigma.arguments import check_instance, check_path, compiling
from cloudsigma.compiler.files import read_file
from cloudsigma.compiler.listed_file import ListedFile
from cloudsigma.compiler.remedies import quoted
from cloudsigma.compiler.yaml_map import YamlMap
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import ApprovalError, Mistake, RuleError


def read_approvals(path: str | os.PathLike[str], rules: Iterable[Rule] | None = None) -> Approvals:
    """The approvals of a file; see `Approvals.load`."""
    check_path("path", path)
    check_instance("rules", rules, Iterable, "a RuleSet, another iterable of rules, or None")
    data = read_file(path)
    if isinstance(data, RuleError):
        raise ApprovalError([Mistake(data.reason, data.location, data.remedy or "Check the path.")])
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
        listed = ListedFile(data, path, "approvals", "approvals")
    file = _File(listed, _known(rules))
    file.read()
    if listed.mistakes:
        raise ApprovalError(listed.sorted_mistakes)
    content = data.encode() if isinstance(data, str) else data
    return Approvals(tuple(file.entries), path, hashlib.sha256(content).hexdigest()[:16], file.max_days)


def _known(rules: Iterable[Rule] | None) -> frozenset[str] | None:
    if rules is None:
        return None
    return frozenset(each for rule in rules for each in (rule.id, rule.name) if each is not None)


class _File:
    """Reads the entries of one file."""

    def __init__(self, listed: ListedFile, known: frozenset[str] | None) -> None:
        self._listed = listed
        self._known = known
        self.max_days = MAX_DAYS
        self.entries: list[Approval] = []
        self._lines: dict[str, int] = {}

    def read(self) -> None:
        top = self._listed.top("limits")
        if top is None:
            return
        if top.has("limits"):
            self._read_limits()
        for at, entry in self._listed.entries("id"):
            self._read_entry(at, entry)

    def _read_limits(self) -> None:
        entry = self._listed.map_at(("limits",))
        if entry is None:
            return
        entry.check_keys(("max_days",))
        days = entry.number("max_days")
        if days is not None and days > MAX_DAYS:
            remedy = f"Write at most {MAX_DAYS}: a file may tighten the limit, not loosen it."
            entry.tell("max_days", f"max_days is {days}", remedy)
        elif days is not None:
            self.max_days = days

    def _read_entry(self, at: int, entry: YamlMap) -> None:
        before = len(self._listed.mistakes)
        approval = EntryReader(entry, self.max_days, self._known).read()
        if approval.id in self._lines:
            reason = f"the id {quoted(approval.id)} is used twice (first in line {self._lines[approval.id]})"
            entry.tell("id", reason, "Use another id: matches are counted by it.")
        self._lines.setdefault(approval.id, self._listed.line_of(("approvals", at, "id")))
        if len(self._listed.mistakes) == before:
            self.entries.append(approval)
