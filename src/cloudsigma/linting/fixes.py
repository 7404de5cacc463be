"""Applies the safe fixes of findings to rule files."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from cloudsigma.compiler.rule_text import decode
from cloudsigma.linting.finding import Finding, Fix


def fixed_texts(findings: Iterable[Finding]) -> dict[str, tuple[str, str]]:
    """The text of each file before and after its fixes; of fixes that overlap, the first is applied."""
    edits: dict[str, set[Fix]] = defaultdict(set)
    for finding in findings:
        if finding.path is not None:
            edits[finding.path].update(finding.fixes)
    found = {}
    for path, each in edits.items():
        if not each:
            continue
        text = decode(Path(path).read_bytes())
        parts, at = [], 0
        for fix in sorted(each, key=lambda one: (one.start, one.end)):
            if fix.start >= at:
                parts += [text[at : fix.start], fix.text]
                at = fix.end
        found[path] = (text, "".join([*parts, text[at:]]))
    return found


def diff_of(path: str, before: str, after: str) -> str:
    """The change of a file as a unified diff."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(lines)
