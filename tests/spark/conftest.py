"""Spark for these tests: heavy, so they run only where CLOUDSIGMA_SPARK asks for it, as `.ci/run` does.

    CLOUDSIGMA_SPARK=cluster python -m pytest tests/spark    # a master and two workers on loopback
    CLOUDSIGMA_SPARK=local python -m pytest tests/spark      # one process: quicker, for work on the code

They need PySpark (the extra `spark`) and Java.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

MODE = os.environ.get("CLOUDSIGMA_SPARK", "")


def why_not() -> str | None:
    """Why Spark cannot be used here."""
    if MODE not in {"cluster", "local"}:
        return "Spark is tested where CLOUDSIGMA_SPARK is `cluster` or `local`"
    if find_spec("pyspark") is None:
        return "PySpark is not installed: pip install -e '.[spark]'"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "there is no Java, which Spark needs (Debian: openjdk-17-jre-headless)"
    return None


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server of S3 on loopback, which executors reach, too; its buckets are made by the tests."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, s3_server: str) -> Iterator[Any]:
    """A session; all tests of the run share it."""
    from spark_cluster import cluster, session

    variables = {
        "AWS_ENDPOINT_URL_S3": s3_server, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
    }  # fmt: skip
    before = dict(os.environ)
    os.environ.update(variables)
    scratch = tmp_path_factory.mktemp("spark")
    if MODE == "local":
        made = session("local[2]", scratch)
        yield made
        made.stop()
    else:
        with cluster(scratch / "cluster", variables) as one:
            made = session(one.master, scratch)
            yield made
            made.stop()
    os.environ.clear()
    os.environ.update(before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly why nothing was tested."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "tests/spark/" in report.nodeid]
    if skipped and (reason := why_not()) is not None:
        terminalreporter.section("Spark is not checked", yellow=True)
        terminalreporter.line(f"{reason}: {len(skipped)} checks not run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that all machines of the cluster share: they are this one."""
    return tmp_path
