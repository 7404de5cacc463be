"""Try the hooks of pre-commit and the GitHub Action in a stranger's repository: `python scripts/check_hooks.py`.

Needs git, bash, and pre-commit (`PRE_COMMIT` names the program, default `pre-commit`), which installs this checkout.
The steps of the action are run by bash as GitHub runs them, with the command of this environment; what only GitHub has
(`actions/setup-python`, the install) is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
PRE_COMMIT = os.environ.get("PRE_COMMIT", "pre-commit")
RULE = """title: Group Created
id: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventSource: iam.amazonaws.com
    FIELD: CreateGroup
  condition: selection
"""
CASES = """cases:
  - name: a group
    reason: it is one
    template: {call: 'iam:CreateGroup'}
    match: true
"""


def main() -> int:
    """Check all; gives 1 if something is wrong."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        git(repository, "init", "--quiet")
        rules = repository / "sigma_rules"
        rules.mkdir()
        for field, fine in (("eventName", True), ("eventname", False)):
            (rules / "group.yml").write_text(RULE.replace("FIELD", field))
            (rules / "group.cases.yml").write_text(CASES)
            git(repository, "add", ".")
            hooks = run(repository, PRE_COMMIT, "try-repo", str(ROOT), "--all-files")
            faults += expect("hooks", hooks, fine=fine)
            failed = hooks.stdout.count("Failed\n")
            faults += [] if failed == (0 if fine else 3) else [f"hooks: {failed} of 3 failed", hooks.stdout]
            faults += expect("action", action(repository), fine=fine)
    print("\n".join(faults) or "the hooks and the action hold")
    return 1 if faults else 0


def expect(name: str, done: subprocess.CompletedProcess[str], *, fine: bool) -> list[str]:
    """What is wrong with a run, which must fail and name the finding unless the rule is fine."""
    if (done.returncode == 0) == fine and (fine or "eventname" in done.stdout):
        return []
    kind = "fine" if fine else "wrong"
    return [f"{name}: exit code {done.returncode} for a rule that is {kind}", done.stdout, done.stderr]


def action(repository: Path) -> subprocess.CompletedProcess[str]:
    """The steps of the action but those that only GitHub has."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    inputs = {name: each["default"] for name, each in read["inputs"].items()} | {"sarif": "lint.sarif"}
    done = subprocess.CompletedProcess([], 0, "", "")
    for step in read["runs"]["steps"]:
        if "run" not in step or "pip install" in step["run"]:
            continue
        values = {name: inputs[text.split("inputs.")[1].split()[0]] for name, text in step.get("env", {}).items()}
        done = run(repository, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"], **values)
        if done.returncode:
            return done
    if not (repository / "lint.sarif").is_file():
        return subprocess.CompletedProcess([], 1, "no file of SARIF", "")
    return done


def git(repository: Path, *words: str) -> None:
    """Run git."""
    subprocess.run(["git", *words], cwd=repository, check=True)


def run(repository: Path, *words: str, **values: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository, with this environment's scripts first."""
    env = {**os.environ, **values, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(words, cwd=repository, env=env, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
