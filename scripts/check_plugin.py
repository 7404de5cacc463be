"""Tries the pytest plugin as a stranger does: the built wheel in a fresh environment, used by another project.

    python scripts/check_plugin.py [--wheel FILE] [--environment FOLDER]

Three rules with their cases are collected, chosen with `-k` and `-m`, run by two workers, written as JUnit XML, broken
on purpose, run again with `--lf`, corrected; `cloudsigma test` says the same. Without `--wheel` one is built, and
without `--environment` a new one is made and removed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parent.parent

CONFIGURATION = "[pytest]\naddopts = --strict-markers --strict-config\n"

RULE = """\
title: {title}
id: 3d2f6a60-7c1e-4b57-9c0e-5f4d8a7b6c{number}0
name: {name}
status: test
level: {level}
tags: [attack.persistence, {tag}]
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    eventSource: iam.amazonaws.com
    eventName: {event}
  filter_failed:
    errorCode|exists: true
  condition: selection and not filter_failed
"""
CASES = """\
template: {{call: 'iam:{event}'}}
cases:
  - name: it was done
    reason: this is what the rule is for.
    match: true
    context: {{outcome: success}}
  - name: it was denied
    reason: nothing has changed.
    match: false
    template: {{outcome: denied}}
  - name: something else was done
    reason: another rule is for that.
    match: false
    set: {{eventName: GetUser}}
"""
RULES = {
    "user_created": {"title": "User Created", "event": "CreateUser", "level": "low", "tag": "attack.t1136.003"},
    "access_key_created": {
        "title": "Access Key Created", "event": "CreateAccessKey", "level": "medium", "tag": "attack.t1098.001",
    },
    "group_member_added": {
        "title": "Group Member Added", "event": "AddUserToGroup", "level": "high", "tag": "attack.t1098",
    },
}  # fmt: skip
BROKEN = ("group_member_added.yml", "    errorCode|exists: true\n", "    errorCode|exists: false\n")
"""The file of a rule, a line of it, and what somebody makes of it by mistake."""


def main() -> None:
    """Build, install, try."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--environment", type=Path, help="made if it is not there, and kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloudsigma-stranger-") as name:
        folder = Path(name)
        scripts = environment(options.wheel or build(folder), options.environment or folder / "venv")
        project = folder / "project"
        write(project)
        check(Trial(scripts, project))
    print("the plugin works where nobody develops")


def build(folder: Path) -> Path:
    """Build the wheel."""
    run([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)], ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


def environment(wheel: Path, folder: Path) -> Path:
    """Install the wheel and what the trial needs; the folder of the programs."""
    if not folder.exists():
        venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(scripts / "python")
    run([python, "-m", "pip", "install", "--quiet", f"cloudsigma-rules[pytest] @ {wheel.resolve().as_uri()}"], folder)
    run([python, "-m", "pip", "install", "--quiet", "pytest-xdist"], folder)
    return scripts


def write(project: Path) -> None:
    """Write the project: three rules and their cases."""
    rules = project / "rules"
    rules.mkdir(parents=True)
    (project / "pytest.ini").write_text(CONFIGURATION, encoding="utf-8")
    for number, (name, parts) in enumerate(RULES.items()):
        (rules / f"{name}.yml").write_text(RULE.format(name=name, number=number, **parts), encoding="utf-8")
        (rules / f"{name}.cases.yml").write_text(CASES.format(**parts), encoding="utf-8")


class Trial:
    """Run pytest in the project; stop if the result differs from the expected one."""

    def __init__(self, scripts: Path, project: Path) -> None:
        self.scripts = scripts
        self.project = project

    def pytest(self, *arguments: str, status: int = 0, **counts: int) -> str:
        """Run pytest; its last line must have these counts and no others."""
        command = [str(self.scripts / "python"), "-m", "pytest", "--color=no", *arguments]
        output = run(command, self.project, status=status)
        found = re.findall(r"(\d+) (passed|failed|deselected|error)", output.splitlines()[-1])
        if {kind: int(number) for number, kind in found} != counts:
            sys.exit(f"pytest {' '.join(arguments)}: not {counts}\n{output}")
        return output

    def command(self, *arguments: str, status: int) -> str:
        """Run `cloudsigma test`."""
        return run([str(self.scripts / "cloudsigma"), "test", *arguments], self.project, status=status)


def check(trial: Trial) -> None:
    """The steps in order."""
    listed = trial.pytest("--co", "-q")
    if "rules/user_created.cases.yml::it was denied" not in listed.splitlines():
        sys.exit(f"node IDs are not readable:\n{listed}")
    trial.pytest("-v", passed=12)
    trial.pytest("-n", "2", passed=12)
    trial.pytest("-k", "denied", passed=3, deselected=9)
    trial.pytest("-m", "level_high or attack_t1136", passed=8, deselected=4)
    trial.pytest("-m", "rule_access_key_created and status_test and service_cloudtrail", passed=4, deselected=8)
    trial.command("rules", status=0)

    file, line, mistake = BROKEN
    path = trial.project / "rules" / file
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace(line, mistake), encoding="utf-8")
    output = trial.pytest("--junitxml=out.xml", status=1, passed=10, failed=2)
    print(output[output.index("= FAILURES") :])
    failures = ET.parse(trial.project / "out.xml").getroot().findall(".//failure")  # noqa: S314  # our own
    if [failure.get("message") for failure in failures] != [
        "expected a match, but there is none", "expected no match, but there is one",
    ]:  # fmt: skip
        sys.exit(f"JUnit XML has {[failure.attrib for failure in failures]}")
    trial.pytest("-x", status=1, passed=4, failed=1)
    trial.pytest("-n", "2", status=1, passed=10, failed=2)
    trial.command("rules", "--junit", "out.xml", status=1)
    path.write_text(good, encoding="utf-8")
    trial.pytest("--lf", passed=2)
    trial.pytest(passed=12)


def run(command: list[str], folder: Path, *, status: int = 0) -> str:
    """Run a command in a folder and give what it prints; its exit code must be `status`."""
    done = subprocess.run(command, cwd=folder, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != status:
        sys.exit(f"{command}: exit code {done.returncode}, not {status}\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
