"""Test rules: cases beside a rule, records to make them from, coverage and mutation testing.

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
    from cloudsigma.testing.cases.case import Case, CaseFile, EquivalentMutant, ExpectedMatch
    from cloudsigma.testing.cases.case_file import read_case_file
    from cloudsigma.testing.cases.regression import read_regression
    from cloudsigma.testing.cases.runner import Result, find_rule, passes, run_case
    from cloudsigma.testing.cases.suite import RuleTest, Suite, find_tests
    from cloudsigma.testing.coverage.measure import ClauseCoverage, Coverage, RuleCoverage, measure_coverage
    from cloudsigma.testing.generation.generate import generate
    from cloudsigma.testing.generation.generated import Generated, NearMiss, Obstacle, Sample
    from cloudsigma.testing.mutation.mutate import (
        MutantResult,
        MutationReport,
        Proposal,
        RuleMutation,
        default_cache,
        mutate,
    )
    from cloudsigma.testing.mutation.suggestion import NothingToSuggestError, suggest
    from cloudsigma.testing.records.changes import ABSENT, Difference, differences
    from cloudsigma.testing.records.record import calls, record

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
    "ABSENT": "testing.records.changes",
    "Case": "testing.cases.case",
    "CaseError": "errors",
    "CaseFile": "testing.cases.case",
    "ClauseCoverage": "testing.coverage.measure",
    "Coverage": "testing.coverage.measure",
    "Difference": "testing.records.changes",
    "EquivalentMutant": "testing.cases.case",
    "ExpectedMatch": "testing.cases.case",
    "Generated": "testing.generation.generated",
    "MutantResult": "testing.mutation.mutate",
    "MutationReport": "testing.mutation.mutate",
    "NearMiss": "testing.generation.generated",
    "NothingToSuggestError": "testing.mutation.suggestion",
    "Obstacle": "testing.generation.generated",
    "Proposal": "testing.mutation.mutate",
    "Result": "testing.cases.runner",
    "RuleCoverage": "testing.coverage.measure",
    "RuleMutation": "testing.mutation.mutate",
    "RuleTest": "testing.cases.suite",
    "Sample": "testing.generation.generated",
    "Suite": "testing.cases.suite",
    "calls": "testing.records.record",
    "default_cache": "testing.mutation.mutate",
    "differences": "testing.records.changes",
    "find_rule": "testing.cases.runner",
    "find_tests": "testing.cases.suite",
    "generate": "testing.generation.generate",
    "measure_coverage": "testing.coverage.measure",
    "mutate": "testing.mutation.mutate",
    "passes": "testing.cases.runner",
    "read_case_file": "testing.cases.case_file",
    "read_regression": "testing.cases.regression",
    "record": "testing.records.record",
    "run_case": "testing.cases.runner",
    "suggest": "testing.mutation.suggestion",
}


def case_schema_path() -> str:
    """The path of the JSON Schema of case files, for editors."""
    import os.path

    return os.path.join(os.path.dirname(__file__), "case_schema.json")  # noqa: PTH118, PTH120  # cheap to import


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"cloudsigma.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
