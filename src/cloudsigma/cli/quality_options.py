"""The options of `cloudsigma test` that ask how good the cases are, and what is printed of it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from cloudsigma.testing.cases.suite import RuleTest, Suite
from cloudsigma.testing.coverage.measure import Coverage, measure_coverage
from cloudsigma.testing.mutation.mutate import MutationReport, default_cache, mutate

_PERCENT = click.FloatRange(0, 100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options ask for."""

    coverage: bool
    coverage_limit: float | None
    mutation: bool
    mutation_limit: float | None


def measuring_options(command: Any) -> Any:
    """Add the options; the command gets them as one argument, `wanted`."""

    @functools.wraps(command)  # the options that it has already go with it
    def with_wanted(
        *,
        cov_rules: bool,
        cov_rules_fail_under: float | None,
        mutate_rules: bool,
        mutate_fail_under: float | None,
        **others: Any,
    ) -> Any:
        wanted = Wanted(
            cov_rules or cov_rules_fail_under is not None,
            cov_rules_fail_under,
            mutate_rules or mutate_fail_under is not None,
            mutate_fail_under,
        )
        return command(wanted=wanted, **others)

    for option in reversed(
        [
            click.option("--cov-rules", "cov_rules", is_flag=True, help="Show which parts of rules no case decides."),
            click.option(
                "--cov-rules-fail-under",
                "cov_rules_fail_under",
                metavar="PERCENT",
                type=_PERCENT,
                help="Fail if the condition coverage is below PERCENT; implies --cov-rules.",
            ),
            click.option(
                "--mutate", "mutate_rules", is_flag=True, help="Show which mistakes in rules no case would notice."
            ),
            click.option(
                "--mutate-fail-under",
                "mutate_fail_under",
                metavar="PERCENT",
                type=_PERCENT,
                help="Fail if the mutation score is below PERCENT; implies --mutate.",
            ),
        ]
    ):
        with_wanted = option(with_wanted)
    return with_wanted


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured."""

    coverage: Coverage | None = None
    mutation: MutationReport | None = None
    too_low: tuple[str, ...] = ()
    """Which limits were missed, in words."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; what was not asked for is not there."""
        both = {"coverage": self.coverage, "mutation": self.mutation}
        return {name: value.to_dict() for name, value in both.items() if value is not None}

    def lines(self) -> list[str]:
        """The reports, for people."""
        parts = [self.coverage, self.mutation, *self.too_low]
        return [line for part in parts if part is not None for line in ("", *str(part).splitlines())]


def measure(suite: Suite, tests: Sequence[RuleTest], wanted: Wanted) -> Measured:
    """Measure what was asked for; where not all tests of the suite were chosen, only the rules of those that were."""
    chosen = len(tests) < len(suite.tests)
    too_low: list[str] = []
    coverage = mutation = None
    if wanted.coverage:
        coverage = measure_coverage(suite, tests)
        if chosen:
            coverage = Coverage(tuple(rule for rule in coverage.rules if rule.cases))
        too_low += _missed("condition coverage", coverage.percent, wanted.coverage_limit)
    if wanted.mutation:
        cache: Path = default_cache()
        mutation = mutate(dataclasses.replace(suite, tests=tuple(tests)), cache=cache)
        if chosen:
            mutation = replace(mutation, untested=())
        too_low += _missed("mutation score", mutation.score, wanted.mutation_limit)
    return Measured(coverage, mutation, tuple(too_low))


def _missed(what: str, value: float, limit: float | None) -> list[str]:
    return [f"{what} {value:.2f} % is below {limit:g} %"] if limit is not None and value < limit else []
