"""The examples of docs/how-to/spark.md, run in its order."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
import cloudsigma.spark as on_spark

ROOT = Path(__file__).parent.parent.parent


def test_the_examples_of_the_page_run(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gives the matches of `scan`."""
    shutil.copytree(ROOT / "examples" / "trail", tmp_path / "examples" / "trail")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "how-to" / "spark.md").read_text(encoding="utf-8").replace('"examples/trail"', "trail")
    names: dict[str, Any] = {"spark": spark, "trail": str(tmp_path / "examples" / "trail")}
    for folder in ("rows", "handed", "for-correlations", "checkpoint", "found"):
        text = text.replace(f'"{folder}"', f'"{tmp_path / folder}"')  # Spark's JVM has a working folder of its own
    blocks = re.findall(r"^```py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        exec(compile(block, "spark.md", "exec"), names)  # noqa: S102  # the page of this checkout
    wanted = sorted(match.key for match in cloudsigma.scan(tmp_path / "examples" / "trail"))
    assert len(wanted) == 4
    for folder in ("rows", "handed", "for-correlations", "found"):
        rows = on_spark.matches(spark.read.parquet(str(tmp_path / folder)))
        assert sorted(row["key"] for row in rows.collect() if row["rule_title"] in _titles()) == wanted, folder
    assert on_spark.matches(names["found"]).count() == 1
    assert names["lost"].count() == 0
    assert names["correlated"].filter("kind = 'match'").count() == 1


def _titles() -> set[str]:
    return {rule.title for rule in cloudsigma.bundled_rules()}
