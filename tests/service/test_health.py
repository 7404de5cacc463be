"""The health of a running scan over HTTP: check A9, and a server that never makes the scan wait."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from group_calls import create_group as record

from cloudsigma.cli import main
from cloudsigma.errors import CloudSigmaError, UsageError
from cloudsigma.reading.account.ledger import CorrelationLosses
from cloudsigma.reading.sources.sqs.options import MessageCounts
from cloudsigma.scanning.monitor import ALIVE, LOST, Histogram, Monitor, Surroundings

parser = pytest.importorskip(
    "prometheus_client.parser", reason="prometheus_client is not installed: NO METRIC IS TESTED"
)  # fmt: skip
from cloudsigma.service.health import Address, HealthServer, parse_address  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
AROUND = Surroundings(
    rules=4, rules_digest="abc", reloads={"success": 1, "failure": 2}, last_reload=5.0,
    messages=MessageCounts(received=9, waiting=3, in_flight=1), is_ready=True, repeated_files=2, paused_buckets=1,
    correlation_entries=7, correlation_losses=CorrelationLosses(1, 2, 3), watermark=6.0, checkpoint_bytes=4096,
)  # fmt: skip


def get(address: Address, path: str, method: str = "GET", accept: str = "*/*") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=10)
    try:
        connection.request(method, path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
    finally:
        connection.close()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = list(parser.text_string_to_metric_families(text))
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for one in families for each in one.samples}


@pytest.fixture
def serve() -> Iterator[Callable[..., HealthServer]]:
    servers: list[HealthServer] = []

    def start(monitor: Monitor, **options: bool) -> HealthServer:
        servers.append(HealthServer(Address("127.0.0.1", 0), monitor, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def documented() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(\w+)` \| (?:counter|gauge|histogram) \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def test_a9_every_metric_and_label_is_in_the_documentation_and_the_other_way_round(
    serve: Callable[..., HealthServer],
) -> None:
    import cloudsigma

    monitor = Monitor()
    (match,) = cloudsigma.bundled_rules().match(record("one"))
    monitor.note_match(match)
    monitor.note_written()
    monitor.publish(AROUND)
    found: dict[str, set[str]] = {}
    _, _, text = get(serve(monitor, by_rule=True).address, "/metrics")
    for name, labels in samples(text):
        found.setdefault(re.sub(r"_(bucket|sum|count)$", "", name), set()).update(label for label, _ in labels)
    expected = documented()
    if sys.platform != "linux":
        expected = {name: labels for name, labels in expected.items() if not name.startswith("process_")}
    assert found == expected
    reasons = PAGE.read_text().split("## Reasons of losses")[1]
    assert tuple(re.findall(r"^\| `(\w+)` \| [a-z]", reasons, re.MULTILINE)) == LOST


def test_metrics_in_both_formats(serve: Callable[..., HealthServer]) -> None:
    monitor = Monitor()
    monitor.publish(AROUND)
    address = serve(monitor).address
    status, kind, text = get(address, "/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    found = samples(text)
    assert found["cloudsigma_reloads_total", (("result", "failure"),)] == 2
    assert found["cloudsigma_queue_messages", ()] == 3
    assert found["cloudsigma_delivery_delay_seconds_count", ()] == 0
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    _, kind, text = get(address, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert {"cloudsigma_messages_received", "cloudsigma_rules"} <= {
        each.name for each in text_string_to_metric_families(text)
    }
    assert get(address, "/metrics", "HEAD")[::2] == (200, "")
    assert get(address, "/other")[0] == 404
    assert get(address, "/metrics", "POST")[0] == 501


def test_a_loop_that_stands_still_is_not_healthy(serve: Callable[..., HealthServer]) -> None:
    now = 0.0
    monitor = Monitor(clock=lambda: now)
    address = serve(monitor).address
    assert get(address, "/healthz")[0] == 200
    assert get(address, "/readyz")[0] == 503
    monitor.publish(AROUND)
    assert get(address, "/readyz")[0] == 200
    now = ALIVE + 1
    assert get(address, "/healthz")[0] == 503
    monitor.beat(waits=3600)
    now += 3600
    assert get(address, "/healthz")[0] == 200


def test_connections_are_bounded(serve: Callable[..., HealthServer]) -> None:
    """Silent clients take all threads: further ones are closed at once, and the scan's thread notices nothing."""
    address = serve(Monitor()).address
    silent = [socket.create_connection((address.host, address.port)) for _ in range(8)]
    try:
        time.sleep(0.5)
        with pytest.raises((OSError, http.client.HTTPException)):
            get(address, "/healthz")
        assert sum(thread.name.startswith("Thread") for thread in threading.enumerate()) < 20
    finally:
        for each in silent:
            each.close()
    time.sleep(0.3)
    assert get(address, "/healthz")[0] == 200


def test_histograms_count_up_to_each_bound() -> None:
    histogram = Histogram((1.0, 5.0))
    for value in (0.5, 1.0, 3.0, 9.0):
        histogram.observe(value)
    assert histogram.counts.counts == (2, 3, 4)
    assert histogram.counts.total == 13.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [("9464", "127.0.0.1:9464"), (":9464", "127.0.0.1:9464"), ("[::1]:1", "[::1]:1"), ("0.0.0.0:80", "0.0.0.0:80")],
)
def test_addresses(text: str, expected: str) -> None:
    assert str(parse_address(text)) == expected
    assert parse_address(text).is_loopback == ("0.0.0.0" not in text)  # noqa: S104  # an address that is not loopback


@pytest.mark.parametrize("text", ["", "host", "host:", "host:99999", "host:x"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_an_address_in_use(serve: Callable[..., HealthServer]) -> None:
    address = serve(Monitor()).address
    with pytest.raises(CloudSigmaError, match="cannot be listened on"):
        HealthServer(address, Monitor())


@pytest.mark.parametrize("arguments", [["--listen", "9464"], ["--follow", "--metrics-by-rule"]])
def test_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    assert main(["scan", str(tmp_path), *arguments]) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_a_scan_that_follows_tells_its_numbers(tmp_path: Path) -> None:
    trail = tmp_path / "trail"
    trail.mkdir()
    (trail / "a.json").write_text(json.dumps({"Records": [record("a0"), record("a1", eventName="ListGroups")]}))
    (trail / "b.json").write_text("{")
    for path in trail.iterdir():
        os.utime(path, (0, 0))
    command = [
        sys.executable, "-m", "cloudsigma", "scan", str(trail), "--follow", "--interval", "0.2", "--listen", "0",
        "--output", str(tmp_path / "matches.jsonl"), "--checkpoint", str(tmp_path / "state"),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            port = int(re.findall(r"http://127.0.0.1:(\d+)/metrics", process.stderr.readline())[0])
            address = Address("127.0.0.1", port)
            until = time.monotonic() + 20
            while get(address, "/readyz")[0] != 200:
                assert time.monotonic() < until
                time.sleep(0.1)
            found = samples(get(address, "/metrics")[2])
        finally:
            process.terminate()
            process.stderr.read()
    expected = {
        ("cloudsigma_files_read_total", ()): 1, ("cloudsigma_records_total", ()): 2,
        ("cloudsigma_matches_total", (("level", "medium"),)): 1, ("cloudsigma_rules", ()): 4,
        ("cloudsigma_files_lost_total", (("reason", "damaged"),)): 1,
        ("cloudsigma_delivery_delay_seconds_count", ()): 1,
    }  # fmt: skip
    assert {name: found.get(name) for name in expected} == expected
    assert found["cloudsigma_checkpoint_bytes", ()] > 0
    assert process.returncode == 143
