"""The pytest plugin: rule files, their cases and regression data are tests; `docs/reference/pytest.md`.

pytest imports this module wherever the package is installed, so it imports nothing else of the package before it meets
a file that looks like a rule or like cases, or a test that asks for one of the fixtures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from cloudsigma.rulesets.rule_set import RuleSet
    from cloudsigma.testing.pytest.assertions import Evaluate

_OURS = re.compile(
    rb"""^[{"']{0,2}(logsource|detection|correlation|cases|rule_metadata|regression_tests_info)["']?[ \t]*:|^\s*{""",
    re.MULTILINE,
)
"""Stands in every rule and in all cases; in other files as well, so what has it is looked at more closely."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the settings of the ini file."""
    group = parser.getgroup("cloudsigma", "Sigma rules")
    group.addoption("--cov-rules", action="store_true", help="show which parts of Sigma rules no case decides")
    group.addoption(
        "--cov-rules-fail-under",
        metavar="PERCENT",
        type=float,
        help="fail if the condition coverage of Sigma rules is below PERCENT; implies --cov-rules",
    )
    parser.addini("cloudsigma_rules", "files and folders of the project's Sigma rules", type="paths", default=[])
    parser.addini(
        "cloudsigma_pipelines", "processing pipelines for Sigma rules: files or names", type="args", default=[]
    )
    parser.addini("cloudsigma_placeholders", "YAML file with the values of placeholders in Sigma rules", default="")
    parser.addini("cloudsigma_logsource", "what records are: product=aws service=cloudtrail", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Describe the markers; those that rules bring are registered when the rules are known."""
    config.addinivalue_line(
        "markers", "sigma: a test of a Sigma rule; with level_LEVEL, status_STATUS, rule_ID and more"
    )
    if config.getoption("cov_rules") or config.getoption("cov_rules_fail_under") is not None:
        from cloudsigma.testing.pytest.coverage import CoverageOfRules

        config.pluginmanager.register(CoverageOfRules(config), "cloudsigma_coverage")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect rules, cases and regression data."""
    if file_path.suffix.lower() not in (".yml", ".yaml") or not _may_be_ours(file_path):
        return None
    from cloudsigma.testing.cases.file_kinds import kind_of

    kind = kind_of(file_path)
    if kind is None:
        return None
    from cloudsigma.testing.pytest import items as pytest_items

    return pytest_items.collect_file(file_path, kind, parent)


def _may_be_ours(path: Path) -> bool:
    if path.name.lower().endswith((".cases.yml", ".cases.yaml")) or "regression_data" in path.parts:
        return True  # however damaged
    try:
        with path.open("rb") as file:
            data = file.read(1 << 20)
    except OSError:
        return False
    return _OURS.search(data) is not None or data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"))


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable(data: dict[str, Any]) -> Generator[None, Any, Any]:
    """Give a failure that a worker of xdist sends its colors and its short form back."""
    report = yield
    if isinstance(getattr(report, "longrepr", None), str) and "sigma" in data.get("keywords", ()):
        from cloudsigma.testing.pytest.failure import Failure

        report.longrepr = Failure.from_text(report.longrepr)
    return report


# --- fixtures -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cloudsigma_rules(pytestconfig: pytest.Config) -> RuleSet:
    """The project's Sigma rules, compiled together: those below `cloudsigma_rules` of the ini file, else all.

    A failing `assert` that calls the `predicate` of one of them says why it matches or not.
    """
    from cloudsigma.testing.pytest import items as pytest_items

    return pytest_items.project_rules(pytestconfig)


@pytest.fixture
def evaluate(cloudsigma_rules: RuleSet, pytestconfig: pytest.Config) -> Evaluate:
    """Give the matches of a record or of several: `evaluate(record)`, `evaluate(records, rule="name")`."""
    from cloudsigma.testing.pytest import items as pytest_items
    from cloudsigma.testing.pytest.assertions import Evaluate

    return Evaluate(cloudsigma_rules, pytest_items.assertion_help(pytestconfig))


@pytest.fixture(scope="session")
def record() -> Callable[..., dict[str, Any]]:
    """Make a realistic CloudTrail record, as `cloudsigma.testing.record` does."""
    from cloudsigma.testing import record as make

    return make
