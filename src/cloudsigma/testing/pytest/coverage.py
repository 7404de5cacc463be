"""`--cov-rules` of the pytest plugin: condition coverage of rules, also across the workers of xdist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cloudsigma.testing.cases.suite import RuleTest
from cloudsigma.testing.coverage.measure import Coverage, measure_coverage
from cloudsigma.testing.pytest.items import RuleCase, session_of

_SENT = "cloudsigma_coverage"
"""Key of a worker's result in xdist's `workeroutput`."""


class CoverageOfRules:
    """Plugin that records which cases run, and reports their coverage at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._tests: list[RuleTest] = []
        self._coverage = Coverage()
        self._is_partial = False
        """Whether cases were left out on purpose."""
        self._limit: float | None = config.getoption("cov_rules_fail_under")
        self._shortfall: str | None = None

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Record the case."""
        if isinstance(item, RuleCase) and item.test is not None:
            self._tests.append(item.test)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Record that `-k`, `-m`, `--lf` or another option left cases out."""
        self._is_partial |= any(isinstance(item, RuleCase) for item in items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Merge a worker's coverage; a worker that was killed has sent none."""
        sent = getattr(node, "workeroutput", {}).get(_SENT)
        if sent is not None:
            self._coverage = self._coverage.merge(Coverage.from_dict(sent["coverage"]))
            self._is_partial |= sent["partial"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Measure. A worker sends its coverage; the main process decides whether the run fails."""
        suite = session_of(self._config).suite
        if suite is not None:
            self._coverage = self._coverage.merge(measure_coverage(suite, self._tests))
        # With `--lf`, pytest skips files without failures and does not report their items as deselected.
        self._is_partial |= self._config.pluginmanager.has_plugin("lfplugin-collskip")
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_SENT] = {"coverage": self._coverage.to_dict(), "partial": self._is_partial}
            return
        if self._is_partial:
            self._coverage = Coverage(tuple(rule for rule in self._coverage.rules if rule.cases))
        self._shortfall = self._coverage.shortfall(self._limit)
        if self._shortfall is not None and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the report."""
        terminalreporter.section("coverage of Sigma rules")
        for line in str(self._coverage).splitlines():
            terminalreporter.write_line(line)
        if self._shortfall is not None:
            terminalreporter.write_line(self._shortfall, red=True, bold=True)
