"""Reports of test results for other programs: JSON, and JUnit XML for CI systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.rule import Rule
from cloudsigma.escaping import printable
from cloudsigma.testing.cases.runner import Result
from cloudsigma.testing.cases.suite import RuleTest
from cloudsigma.testing.records.changes import ABSENT, Difference


@dataclass(frozen=True, slots=True)
class FinishedTest:
    """A test, its result, and its duration in seconds."""

    test: RuleTest
    result: Result
    seconds: float


# --- JSON ---------------------------------------------------------------------------------------------------


def to_dict(ran: Sequence[FinishedTest], untested: Sequence[Rule]) -> dict[str, Any]:
    """Plain values for JSON: counts, each test, and the rules without cases."""
    failed = sum(not each.result.passed for each in ran)
    form = {
        "passed": len(ran) - failed,
        "failed": failed,
        "untested": [_rule(rule) for rule in untested],
        "tests": [_test(each) for each in ran],
    }
    ready: dict[str, Any] = json_ready(form)
    return ready


def _test(ran: FinishedTest) -> dict[str, Any]:
    """One test; reasons are included only if it failed."""
    test, result = ran.test, ran.result
    form: dict[str, Any] = {
        "path": test.path,
        "line": test.line,
        "name": test.name,
        "passed": result.passed,
        "rule": _rule(test.rule) if test.rule is not None else None,
        "reason": test.case.reason if test.case is not None else None,
        "seconds": round(ran.seconds, 6),
        "summary": result.summary or None,
        "error": None,
        "differences": [],
        "changes": [],
        "explanations": [],
    }
    if not result.passed:
        form |= {
            "error": str(result.error) if result.error is not None else None,
            "differences": [_difference(each, "expected", "actual") for each in result.differences],
            "changes": [[_difference(each, "before", "after") for each in record] for record in result.changes],
            "explanations": [explanation.to_dict() for explanation in result.explanations],
        }
    return form


def _rule(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, "title": rule.title, "path": rule.path, "line": rule.line}


def _difference(difference: Difference, before: str, after: str) -> dict[str, Any]:
    """A difference; a missing side has no key."""
    sides = {before: difference.before, after: difference.after}
    return {"name": difference.name, **{key: value for key, value in sides.items() if value is not ABSENT}}


# --- JUnit XML ----------------------------------------------------------------------------------------------


def to_junit(ran: Sequence[FinishedTest]) -> str:
    """JUnit XML, one `testsuite` for each file. A test that could not run is an `error`, any other a `failure`."""
    top = ET.Element("testsuites", {"name": "cloudsigma", **_counts(ran)})
    for path in dict.fromkeys(each.test.path for each in ran):
        own = [each for each in ran if each.test.path == path]
        suite = ET.SubElement(top, "testsuite", {"name": printable(path), **_counts(own)})
        for each in own:
            place = {"file": printable(path), "line": str(each.test.line or 1)}
            names = {"classname": printable(path).replace("/", "."), "name": printable(each.test.name)}
            case = ET.SubElement(suite, "testcase", {**names, **place, "time": f"{each.seconds:.6f}"})
            if not each.result.passed:
                tag = "failure" if each.result.error is None else "error"
                wrong = ET.SubElement(case, tag, {"message": printable(each.result.summary), "type": tag})
                wrong.text = "\n".join(map(printable, str(each.result).splitlines()))
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _counts(ran: Sequence[FinishedTest]) -> dict[str, str]:
    failed = [each.result for each in ran if not each.result.passed]
    errors = sum(result.error is not None for result in failed)
    return {
        "tests": str(len(ran)),
        "failures": str(len(failed) - errors),
        "errors": str(errors),
        "skipped": "0",
        "time": f"{sum(each.seconds for each in ran):.6f}",
    }
