"""Builds the wheel and tries it where nobody develops: alone in a fresh environment, away from the checkout.

What must hold: the wheel carries every bundled rule, `import cloudsigma` needs neither pySigma nor YAML, the four
detections are found by the library and by the command, pySigma finds its target, and the licences are there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

RECORD = {
    "eventVersion": "1.08",
    "eventTime": "2025-03-04T10:15:30Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateGroup",
    "awsRegion": "us-east-1",
    "eventID": "11111111-2222-3333-4444-555555555555",
    "recipientAccountId": "111122223333",
    "userIdentity": {
        "type": "IAMUser",
        "arn": "arn:aws:iam::111122223333:user/alice",
        "accountId": "111122223333",
        "userName": "alice",
    },
    "requestParameters": {"groupName": "blue"},
    "responseElements": {"group": {"arn": "arn:aws:iam::111122223333:group/blue", "groupName": "blue"}},
}

PLUGIN = "sigma/backends/cloudsigma/"
"""Where pySigma looks for a target. An `__init__.py` above it would hide pySigma itself."""

TRIAL = """
import json, sys
import cloudsigma
loaded = {"sigma", "yaml"} & set(sys.modules)
assert not loaded, f"import cloudsigma has loaded {sorted(loaded)}"
assert "site-packages" in cloudsigma.__file__, cloudsigma.__file__
assert len(cloudsigma.bundled_rules()) == 4, list(cloudsigma.bundled_rules())
more = cloudsigma.bundled_rules(correlations=True)
assert sum(rule.correlation is not None for rule in more) == 2, list(more)
[match] = cloudsigma.evaluate([json.loads(sys.argv[1])])
assert str(match.context.principal) == "arn:aws:iam::111122223333:user/alice", match.context
assert str(match.context.resource) == "arn:aws:iam::111122223333:group/blue", match.context
from sigma.plugins import InstalledSigmaPlugins
targets = InstalledSigmaPlugins.autodiscover(include_pipelines=False, include_validators=False).backends
assert "cloudsigma" in targets, targets
print(f"cloudsigma {cloudsigma.__version__}: {match.rule.title}, by {match.context.principal}")
"""


def main() -> None:
    """Build, install, try."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="leave the wheel and its environment `venv` in FOLDER"
    )
    kept = parser.parse_args().keep
    with contextlib.ExitStack() as stack:
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloudsigma-wheel-")))
        folder.mkdir(exist_ok=True)
        run([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)], ROOT, quiet=True)
        [wheel] = folder.glob("*.whl")
        check_contents(wheel)
        venv.create(folder / "venv", with_pip=True)
        scripts = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        run([str(scripts / "python"), "-m", "pip", "install", "--quiet", str(wheel)], folder)
        run([str(scripts / "python"), "-I", "-c", TRIAL, json.dumps(RECORD)], folder)
        (folder / "record.json").write_text(json.dumps(RECORD), encoding="utf-8")
        run([str(scripts / "cloudsigma"), "--version"], folder)
        run([str(scripts / "cloudsigma"), "scan", "--format", "ids", "record.json"], folder, status=1)
    print("the wheel is whole")


def run(command: list[str], folder: Path, *, status: int = 0, quiet: bool = False) -> None:
    """Run a command in a folder; its exit code must be `status`."""
    done = subprocess.run(command, cwd=folder, check=False, text=True, capture_output=quiet)
    if done.returncode != status:
        sys.exit(f"{command}: exit code {done.returncode}, not {status}\n{done.stdout or ''}{done.stderr or ''}")


def check_contents(wheel: Path) -> None:
    """The rules of the checkout, `py.typed` and the licences are in the wheel, and nothing outside the package."""
    names = set(zipfile.ZipFile(wheel).namelist())
    rules = [path for name in ("sigma_rules", "sigma_correlations") for path in (ROOT / name).rglob("*.yml")]
    rules += (ROOT / "src" / "cloudsigma" / "pipelines").glob("*.yml")
    wanted = {f"cloudsigma/{path.relative_to(ROOT).as_posix()}".replace("/src/cloudsigma", "") for path in rules}
    wanted |= {"cloudsigma/py.typed", "cloudsigma/sigma_rules/LICENSE", f"{PLUGIN}__init__.py"}
    if missing := wanted - names:
        sys.exit(f"{wheel.name} lacks {sorted(missing)}")
    if stray := {name for name in names if not name.startswith(("cloudsigma/", "cloudsigma_rules-", PLUGIN))}:
        sys.exit(f"{wheel.name} has {sorted(stray)}, which would land beside the package")
    licences = {name.split("licenses/")[1] for name in names if "dist-info/licenses/" in name}
    if licences != {"LICENSE", "sigma_rules/LICENSE", "sigma_correlations/LICENSE"}:
        sys.exit(f"{wheel.name} has the licence files {sorted(licences)}")


if __name__ == "__main__":
    main()
