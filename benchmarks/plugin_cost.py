"""What the pytest plugin costs a project that has no rules: pytest's time with it and without, as a ratio.

    python benchmarks/plugin_cost.py [--runs N]

Each run is a separate process in a folder with one Python test and some YAML; the two kinds take turns, so that what
else the machine does meets both.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = {
    "test_one.py": "def test():\n    assert True\n",
    "compose.yml": "services: {db: {image: postgres}}\n",
    "ci.yaml": "on: push\njobs: {test: {steps: []}}\n",
}
KINDS = {"without": ["-p", "no:cloudsigma"], "with": []}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=31, help="runs of each kind")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="cloudsigma-plugin-") as name:
        for file, text in FILES.items():
            Path(name, file).write_text(text, encoding="utf-8")
        for options in KINDS.values():
            seconds(options, name)  # files and bytecode get warm
        taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(runs):
            for kind, options in KINDS.items():
                taken[kind].append(seconds(options, name))
    medians = {kind: statistics.median(values) for kind, values in taken.items()}
    for kind, values in taken.items():
        low, _, high = (1000 * value for value in statistics.quantiles(values, n=4))
        print(f"{kind:8} median {1000 * medians[kind]:.1f} ms of CPU, half of the runs {low:.1f} to {high:.1f}")
    pairs = [one / other for one, other in zip(taken["with"], taken["without"], strict=True)]
    ratio = medians["with"] / medians["without"]
    print(f"ratio of medians {ratio:.3f}, median of the ratios {statistics.median(pairs):.3f}")


def seconds(options: list[str], folder: str) -> float:
    """CPU seconds of one run of pytest."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.DEVNULL)  # noqa: S603  # pytest
    if done.returncode:
        sys.exit(f"{command} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
