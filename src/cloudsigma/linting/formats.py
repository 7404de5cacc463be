"""Findings as text, JSON, SARIF, GitHub annotations and JUnit XML."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any
from xml.etree import ElementTree as ET

from cloudsigma.escaping import printable
from cloudsigma.linting.checks import checks
from cloudsigma.linting.finding import SEVERITIES, Finding
from cloudsigma.linting.run import LintResult
from cloudsigma.version import __version__

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_SHOWN = 50
"""Most annotations that GitHub shows for a job."""
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_text(result: LintResult) -> str:
    """A line for each finding, and a summary."""
    lines = [printable(str(finding)) for finding in result.findings]
    return "\n".join([*lines, summary_of(result)])


def summary_of(result: LintResult) -> str:
    """The numbers of findings."""
    counts = Counter(finding.severity for finding in result.findings)
    names = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("info", "infos")}
    parts = [f"{counts[each]:,} {names[each][counts[each] != 1]}" for each in SEVERITIES if counts[each]]
    found = ", ".join(parts) or "no findings"
    silenced = f"; {result.suppressed:,} suppressed" if result.suppressed else ""
    rules = "document" if result.rules == 1 else "documents"
    return f"{found} in {result.rules:,} {rules}{silenced} (catalogue of {result.catalogue})"


def to_json(result: LintResult) -> str:
    """One object: `findings`, `suppressed`, `catalogue`."""
    return json.dumps(result.to_dict(), indent=1)


def to_github(result: LintResult) -> str:
    """Annotations of GitHub Actions, the gravest first: a job shows the first ones only; the rest is text."""
    order = sorted(result.findings, key=lambda each: SEVERITIES.index(each.severity))
    lines = [_annotation(finding) for finding in order[:_SHOWN]]
    lines += [printable(str(finding)) for finding in order[_SHOWN:]]
    return "\n".join([*lines, summary_of(result)])


def _annotation(finding: Finding) -> str:
    properties = {
        "file": finding.path or "",
        "line": finding.line,
        "endLine": finding.end_line,
        "col": finding.column,
        "endColumn": finding.end_column,
        "title": finding.slug,
    }
    written = ",".join(f"{name}={_escaped(str(value), inside=True)}" for name, value in properties.items())
    remedy = f". {finding.remedy}" if finding.remedy else ""
    return f"::{_COMMANDS[finding.severity]} {written}::{_escaped(printable(f'{finding.message}{remedy}'))}"


def _escaped(text: str, *, inside: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if inside else text


def to_sarif(result: LintResult) -> str:
    """SARIF 2.1.0, with the members that GitHub's code scanning needs."""
    used = sorted({finding.slug for finding in result.findings})
    seen: Counter[str] = Counter()
    run = {
        "tool": {
            "driver": {
                "name": "cloudsigma",
                "semanticVersion": __version__,
                "rules": [_sarif_rule(slug) for slug in used],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, used, seen) for finding in result.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


def _sarif_rule(slug: str) -> dict[str, Any]:
    check = checks()[slug]
    return {
        "id": slug,
        "name": slug,
        "shortDescription": {"text": check.what},
        "fullDescription": {"text": check.what},
        "help": {"text": check.what, "markdown": check.what},
        "defaultConfiguration": {"level": _LEVELS[check.severity]},
        "properties": {"precision": "very-high" if check.confidence == "high" else "high", "tags": ["sigma"]},
    }


def _sarif_result(finding: Finding, used: list[str], seen: Counter[str]) -> dict[str, Any]:
    remedy = f". {finding.remedy}" if finding.remedy else "."
    place = f"{finding.slug}\0{finding.path}\0{finding.rule}\0{finding.message}"
    seen[place] += 1
    fingerprint = hashlib.sha256(f"{place}\0{seen[place]}".encode()).hexdigest()[:16]
    return {
        "ruleId": finding.slug,
        "ruleIndex": used.index(finding.slug),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}{remedy}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": PurePath(finding.path or "rule.yml").as_posix()},
                    "region": {
                        "startLine": finding.line,
                        "startColumn": finding.column,
                        "endLine": finding.end_line,
                        "endColumn": max(finding.end_column, finding.column + 1)
                        if finding.end_line == finding.line
                        else finding.end_column,
                    },
                }
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint}:1"},
    }


def to_junit(result: LintResult) -> str:
    """JUnit XML: a failed test for each error and warning."""
    failures = [finding for finding in result.findings if finding.severity != "info"]
    suite = ET.Element(
        "testsuite", name="cloudsigma lint", tests=str(max(1, len(failures))), failures=str(len(failures))
    )
    for finding in failures:
        case = ET.SubElement(
            suite, "testcase", classname=printable(finding.path or ""), name=f"{finding.slug} line {finding.line}"
        )
        failure = ET.SubElement(case, "failure", message=printable(finding.message))
        failure.text = printable(str(finding))
    if not failures:
        ET.SubElement(suite, "testcase", classname="cloudsigma", name="lint")
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


FORMATS: Mapping[str, Callable[[LintResult], str]] = {
    "text": to_text,
    "json": to_json,
    "sarif": to_sarif,
    "github": to_github,
    "junit": to_junit,
}
"""The formats by their names."""
