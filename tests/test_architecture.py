"""The map of the code (`docs/architecture.md`) and the code agree; so do the tests and the promise that each can fail.

Each test collects every violation and reports them together.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import cloudsigma

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "cloudsigma"
FILES = sorted(PACKAGE.rglob("*.py"))

COMPILE_SIDE = {"attack", "comparing", "compiler", "cli", "drafting", "editor", "linting"} | {
    "pytest_plugin",
    "testing",
    "__main__",
}
"""Rooms that may reach pySigma; each other room must be listed in the contract `run-side`."""

NAMES_OF_NOTHING = {"base", "common", "core", "helper", "helpers", "manager", "misc", "types", "util", "utils"}


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


# --- shape --------------------------------------------------------------------------------------------------


def test_no_file_is_longer_than_400_lines() -> None:
    lines = {module_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {module: count for module, count in lines.items() if count > 400} == {}


def names_of_nothing(path: Path) -> set[str]:
    classes = [node.name for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
    last_words = {re.findall(r"[A-Z][a-z]*|[a-z]+", name)[-1].lower() for name in classes if name.strip("_")}
    return NAMES_OF_NOTHING & {path.stem, path.parent.name, *last_words}


def test_names_say_what_is_there() -> None:
    assert {module_of(path): found for path in FILES if (found := names_of_nothing(path))} == {}


def prints_and_exits(path: Path) -> set[str]:
    called = {ast.unparse(node.func) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
    raised = {ast.unparse(node.exc) for node in ast.walk(parsed(path)) if isinstance(node, ast.Raise) and node.exc}
    return {"SystemExit"} & raised | called & {
        "print",
        "sys.exit",
        "os._exit",
        "exit",
        "quit",
        "input",
        "SystemExit",
    }


def test_only_the_command_line_prints_and_exits() -> None:
    others = [path for path in FILES if path.relative_to(PACKAGE).parts[0] not in {"cli", "__main__.py"}]
    assert {module_of(path): found for path in others if (found := prints_and_exits(path))} == {}


def undescribed(path: Path) -> Iterator[str]:
    module = parsed(path)
    if ast.get_docstring(module) is None:
        yield "module"
    for node in module.body:
        is_public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        if is_public and ast.get_docstring(node) is None:
            yield node.name


def undescribed_members(thing: Any) -> Iterator[str]:
    if not inspect.getdoc(thing):
        yield "itself"
    for name, value in vars(thing).items() if inspect.isclass(thing) else ():
        is_callable = inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod))
        if is_callable and not name.startswith("_") and not inspect.getdoc(value):
            yield name


def test_modules_and_public_names_have_docstrings() -> None:
    modules = {module_of(path): found for path in FILES if (found := list(undescribed(path)))}
    names = {name: found for name in public_names() if (found := list(undescribed_members(getattr(cloudsigma, name))))}
    assert modules | names == {}


def named_paths() -> set[str]:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return {text for text in re.findall(r"`([\w./*-]+)`", page) if re.search(r"/|\.(?:py|md|toml|yml)$", text)}


def is_there(path: str) -> bool:
    pattern = f"{path}**/*" if path.endswith("/") else path  # Git keeps no empty folders
    return any(any(folder.glob(pattern)) for folder in (PACKAGE, ROOT))


def test_the_map_names_every_module_and_no_other() -> None:
    named = named_paths()
    whole_folders = tuple(name for name in named if name.endswith("/"))
    modules = [module for module in map(module_of, FILES) if not module.endswith("__init__.py")]
    missing = [module for module in modules if module not in named and not module.startswith(whole_folders)]
    gone = sorted(path for path in named if not is_there(path))
    assert (missing, gone) == ([], [])


# --- imports ------------------------------------------------------------------------------------------------


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `folder`, with the contracts of the project."""
    pytest.importorskip("importlinter", reason="the dependency group `lint` is not installed")
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import importlinter.cli as c; raise SystemExit(c.lint_imports(no_cache=True, no_logo=True))",
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        capture_output=True,
        check=False,
    )


def contracts() -> list[dict[str, Any]]:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = configuration["tool"]["importlinter"]["contracts"]
    return found


