"""A limit of coverage or mutation is never met by accident: nothing measured is a failure, whatever left it out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WEAK = Path(__file__).parent / "weak"
COVERAGE = ("-q", "-p", "no:hypothesispytest", "-p", "no:sybil", "--cov-rules-fail-under")


def run(module: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rule with a case, a rule without one, and a test in Python."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("exact_name.yml", "exact_name.cases.yml", "value_list.yml"):
        shutil.copy(WEAK / name, folder)
    (folder / "test_passes.py").write_text("def test_passes():\n    assert True\n")
    return folder


# --- cloudsigma test ----------------------------------------------------------------------------------------


def test_a_mutation_limit_without_cases_fails(project: Path) -> None:
    (project / "exact_name.cases.yml").unlink()
    done = run("cloudsigma", "test", "--mutate-fail-under", "50", ".", cwd=project)
    assert done.returncode == 1
    assert done.stdout.endswith("mutation score was not measured: no rule has cases\n")
    done = run("cloudsigma", "test", "--cov-rules-fail-under", "50", ".", cwd=project)
    assert done.returncode == 1
    assert done.stdout.endswith("condition coverage 0.00 % is below 50 %\n")


def test_a_limit_that_is_no_number_is_refused(project: Path) -> None:
    for option in ("--mutate-fail-under", "--cov-rules-fail-under"):
        assert run("cloudsigma", "test", option, "nan", ".", cwd=project).returncode != 0


# --- the plugin ---------------------------------------------------------------------------------------------


def test_zero_rules_miss_a_limit(project: Path) -> None:
    done = run("pytest", *COVERAGE, "1", "test_passes.py", cwd=project)
    assert done.returncode == 1
    assert "condition coverage was not measured: no rule was found, or no case of one was run" in done.stdout
    assert run("pytest", *COVERAGE, "0", "test_passes.py", cwd=project).returncode == 0


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_cases_that_are_all_left_out_miss_a_limit(project: Path, processes: tuple[str, ...]) -> None:
    if processes:
        pytest.importorskip("xdist")
    done = run("pytest", *COVERAGE, "1", "-k", "test_passes", *processes, ".", cwd=project)
    assert done.returncode == 1
    assert "condition coverage was not measured" in done.stdout


@pytest.mark.parametrize("option", ["--ff", "--lf", "--nf"])
def test_options_that_leave_no_case_out_count_rules_without_cases(project: Path, option: str) -> None:
    everything = run("pytest", *COVERAGE, "40", ".", cwd=project)
    assert everything.returncode == 1
    [line] = [line for line in everything.stdout.splitlines() if "is below 40 %" in line]
    again = run("pytest", *COVERAGE, "40", option, ".", cwd=project)
    assert again.returncode == 1
    assert line in again.stdout


def test_the_last_failures_are_measured_alone(project: Path) -> None:
    (project / "test_passes.py").write_text("def test_passes():\n    assert False\n")
    assert run("pytest", "-q", "-p", "no:hypothesispytest", ".", cwd=project).returncode == 1
    (project / "test_passes.py").write_text("def test_passes():\n    assert True\n")
    done = run("pytest", *COVERAGE, "1", "--lf", ".", cwd=project)
    assert done.returncode == 1
    assert "condition coverage was not measured" in done.stdout


def test_a_limit_is_a_percentage(project: Path) -> None:
    for value in ("nan", "101", "-1"):
        done = run("pytest", f"{COVERAGE[-1]}={value}", ".", cwd=project)
        assert done.returncode == 4, done.stdout
