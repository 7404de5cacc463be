"""`python -m cloudsigma`."""

from __future__ import annotations

from cloudsigma.cli import run

run()
