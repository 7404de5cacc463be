"""A standalone Spark cluster on loopback, a master and two workers of one core, and sessions for it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudsigma.spark import SETTINGS

_CLASS = "org.apache.spark.deploy"


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Cluster:
    """The processes of a cluster; `master` is its URL."""

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        """`variables` are set for the executors, too."""
        import pyspark

        self.folder = folder
        self._home = Path(pyspark.__file__).parent
        self._environment = {
            **os.environ, **(variables or {}), "SPARK_HOME": str(self._home), "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_WORKER_DIR": str(folder / "work"), "SPARK_DAEMON_MEMORY": "256m", "PYSPARK_PYTHON": sys.executable,
        }  # fmt: skip
        port, page = free_port(), free_port()
        self.master = f"spark://127.0.0.1:{port}"
        arguments = ("--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page))
        self._processes = [self._start("master", f"{_CLASS}.master.Master", *arguments)]
        self._wait_for("master", "I have been elected leader")
        for number in (1, 2):
            name = f"worker-{number}"
            worker = ("--host", "127.0.0.1", "--cores", "1", "--memory", "1500m", "--webui-port", "0", self.master)
            self._processes.append(self._start(name, f"{_CLASS}.worker.Worker", *worker))
        for number in (1, 2):
            self._wait_for(f"worker-{number}", "Successfully registered with master")

    def _start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [str(self._home / "bin" / "spark-class"), *command], stdout=log, stderr=subprocess.STDOUT,
                env=self._environment, start_new_session=True,
            )  # fmt: skip

    def _wait_for(self, name: str, text: str) -> None:
        file = self.folder / f"{name}.log"
        until = time.monotonic() + 60
        while text not in file.read_text(errors="replace"):
            if time.monotonic() > until:
                raise TimeoutError(f"{name} does not start: {file.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def executors(self) -> list[int]:
        """The processes of the executors that this cluster's workers have started."""
        workers = {process.pid for process in self._processes[1:]}
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                command = (folder / "cmdline").read_bytes()
                parent = int(re.sub(r".*\) ", "", (folder / "stat").read_text(), count=1).split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if parent in workers and b"CoarseGrainedExecutorBackend" in command:
                found.append(int(folder.name))
        return found

    def stop(self) -> None:
        """End the processes of the cluster."""
        for process in reversed(self._processes):
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def cluster(folder: Path, variables: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """A cluster, ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    one = Cluster(folder, variables)
    try:
        yield one
    finally:
        one.stop()


def session(master: str, scratch: Path, **settings: str) -> Any:
    """A small session; further settings have `_` for `.` in their names, behind `spark_`."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("cloudsigma-tests")
    chosen = {
        **SETTINGS,
        "spark.driver.memory": "1g",
        "spark.executor.memory": "700m",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.local.dir": str(scratch / "local"),
        **{name.replace("_", "."): value for name, value in settings.items()},
    }
    for name, value in chosen.items():
        builder = builder.config(name, value)
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else it is the first `python3` of the path
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made
