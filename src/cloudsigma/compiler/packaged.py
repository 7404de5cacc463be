"""Where the bundled rule files are: inside the installed package, or in the repository of an editable install."""

from __future__ import annotations

from pathlib import Path

from cloudsigma.errors import CloudSigmaError


def packaged_rules() -> Path:
    """The folder of the bundled rules; raises `CloudSigmaError` where the installation lacks it."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "sigma_rules", package.parents[1] / "sigma_rules"):
        if folder.is_dir():
            return folder
    raise CloudSigmaError(f"the bundled rules are missing beside {package}. Install the package again.")
