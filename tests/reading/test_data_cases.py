"""The cases of data in `tests/corpus/cases`: files as users have them, through the command, and what it must say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import run

CASES = Path(__file__).parent.parent / "corpus" / "cases"
KNOWN_FAILURES: dict[str, str] = json.loads((CASES / "known_failures.json").read_text(encoding="utf-8"))
"""Case → why it fails; empty once all pass."""


def expectations() -> dict[str, dict[str, Any]]:
    """Case → what is expected of it; a case is named by its path below the folder of cases."""
    found = {
        f"bugs-data/{file.parent.name}": json.loads(file.read_text(encoding="utf-8"))
        for file in sorted((CASES / "bugs-data").glob("*/expect.json"))
    }
    for folder in ("forms", "hostile"):
        for name, expected in json.loads((CASES / folder / "expect.json").read_text(encoding="utf-8")).items():
            found[f"{folder}/{name}"] = expected
    return found


EXPECTED = expectations()


def observed(case: str, expected: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Counts, exit code and matches of a case."""
    place = CASES / case
    if (place / "case.py").is_file():
        done = subprocess.run([sys.executable, place / "case.py"], capture_output=True, text=True, check=False)
        printed: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {"matches": []}
        return {**printed, "raised": done.stderr}
    rules = place / "rules.yml" if place.is_dir() else place.with_name(expected.get("rules", "none"))
    chosen = ["--no-bundled", "--rules", rules] if rules.is_file() else []
    ledger = folder / "ledger.json"
    paths = place / "in" if place.is_dir() else place
    done = run("scan", "--format", "jsonl", "--no-record", "--ledger", ledger, *chosen, paths)
    account = json.loads(ledger.read_text(encoding="utf-8"))["ledger"]
    return {
        "records": account["records"],
        "losses": len(account["losses"]),
        "recognized": sum(account["recognized"].values()),
        "exit": done.returncode,
        "matches": [json.loads(line) for line in done.stdout.splitlines()],
        "told": done.stderr,
    }


def differences(expected: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """Where an observation is not as expected, in words."""
    found = [
        f"{name}: expected {expected[name]}, got {got.get(name)}"
        for name in ("records", "losses", "recognized", "exit")
        if name in expected and got.get(name) != expected[name]
    ]
    if got.get("raised"):
        found.append(got["raised"])
    titles = sorted(match["rule"]["title"] for match in got["matches"])
    wanted = sorted(match["rule"] for match in expected.get("matches", ()))
    if "matches" in expected and titles != wanted:
        found.append(f"matches: expected {wanted}, got {titles}")
    for match in expected.get("matches", ()):
        context = match.get("context", {})
        alike = [one["context"] for one in got["matches"] if one["rule"]["title"] == match["rule"]]
        if not any(all(member(one, name) == value for name, value in context.items()) for one in alike):
            shown = [{name: member(one, name) for name in context} for one in alike]
            found.append(f"{match['rule']}: expected {context}, got {shown}")
    return found


def member(value: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


@pytest.mark.parametrize("case", EXPECTED)
def test_case(case: str, tmp_path: Path) -> None:
    expected = EXPECTED[case]
    got = observed(case, expected, tmp_path)
    found = [differences(alternative, got) for alternative in expected.get("accept", [expected])]
    wrong = "; or ".join("; ".join(each) for each in found) if all(found) else ""
    if case in KNOWN_FAILURES:
        assert wrong, f"{case} passes: remove it from known_failures.json"
        pytest.skip(f"known to fail ({KNOWN_FAILURES[case]}): {wrong}")
    assert not wrong, f"{expected['why']}\n{wrong}\n{got.get('told', '')}"


def test_every_listed_failure_is_a_case() -> None:
    assert set(KNOWN_FAILURES) <= set(EXPECTED)
