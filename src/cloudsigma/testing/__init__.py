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
    from cloudsigma.testing.cases import Case, CaseFile, EquivalentMutant, ExpectedMatch
    from cloudsigma.testing.changes import ABSENT, Difference, differences
    from cloudsigma.testing.coverage import ClauseCoverage, Coverage, RuleCoverage, measure_coverage
    from cloudsigma.testing.generated import Generated, NearMiss, Obstacle, Sample
    from cloudsigma.testing.generation import generate
    from cloudsigma.testing.mutation import (
        MutantResult,
        MutationReport,
        Proposal,
        RuleMutation,
        default_cache,
        mutate,
    )
    from cloudsigma.testing.records import calls, record
    from cloudsigma.testing.regression import read_regression
    from cloudsigma.testing.runner import Result, find_rule, passes, run_case
    from cloudsigma.testing.suggestion import NothingToSuggestError, suggest
    from cloudsigma.testing.suite import RuleTest, Suite, find_tests

__all__ = [
    "ABSENT",
    "Case",
    "CaseError",
    "CaseFile",
    "ClauseCoverage",
    "Coverage",
    "Difference",
    "EquivalentMutant",
    "ExpectedMatch",
    "Generated",
    "MutantResult",
    "MutationReport",
    "NearMiss",
    "NothingToSuggestError",
    "Obstacle",
    "Proposal",
    "Result",
    "RuleCoverage",
    "RuleMutation",
    "RuleTest",
    "Sample",
    "Suite",
    "calls",
    "case_schema_path",
    "default_cache",
    "differences",
    "find_rule",
    "find_tests",
    "generate",
    "measure_coverage",
    "mutate",
    "passes",
    "read_case_file",
    "read_regression",
    "record",
    "run_case",
    "suggest",
]

_HOMES = {
    "ABSENT": "testing.changes",
    "Case": "testing.cases",
    "CaseError": "errors",
    "CaseFile": "testing.cases",
    "ClauseCoverage": "testing.coverage",
    "Coverage": "testing.coverage",
    "Difference": "testing.changes",
    "EquivalentMutant": "testing.cases",
    "ExpectedMatch": "testing.cases",
    "Generated": "testing.generated",
    "MutantResult": "testing.mutation",
    "MutationReport": "testing.mutation",
    "NearMiss": "testing.generated",
    "NothingToSuggestError": "testing.suggestion",
    "Obstacle": "testing.generated",
    "Proposal": "testing.mutation",
    "Result": "testing.runner",
    "RuleCoverage": "testing.coverage",
    "RuleMutation": "testing.mutation",
    "RuleTest": "testing.suite",
    "Sample": "testing.generated",
    "Suite": "testing.suite",
    "calls": "testing.records",
    "default_cache": "testing.mutation",
    "differences": "testing.changes",
    "find_rule": "testing.runner",
    "find_tests": "testing.suite",
    "generate": "testing.generation",
    "measure_coverage": "testing.coverage",
    "mutate": "testing.mutation",
    "passes": "testing.runner",
    "read_case_file": "testing.case_file",
    "read_regression": "testing.regression",
    "record": "testing.records",
    "run_case": "testing.runner",
    "suggest": "testing.suggestion",
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
