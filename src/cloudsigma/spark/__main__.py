"""`python -m cloudsigma.spark`, and the main file for `spark-submit`."""

from __future__ import annotations

from cloudsigma.cli import run
from cloudsigma.spark.command import command

run(command, "python -m cloudsigma.spark")
