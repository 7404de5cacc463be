"""The pytest plugin: collects rule files, case files and regression data. Reference: `docs/reference/pytest.md`.

pytest imports this module wherever the package is installed, so the rest of the package is imported only when a file
looks like a rule or a case file, or when a test uses one of the fixtures.
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
"""A cheap first test: every rule and case file contains this; `kind_of` then sorts out unrelated files."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command-line options and the ini settings."""
    group = parser.getgroup("cloudsigma", "Sigma rules")
    group.addoption("--cov-rules", action="store_true", help="show which parts of Sigma rules no case tests")
    group.addoption(
        "--cov-rules-fail-under",
        metavar="PERCENT",
        type=_percent,
        help="fail if the condition coverage of Sigma rules is below PERCENT; implies --cov-rules",
    )
    parser.addini("cloudsigma_rules", "files and folders of the project's Sigma rules", type="paths", default=[])
    parser.addini(
        "cloudsigma_pipelines", "processing pipelines for Sigma rules: files or names", type="args", default=[]
    )
    parser.addini("cloudsigma_placeholders", "YAML file with the values of placeholders in Sigma rules", default="")
    parser.addini(
        "cloudsigma_logsource", "log source of the records: product=aws service=cloudtrail", type="args", default=[]
    )
    parser.addini(
        "cloudsigma_record_folders",
        "folders that case files may read records from, besides their own",
        type="paths",
        default=[],
    )


def _percent(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 100:
        raise ValueError(text)
    return number


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker `sigma`; the markers of single rules follow when the rules are compiled."""
    config.addinivalue_line(
        "markers", "sigma: a test of a Sigma rule; with level_LEVEL, status_STATUS, rule_ID and more"
    )
    if config.getoption("cov_rules") or config.getoption("cov_rules_fail_under") is not None:
        from cloudsigma.testing.pytest.coverage import CoverageOfRules

        config.pluginmanager.register(CoverageOfRules(config), "cloudsigma_coverage")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect rules, cases and regression data."""
    if file_path.suffix.lower() not in (".yml", ".yaml") or not _may_be_ours(file_path, parent):
        return None
    from cloudsigma.testing.cases.file_kinds import kind_of

    kind = kind_of(file_path)
    if kind is None:
        return None
    from cloudsigma.testing.pytest import items as pytest_items

    return pytest_items.collect_file(file_path, kind, parent)


def _may_be_ours(path: Path, parent: pytest.Collector) -> bool:
    if not path.is_file():
        return False
    if path.name.lower().endswith((".cases.yml", ".cases.yaml")) or "regression_data" in path.parts:
        return True  # however damaged
    try:
        with path.open("rb") as file:
            data = file.read(1 << 20)
    except OSError:
        # In a folder of rules an unreadable file is a failure; elsewhere it may be no rule.
        rules: list[Path] = parent.config.getini("cloudsigma_rules")
        return parent.session.isinitpath(path) or any(path.is_relative_to(each) for each in rules)
    return _OURS.search(data) is not None or data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"))


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable(data: dict[str, Any]) -> Generator[None, Any, Any]:
    """Restore the colors and the short form of a failure that an xdist worker sent as text."""
    report = yield
    if isinstance(getattr(report, "longrepr", None), str) and "sigma" in data.get("keywords", ()):
        from cloudsigma.testing.pytest.failure import Failure

        report.longrepr = Failure.from_text(report.longrepr)
    return report


# --- fixtures -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cloudsigma_rules(pytestconfig: pytest.Config) -> RuleSet:
    """The project's Sigma rules, compiled together: those below `cloudsigma_rules` of the ini file, or all.

    When an `assert` that calls a rule's `predicate` fails, its message explains the verdict.
    """
    from cloudsigma.testing.pytest import items as pytest_items

    return pytest_items.project_rules(pytestconfig)


@pytest.fixture
def evaluate(cloudsigma_rules: RuleSet, pytestconfig: pytest.Config) -> Evaluate:
    """A function that returns the matches of records: `evaluate(record)`, `evaluate(records, rule="name")`."""
    from cloudsigma.testing.pytest import items as pytest_items
    from cloudsigma.testing.pytest.assertions import Evaluate

    return Evaluate(cloudsigma_rules, pytest_items.assertion_help(pytestconfig))


@pytest.fixture(scope="session")
def record() -> Callable[..., dict[str, Any]]:
    """`cloudsigma.testing.record`, which makes realistic CloudTrail records."""
    from cloudsigma.testing import record as make

    return make
