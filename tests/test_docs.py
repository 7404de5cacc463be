"""The documentation held against the code: what it names is there, and what is there it names.

Its examples are run by the `conftest.py` in the folder above.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from commands import commands
from msgspec import structs

import cloudsigma
from cloudsigma import errors
from cloudsigma.cli import exit_codes
from cloudsigma.sessions import Link, Step

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CASES: dict[str, dict[str, Any]] = {
    case["id"]: case
    for path in sorted((ROOT / "tests" / "corpus" / "conformance").glob("*.yml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {heading!r}"
    return found[2]


def first_column(text: str) -> list[str]:
    return re.findall(r"^\| `?([^|`]+?)`? \|", text, re.MULTILINE)[2:]  # less the head and the line below it


# --- semantics ----------------------------------------------------------------------------------------------


def cited_cases() -> list[tuple[str, bool]]:
    paragraphs = re.findall(r"^Cases: (.*?)(?:\n\n|\Z)", page("semantics.md"), re.MULTILINE | re.DOTALL)
    return [(case, bool(star)) for text in paragraphs for case, star in re.findall(r"`([\w-]+)`(\*?)", text)]


def test_every_case_that_semantics_names_is_there() -> None:
    assert [case for case, _ in cited_cases() if case not in CASES] == []


def test_semantics_names_every_case_once() -> None:
    wanted = Counter(name for name, case in CASES.items())
    assert Counter(case for case, _ in cited_cases()) == wanted


def test_the_star_stands_where_a_case_is_contested() -> None:
    assert [case for case, star in cited_cases() if CASES[case].get("contested", False) is not star] == []


# --- reference ----------------------------------------------------------------------------------------------


def test_every_category_of_error_is_explained() -> None:
    categories = re.findall(r"^### (.+)$", page("reference/errors.md"), re.MULTILINE)
    assert categories == list(errors.CATEGORIES)


def test_every_exception_is_explained() -> None:
    raised = [name for name in cloudsigma.__all__ if name.endswith(("Error", "Errors"))]
    assert [name for name in raised if f"`{name}`" not in page("reference/errors.md")] == []


def test_every_exit_code_is_explained() -> None:
    codes = sorted(value for name, value in vars(exit_codes).items() if name.isupper())
    assert first_column(page("reference/exit-codes.md")) == [str(code) for code in codes]


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_is_explained(name: str) -> None:
    described = section(page("reference/cli.md"), name) + section(page("reference/cli.md"), "Every command")
    for shared in ("Choosing rules", "Limits"):
        if f"](#{shared.lower().replace(' ', '-')})" in described:
            described += section(page("reference/cli.md"), shared)
    documented = re.findall(r"^\| `(--[\w-]+)", described, re.MULTILINE)
    options = [option for option in commands()[name].params if isinstance(option, click.Option)]
    longest = [max(option.opts, key=len) for option in options]
    assert sorted(documented) == sorted(longest)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_that_is_described_is_there(shell: str) -> None:
    assert f"_CLOUDSIGMA_COMPLETE={shell}_source cloudsigma" in page("how-to/completion.md")
    script = subprocess.run(
        [sys.executable, "-m", "cloudsigma"],
        env=os.environ | {"_CLOUDSIGMA_COMPLETE": f"{shell}_source"},
        text=True,
        capture_output=True,
        check=True,
    )
    assert f"_CLOUDSIGMA_COMPLETE={shell}_complete" in script.stdout


def flattened(value: Any, prefix: str = "") -> set[str]:
    """The keys of a match's JSON, as the page writes them."""
    keys: set[str] = set()
    for key, inner in value.items():
        name = f"{prefix}{key}"
        keys.add(name)
        if isinstance(inner, dict) and name not in {"record", "group", "context.fields"}:
            keys |= flattened(inner, f"{name}.")
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict) and name != "context.resources":
            keys |= flattened(inner[0], f"{name}[].")
    return keys


def test_every_key_of_a_match_is_explained() -> None:
    record = {
        "eventVersion": "1.08",
        "eventTime": "2025-03-04T10:15:30Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateGroup",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice"},
        "requestParameters": {"groupName": "blue"},
    }
    rules = cloudsigma.bundled_rules()
    [match] = rules.match(record, origin=cloudsigma.Origin("trail.json", 0, "record"))
    step = Step("AssumeRole", "e", match.context.time, "arn:aws:iam::111122223333:user/bob", "s", "203.0.113.7")
    link = Link("arn:aws:iam::111122223333:user/bob", (step,), "certain", "by AssumeRole", "key")
    decision = cloudsigma.Decision("partly", ("CHG1",), (cloudsigma.NearMiss("CHG2", "time", "1 s after CHG2 ended"),))
    form = json.loads(structs.replace(match, session=link, approval=decision).to_json())
    documented = first_column(page("reference/match-json.md"))
    assert sorted(documented) == sorted(flattened(form) | {"group", "matches"})


# --- README -------------------------------------------------------------------------------------------------


README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def test_the_first_shell_block_of_readme_holds_two_commands() -> None:
    block = re.search(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert block
    scan, tests = block[1].splitlines()
    assert scan.endswith(" .venv/bin/cloudsigma scan --exit-zero examples/trail")
    assert tests.endswith(" .venv/bin/python -m pytest -n auto --dist loadfile")


def test_readme_lists_the_bundled_rules() -> None:
    listed = re.findall(r"^\| \[?([^|\]]+)\]?[^|]*\| `([a-z]+)` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted((rule.title, rule.level) for rule in cloudsigma.bundled_rules())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nobody_is_told_to_install_a_stranger(path: Path) -> None:
    """The name `cloudsigma` on the package index is another project; ours is `cloudsigma-rules`."""
    assert not re.search(r"pip install[^\n`&|;]*\bcloudsigma\b(?!-rules)", path.read_text(encoding="utf-8"))