def reports(run: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The text about each broken contract, by the contract's ID."""
    said = " ".join(run.stdout.partition("Broken contracts")[2].split())  # long lines are wrapped
    starts = sorted((said.find(contract["name"]), contract["id"]) for contract in contracts())
    starts = [(at, name) for at, name in starts if at >= 0]
    ends = [at for at, _ in starts[1:]] + [len(said)]
    return {name: said[at:end] for (at, name), end in zip(starts, ends, strict=True)}


def test_imports_go_one_way() -> None:
    run = lint_imports(ROOT / "src")
    assert run.returncode == 0, run.stdout + run.stderr


FORBIDDEN = [
    ("rulesets/rule_set.py", "sigma", {"run-side", "door-sigma"}),
    ("rulesets/rule_set.py", "cloudsigma.compiler", {"rows", "run-side"}),
    ("ir/__init__.py", "cloudsigma.engine.evaluate.fields", {"rows"}),
    ("engine/evaluate/fields.py", "cloudsigma.engine.match", {"engine"}),
    ("compiler/filters.py", "cloudsigma.compiler.lower", {"stages"}),
    ("compiler/lower.py", "jsonpath_ng", {"door-jsonpath"}),
    ("api.py", "click", {"door-click"}),
    ("engine/match.py", "rich", {"door-rich"}),
    ("spark/batch.py", "cloudsigma.cli.screen", {"executors"}),
    ("spark/file_rows.py", "cloudsigma.spark.batch", {"spark"}),
    ("scanning/batch.py", "pyspark", {"door-spark"}),
]
"""A module, an import that it must not have, and the contracts that forbid it."""


def test_an_import_against_the_rules_is_caught(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "cloudsigma", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "cloudsigma" / "utils.py").write_text("", encoding="utf-8")
    for file, imported, _ in FORBIDDEN:
        with (tmp_path / "cloudsigma" / file).open("a", encoding="utf-8") as module:
            module.write(f"\nimport {imported}\n")
    run = lint_imports(tmp_path)
    found = reports(run)
    for file, imported, broken in FORBIDDEN:
        importer = "cloudsigma." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for contract in broken:
            assert f"{importer} -> {imported} (l." in found.get(contract, ""), (contract, run.stdout)
    assert "cloudsigma.utils" in found["rows"]  # a room without a row


def test_every_room_is_on_one_side() -> None:
    rooms = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    [run_side] = [contract for contract in contracts() if contract["id"] == "run-side"]
    assert {name.removeprefix("cloudsigma.") for name in run_side["source_modules"]} == rooms - COMPILE_SIDE


def test_importing_the_package_loads_none_of_the_heavy_libraries() -> None:
    heavy = ("sigma", "yaml", "pyparsing", "jsonpath_ng", "click", "rich", "re2", "msgspec")
    program = f"import cloudsigma, sys; print(sorted(set({heavy!r}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert run.stdout == "[]\n"


def test_every_module_can_be_imported() -> None:
    modules = [module.name for module in pkgutil.walk_packages([str(PACKAGE)], "cloudsigma.")]
    imported = [importlib.import_module(name).__name__ for name in modules if not name.endswith("__main__")]
    assert len(imported) > len(FILES) // 2


# --- the public names ---------------------------------------------------------------------------------------


def public_names() -> list[str]:
    return [name for name in cloudsigma.__all__ if not name.startswith("__")]


def test_no_public_name_hides_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    assert not modules & set(cloudsigma.__all__)


def test_every_public_name_can_be_had() -> None:
    assert [name for name in cloudsigma.__all__ if not hasattr(cloudsigma, name)] == []


# --- the tests ----------------------------------------------------------------------------------------------

CHECKS = frozenset({"raises", "warns", "fail", "fnmatch_lines", "no_fnmatch_line", "assert_outcomes"})
"""Functions of pytest that fail a test."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(parsed(path)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def called(function: Function) -> set[str]:
    """Last parts of the names that a function calls, or hands to a call."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    given = [argument for call in calls for argument in (call.func, *call.args)]
    return {node.id if isinstance(node, ast.Name) else getattr(node, "attr", "") for node in given}


def checks(function: Function, others: set[str]) -> bool:
    return bool(
        any(isinstance(node, (ast.Assert, ast.Raise)) for node in ast.walk(function)) or called(function) & others
    )


def checking_functions(path: Path, known: set[str]) -> set[str]:
    """Names of functions in a file that can fail a test, directly or through others."""
    found = set(known)
    while new := {each.name for each in functions(path) if each.name not in found and checks(each, found)}:
        found |= new
    return found


def test_every_test_can_fail() -> None:
    tests = ROOT / "tests"
    shared = set(CHECKS)
    for path in [*sorted((tests / "made").glob("*.py")), *tests.rglob("conftest.py")]:
        shared |= checking_functions(path, set(CHECKS))
    blind = []
    for path in sorted(tests.rglob("test_*.py")):
        known = checking_functions(path, shared)
        blind += [
            f"{path.relative_to(ROOT)}::{each.name}"
            for each in functions(path)
            if each.name.startswith("test_") and not checks(each, known - {each.name})
        ]
    assert blind == []
