"""Tests for rules: cases beside a rule, records to make them of, and running them.

    from cloudsigma import testing

    record = testing.record("iam:CreateGroup", principal="role_session")
    for result in testing.find_tests("rules").run():
        if not result.passed:
            print(result)

The names below are imported on first use; `record` needs no compiled rules.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudsigma.errors import CaseError
    from cloudsigma.testing.case_file import read_case_file
    from cloudsigma.testing.cases import Case, CaseFile, ExpectedMatch
    from cloudsigma.testing.changes import ABSENT, Difference, differences
    from cloudsigma.testing.records import calls, record
    from cloudsigma.testing.regression import read_regression
    from cloudsigma.testing.runner import Result, find_rule, passes, run_case
    from cloudsigma.testing.suite import RuleTest, Suite, find_tests

__all__ = [
    "ABSENT",
    "Case",
    "CaseError",
    "CaseFile",
    "Difference",
    "ExpectedMatch",
    "Result",
    "RuleTest",
    "Suite",
    "calls",
    "case_schema_path",
    "differences",
    "find_rule",
    "find_tests",
    "passes",
    "read_case_file",
    "read_regression",
    "record",
    "run_case",
]

_HOMES = {
    "ABSENT": "testing.changes",
    "Case": "testing.cases",
    "CaseError": "errors",
    "CaseFile": "testing.cases",
    "Difference": "testing.changes",
    "ExpectedMatch": "testing.cases",
    "Result": "testing.runner",
    "RuleTest": "testing.suite",
    "Suite": "testing.suite",
    "calls": "testing.records",
    "differences": "testing.changes",
    "find_rule": "testing.runner",
    "find_tests": "testing.suite",
    "passes": "testing.runner",
    "read_case_file": "testing.case_file",
    "read_regression": "testing.regression",
    "record": "testing.records",
    "run_case": "testing.runner",
}


def case_schema_path() -> str:
    """Where the JSON Schema of case files is, for editors."""
    import os.path

    return os.path.join(os.path.dirname(__file__), "case_schema.json")  # noqa: PTH118, PTH120  # a cheap import


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"cloudsigma.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
