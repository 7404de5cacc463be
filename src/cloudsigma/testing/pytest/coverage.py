"""Condition coverage of rules in a run of pytest: `--cov-rules`, also where xdist spreads the cases over processes."""

from __future__ import annotations

from typing import Any

import pytest

from cloudsigma.testing.cases.suite import RuleTest
from cloudsigma.testing.coverage.measure import Coverage, measure_coverage
from cloudsigma.testing.pytest.items import RuleCase, session_of

_SENT = "cloudsigma_coverage"
"""Under this name a worker of xdist sends what its cases have shown."""


class CoverageOfRules:
    """A plugin that notes which cases are run, and reports at the end what they have shown."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._tests: list[RuleTest] = []
        self._coverage = Coverage()
        self._limit: float | None = config.getoption("cov_rules_fail_under")

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Note the case."""
        if isinstance(item, RuleCase) and item.test is not None:
            self._tests.append(item.test)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker has sent; one that was killed has sent nothing."""
        sent = getattr(node, "workeroutput", {}).get(_SENT)
        if sent is not None:
            self._coverage = self._coverage.merge(Coverage.from_dict(sent))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Measure; a worker sends it, else it decides whether the run has failed."""
        suite = session_of(self._config).suite
        if suite is not None:
            self._coverage = self._coverage.merge(measure_coverage(suite, self._tests))
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_SENT] = self._coverage.to_dict()
            return
        option = self._config.option
        if any(getattr(option, name, None) for name in ("keyword", "markexpr", "lf", "failedfirst")):
            # Some cases were left out on purpose, so rules of which no case was run say nothing.
            self._coverage = Coverage(tuple(rule for rule in self._coverage.rules if rule.cases))
        if self._is_low and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def _is_low(self) -> bool:
        return self._limit is not None and self._coverage.percent < self._limit

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the report."""
        terminalreporter.section("coverage of Sigma rules")
        for line in str(self._coverage).splitlines():
            terminalreporter.write_line(line)
        if self._is_low:
            text = f"condition coverage {self._coverage.percent:.2f} % is below {self._limit:g} %"
            terminalreporter.write_line(text, red=True, bold=True)
