"""The shape of the code: what docs/architecture.md draws, held against the files."""

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
from pathlib import Path

import pytest

import cloudsigma

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "cloudsigma"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path.relative_to(PACKAGE).as_posix() for path in FILES]

COMPILE_SIDE = {"compiler", "cli", "pytest_plugin", "testing", "__main__"}
"""Rooms that may reach pySigma; each other room must be listed in the contract `run-side`."""

NAMES_OF_NOTHING = {"base", "common", "core", "helper", "helpers", "manager", "misc", "types", "util", "utils"}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


# --- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=MODULES)
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=MODULES)
def test_names_say_what_is_there(path: Path) -> None:
    classes = [node.name for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
    last_words = {re.findall(r"[A-Z][a-z]*|[a-z]+", name)[-1].lower() for name in classes if name.strip("_")}
    assert not NAMES_OF_NOTHING & {path.stem, path.parent.name}
    assert not NAMES_OF_NOTHING & last_words


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.relative_to(PACKAGE).parts[0] not in {"cli", "__main__.py"}], ids=str
)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    called = {ast.unparse(node.func) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
    raised = {ast.unparse(node.exc) for node in ast.walk(parsed(path)) if isinstance(node, ast.Raise) and node.exc}
    assert not called & {"print", "sys.exit", "os._exit", "exit", "quit", "input", "SystemExit"}
    assert "SystemExit" not in raised


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


def broken_contracts(run: subprocess.CompletedProcess[str]) -> set[str]:
    said = " ".join(run.stdout.split())  # names are wrapped
    return {contract["id"] for contract in contracts() if f"{contract['name']} BROKEN" in said}


def contracts() -> list[dict[str, str]]:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, str]] = configuration["tool"]["importlinter"]["contracts"]
    return found


def test_imports_go_one_way() -> None:
    run = lint_imports(ROOT / "src")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("rulesets/rule_set.py", "import sigma", {"run-side", "door-sigma"}),
        ("rulesets/rule_set.py", "import cloudsigma.compiler", {"rows", "run-side"}),
        ("ir/__init__.py", "import cloudsigma.engine.evaluate.fields", {"rows"}),
        ("utils.py", "", {"rows"}),
        ("engine/evaluate/fields.py", "import cloudsigma.engine.match", {"engine"}),
        ("compiler/filters.py", "import cloudsigma.compiler.lower", {"stages"}),
        ("compiler/lower.py", "import jsonpath_ng", {"door-jsonpath"}),
        ("api.py", "import click", {"door-click"}),
        ("engine/match.py", "import rich", {"door-rich"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_import_against_the_rules_is_caught(tmp_path: Path, file: str, line: str, broken: set[str]) -> None:
    shutil.copytree(PACKAGE, tmp_path / "cloudsigma", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "cloudsigma" / file).open("a", encoding="utf-8") as module:
        module.write(f"\n{line}\n")
    run = lint_imports(tmp_path)
    assert broken <= broken_contracts(run), run.stdout + run.stderr


def test_every_room_is_on_one_side() -> None:
    rooms = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    [run_side] = [contract for contract in contracts() if contract["id"] == "run-side"]
    assert {name.removeprefix("cloudsigma.") for name in run_side["source_modules"]} == rooms - COMPILE_SIDE


def test_importing_the_package_loads_none_of_the_heavy_libraries() -> None:
    heavy = ("sigma", "yaml", "pyparsing", "jsonpath_ng", "click", "rich", "re2", "msgspec")
    program = f"import cloudsigma, sys; print(sorted(set({heavy!r}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert run.stdout == "[]\n"


# --- the public names ---------------------------------------------------------------------------------------


def public_names() -> list[str]:
    return [name for name in cloudsigma.__all__ if not name.startswith("__")]


def test_the_reference_page_lists_the_public_names() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\.\. auto(?:function|class|exception|data):: (\w+)$", page, re.MULTILINE)
    assert sorted(documented) == sorted(public_names())


def test_no_public_name_hides_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    assert not modules & set(cloudsigma.__all__)


def test_every_public_name_can_be_had() -> None:
    assert [name for name in cloudsigma.__all__ if not hasattr(cloudsigma, name)] == []


@pytest.mark.parametrize("name", public_names())
def test_what_is_public_is_described(name: str) -> None:
    thing = getattr(cloudsigma, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        undescribed = [
            attribute
            for attribute, value in vars(thing).items()
            if not attribute.startswith("_")
            and (inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod)))
            and not inspect.getdoc(value)
        ]
        assert undescribed == []


def described(path: Path) -> Iterator[tuple[str, bool]]:
    module = parsed(path)
    yield "module", ast.get_docstring(module) is not None
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) is not None


@pytest.mark.parametrize("path", FILES, ids=MODULES)
def test_modules_and_what_they_offer_have_docstrings(path: Path) -> None:
    assert [name for name, has in described(path) if not has] == []


# --- the map ------------------------------------------------------------------------------------------------


def named_paths() -> list[str]:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return sorted({text for text in re.findall(r"`([\w./*-]+)`", page) if re.search(r"/|\.(?:py|md|toml|yml)$", text)})


@pytest.mark.parametrize("path", named_paths())
def test_the_map_names_what_is_there(path: str) -> None:
    pattern = f"{path}**/*" if path.endswith("/") else path  # a folder without files is not there in a clone
    assert any(any(folder.glob(pattern)) for folder in (PACKAGE, ROOT))


def test_the_map_leaves_no_module_out() -> None:
    named = set(named_paths())
    whole_folders = tuple(name for name in named if name.endswith("/"))
    missing = [
        module
        for module in MODULES
        if not module.endswith("__init__.py") and module not in named and not module.startswith(whole_folders)
    ]
    assert missing == []


def test_modules_can_all_be_imported() -> None:
    for module in pkgutil.walk_packages([str(PACKAGE)], "cloudsigma."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
