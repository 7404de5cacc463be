"""Options of `cloudsigma test` that measure the cases: condition coverage and mutation score."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from cloudsigma.cli.progress import progress_line
from cloudsigma.testing.cases.suite import RuleTest, Suite
from cloudsigma.testing.coverage.measure import Coverage, measure_coverage
from cloudsigma.testing.mutation.mutate import MutationReport, default_cache, mutate

_PERCENT = click.FloatRange(0, 100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The measurements that the options ask for."""

    coverage: bool
    coverage_limit: float | None
    mutation: bool
    mutation_limit: float | None


def measuring_options(command: Any) -> Any:
    """Add the options; the command receives them as one argument, `wanted`."""

    @functools.wraps(command)  # keeps the options that the command has
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
            click.option("--cov-rules", "cov_rules", is_flag=True, help="Show which parts of the rules no case tests."),
            click.option(
                "--cov-rules-fail-under",
                "cov_rules_fail_under",
                metavar="PERCENT",
                type=_PERCENT,
                help="Fail if the condition coverage is below PERCENT; implies --cov-rules.",
            ),
            click.option(
                "--mutate", "mutate_rules", is_flag=True, help="Show which mistakes in the rules no case would notice."
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
    """Results of the measurements."""

    coverage: Coverage | None = None
    mutation: MutationReport | None = None
    too_low: tuple[str, ...] = ()
    """A sentence for each limit that was missed."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a measurement that was not requested has no key."""
        both = {"coverage": self.coverage, "mutation": self.mutation}
        return {name: value.to_dict() for name, value in both.items() if value is not None}

    def lines(self) -> list[str]:
        """The reports as lines of text."""
        parts = [self.coverage, self.mutation, *self.too_low]
        return [line for part in parts if part is not None for line in ("", *str(part).splitlines())]


def measure(suite: Suite, tests: Sequence[RuleTest], wanted: Wanted) -> Measured:
    """Measure the cases; if the options left tests out, count only the rules of the remaining tests."""
    chosen = len(tests) < len(suite.tests)
    too_low: list[str | None] = []
    coverage = mutation = None
    if wanted.coverage:
        coverage = measure_coverage(suite, tests)
        if chosen:
            coverage = Coverage(tuple(rule for rule in coverage.rules if rule.cases))
        too_low.append(coverage.shortfall(wanted.coverage_limit))
    if wanted.mutation:
        cache: Path = default_cache()
        with progress_line("mutating: {} of {} rule files, {} mutants") as progress:
            mutation = mutate(dataclasses.replace(suite, tests=tuple(tests)), cache=cache, progress=progress)
        if chosen:
            mutation = replace(mutation, untested=())
        too_low.append(mutation.shortfall(wanted.mutation_limit))
    return Measured(coverage, mutation, tuple(text for text in too_low if text is not None))
