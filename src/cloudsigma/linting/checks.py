"""The kinds of findings: severity, confidence, profile, and what each means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from cloudsigma.compiler.document import read_documents
from cloudsigma.errors import RuleError
from cloudsigma.linting.finding import Confidence, Severity

PROFILES = ("default", "thorough", "sigmahq")
"""`default`: what is wrong or can never match. `thorough`: also what could be evaded or has no outcome. `sigmahq`: also
the conventions of pySigma's and SigmaHQ's validators."""

_RULE = """title: Example
id: 5a1f0a52-7b43-4f3e-9d9e-0e9d7a3f7c11
logsource:
  product: aws
  service: cloudtrail
detection:
  selection:
{lines}
  condition: selection
"""


class Check(msgspec.Struct, frozen=True):
    """A kind of finding."""

    severity: Severity
    confidence: Confidence
    what: str
    """What it means, a sentence."""
    profile: str = "default"
    """The first profile that has it."""
    bad: str | None = None
    """The lines of a selection, or a whole rule, that gives the finding."""
    good: str | None = None
    """The same without it."""

    def example(self, lines: str) -> str:
        """A rule with the lines of `bad` or `good`."""
        if lines.startswith("title:"):
            return lines
        return _RULE.format(lines="\n".join(f"    {line}" for line in lines.split("\n")))


@cache
def checks() -> Mapping[str, Check]:
    """All kinds of findings by their slugs."""
    text = (resources.files("cloudsigma.linting") / "checks.yml").read_text(encoding="utf-8")
    (document,) = read_documents(text, "checks.yml")
    if isinstance(document, RuleError):
        raise document
    return msgspec.convert(document.value, dict[str, Check])


def described(slug: str) -> dict[str, Any]:
    """The description of a kind of finding, as JSON values."""
    check = checks()[slug]
    examples = {name: check.example(text) if text is not None else None
                for name, text in (("bad", check.bad), ("good", check.good))}  # fmt: skip
    return {"slug": slug, **msgspec.structs.asdict(check), **examples}


def page_of(slug: str) -> str:
    """The description of a kind of finding, as text."""
    check = checks()[slug]
    lines = [f"{slug}: {check.severity}, confidence {check.confidence}, profile {check.profile}", "", check.what]
    for title, example in (("Bad", check.bad), ("Good", check.good)):
        if example is not None:
            lines += ["", f"{title}:", "", *(f"    {line}" for line in check.example(example).rstrip().split("\n"))]
    return "\n".join(lines)
