"""Compiles the bundled rules into the files that ship with the package; run it after a change of a rule."""

from __future__ import annotations

from pathlib import Path

from cloudsigma.compiler import compile_rules
from cloudsigma.rulesets.bundled import bundled_file, with_paths
from cloudsigma.rulesets.resources import packaged_correlations, packaged_rules


def main() -> None:
    """Compile both sets: the four detections, and the detections with the correlations."""
    root = packaged_rules().parent
    for correlations in (False, True):
        rules = compile_rules(*([packaged_correlations()] if correlations else []), bundled=True)
        relative = with_paths(rules, lambda path: Path(path).relative_to(root).as_posix())
        relative.save(bundled_file(correlations=correlations))


if __name__ == "__main__":
    main()
