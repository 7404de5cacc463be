"""Locates the bundled rules: inside the installed package, or in the repository of an editable install."""

from __future__ import annotations

from pathlib import Path

from cloudsigma.errors import CloudSigmaError


def packaged_rules() -> Path:
    """The folder of the bundled detections; raises `CloudSigmaError` if the installation lacks it."""
    return _packaged("sigma_rules")


def packaged_correlations() -> Path:
    """The folder of the bundled correlations and the rules that they refer to; raises as `packaged_rules` does."""
    return _packaged("sigma_correlations")


def _packaged(name: str) -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package / name, package.parents[1] / name):
        if folder.is_dir():
            return folder
    raise CloudSigmaError(f"the bundled rules are missing beside {package}. Install the package again.")
