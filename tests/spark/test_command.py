"""`python -m cloudsigma.spark`: a folder of rows, the summary of `scan`, its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudsigma

TRAIL = Path(__file__).parent.parent.parent / "examples" / "trail"
SMALL = ("--conf", "spark.master=local[1]", "--conf", "spark.driver.memory=1g", "--conf", "spark.ui.enabled=false",
         "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1",
         "--conf", "spark.log.level=ERROR", "--conf", "spark.sql.shuffle.partitions=1")  # fmt: skip


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudsigma.spark", *map(os.fspath, arguments)], text=True, capture_output=True,
        check=False, timeout=300,
    )  # fmt: skip


def rows_in(folder: Path) -> list[dict[str, Any]]:
    import pyarrow.dataset

    listed: list[dict[str, Any]] = pyarrow.dataset.dataset(folder, partitioning="hive").to_table().to_pylist()
    return listed


def test_the_plain_case(spark: Any, tmp_path: Path) -> None:
    """Matches and correlations in Parquet; the summary is that of `cloudsigma scan`; a loss gives 4, a match 1."""
    out = tmp_path / "out"
    done = run(TRAIL, "--correlations", "--output", out, *SMALL)
    rules = cloudsigma.bundled_rules(correlations=True)
    scan = cloudsigma.scan(TRAIL, rules=rules)
    wanted = sorted(match.key for match in scan)
    assert sorted(row["key"] for row in rows_in(out) if row["kind"] == "match") == wanted
    assert done.returncode == (1 if scan.ledger.complete else 4)
    assert f"{len(wanted)} matches" in done.stderr
    assert f"read {scan.ledger.files} files" in done.stderr
    assert "Traceback" not in done.stderr
    again = run(TRAIL, "--output", out, *SMALL)
    assert again.returncode == 5
    assert "already exists" in again.stderr
    assert "Traceback" not in again.stderr


def test_losses_and_repeats_are_told(spark: Any, tmp_path: Path) -> None:
    record = (
        json.loads((next(TRAIL.rglob("*.json"))).read_text())["Records"][0] if list(TRAIL.rglob("*.json")) else None
    )
    record = {**(record or {}), "eventVersion": "1.08", "eventName": "CreateGroup", "eventSource": "iam.amazonaws.com",
              "eventTime": "2025-03-04T10:15:30Z", "eventID": "x", "eventType": "AwsApiCall"}  # fmt: skip
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text(json.dumps({"Records": [record, record]}))
    (tmp_path / "in" / "b.json").write_text("{")
    done = run(tmp_path / "in", "--output", tmp_path / "out", *SMALL)
    assert done.returncode == 4
    assert "1 match (1 repeated left out)" in done.stderr
    assert "NOT READ, 1 place" in done.stderr
    clean = run(tmp_path / "in" / "a.json", "--output", tmp_path / "out", "--overwrite", "--exit-zero", *SMALL)
    assert clean.returncode == 0


def test_wrong_usage_is_told_before_spark_starts(spark: Any, tmp_path: Path) -> None:
    for arguments, message in (
        ((TRAIL,), "--output"),
        ((TRAIL, "--output", "x", "--conf", "master=local"), "--conf takes NAME=VALUE"),
        ((TRAIL, "--output", "x", "--since", "soon"), "since 'soon'"),
        ((TRAIL, "--output", "x", "--no-bundled"), "leaves no rules"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert message in done.stderr
