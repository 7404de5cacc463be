"""A soak of the scan of a queue: bursts, duplicates, poison, SIGKILLs and reloads; then the delay of single files.

    python benchmarks/soak.py --files 50000 --kills 20
    python benchmarks/soak.py --files 5000 --at-once
    python benchmarks/soak.py --delay 500

It fails if the matches are not those of one plain scan, each once, or if anything but poison is dead. S3 and SQS are
those of `aws_stub.py`, in this process.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aws_stub import Queue, Server

KEY = "AWSLogs/111122223333/CloudTrail/us-east-1/2025/03/01/111122223333_CloudTrail_us-east-1_20250301T1000Z_{}.json.gz"
RULE = """title: {name}
logsource: {{product: aws, service: cloudtrail}}
detection: {{selection: {{eventName: {name}}}, condition: selection}}
"""
RECORDS = 5
"""Records of each file; one of them matches."""


def log_file(number: int) -> bytes:
    """A log file, the same for the same number."""
    records = [
        {
            "eventVersion": "1.11", "eventTime": f"2025-03-01T{10 + number % 10}:{number % 60:02}:{n:02}Z",
            "eventID": f"{number}-{n}", "eventSource": "iam.amazonaws.com", "awsRegion": "us-east-1",
            "eventName": "CreateGroup" if n == 0 else "GetUser", "recipientAccountId": "111122223333",
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{number % 97}"},
            "requestParameters": {"groupName": f"group-{number}"},
        }
        for n in range(RECORDS)
    ]  # fmt: skip
    return gzip.compress(json.dumps({"Records": records}).encode(), 1, mtime=0)


def notification(number: int) -> str:
    """What S3 sends for a file."""
    name = KEY.format(f"{number:06}").rsplit("/", 1)[-1]
    key = KEY.rsplit("/", 1)[0] + "/" + name
    inner = {"bucket": {"name": "trail"}, "object": {"key": key, "size": 600}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": inner}]})


def file_name(number: int) -> str:
    """The name of a file in the folder: the last part of its key."""
    return KEY.format(f"{number:06}").rsplit("/", 1)[-1]


class Service:
    """The scan under test, started again after each kill."""

    def __init__(self, folder: Path, url: str) -> None:
        self.output, self.state, self.rules = folder / "matches.jsonl", folder / "state", folder / "rules"
        self.rules.mkdir()
        (self.rules / "groups.yml").write_text(RULE.format(name="CreateGroup"))
        self.command = [
            sys.executable, "-m", "cloudsigma", "scan", "sqs://soak", "--follow", "--interval", "1", "--no-bundled",
            "--rules", str(self.rules), "--checkpoint", str(self.state), "--output", str(self.output), "--no-record",
        ]  # fmt: skip
        names = {"ENDPOINT_URL": url, "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}
        self.env = {**os.environ, **{f"AWS_{name}": value for name, value in names.items()}}
        self.told = (folder / "told").open("w")
        self.told_path = folder / "told"
        self.process = self.start()

    def start(self) -> subprocess.Popen[Any]:
        """Start it."""
        self.process = subprocess.Popen(self.command, env=self.env, stderr=self.told)  # noqa: S603  # our own command
        return self.process

    def kill(self) -> None:
        """SIGKILL it, and start it again."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.start()

    @property
    def memory(self) -> float:
        """Resident MB."""
        try:
            text = Path(f"/proc/{self.process.pid}/statm").read_text()
        except OSError:
            return 0.0
        return int(text.split()[1]) * 4096 / 1e6

    @property
    def cpu(self) -> float:
        """Seconds of CPU time since it was started."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def matches(self) -> Counter[str]:
        """The keys of the matches in the output."""
        with self.output.open() as lines:
            return Counter(json.loads(line)["key"] for line in lines)

    def stop(self) -> None:
        """SIGTERM it."""
        self.process.terminate()
        self.process.wait(30)
        self.told.close()


def soak(folder: Path, files: int, kills: int, reloads: int, seconds: float) -> None:
    """Run the soak; raises `AssertionError` if anything is lost, doubled or dead that should not be."""
    draw = random.Random(19)  # noqa: S311  # repeatable
    trail = folder / "trail"
    trail.mkdir()
    for number in range(files):
        (trail / file_name(number)).write_bytes(log_file(number))
    queue = Queue(visibility=5, receives=kills + 3)
    server = Server(trail, queue)
    bodies = [notification(number) for number in range(files)]
    bodies += draw.sample(bodies, files // 5)
    poison = max(1, files // 100)
    bodies += [f"poison {n}" for n in range(poison)]
    draw.shuffle(bodies)
    total = len(bodies)

    def send() -> None:
        bursts = 40
        for n in range(bursts):
            queue.send(bodies[n::bursts])
            time.sleep(draw.uniform(0, 0.5))

    began = time.monotonic()
    threading.Thread(target=send, daemon=True).start()
    service = Service(folder, server.url)
    done = total - poison
    moments = sorted(draw.uniform(0.01, 0.9) for _ in range(kills))
    changes = sorted(draw.uniform(0.1, 0.9) for _ in range(reloads))
    samples: list[tuple[int, float, float]] = []
    step = 0.1
    while queue.deleted < done or len(queue.dead) < poison:
        share = queue.deleted / done
        if moments and share >= moments[0]:
            time.sleep(draw.uniform(0, 0.3))
            moments.pop(0)
            service.kill()
        if changes and share >= changes[0]:
            changes.pop(0)
            (service.rules / f"more{len(changes)}.yml").write_text(RULE.format(name=f"Never{len(changes)}"))
        if share >= step:
            step += 0.1
            samples.append((queue.deleted, service.memory, service.state.stat().st_size / 1e6))
        if share >= 1 and queue.deleted >= done:
            queue.receives = 2  # poison only: let the redrive come soon
        if time.monotonic() - began > seconds:
            service.process.kill()
            raise SystemExit(f"too slow: {queue.deleted:,} of {done:,} done, {len(queue.dead):,} of {poison:,} dead")
        time.sleep(0.05)
    taken = time.monotonic() - began
    service.stop()
    server.close()
    plain = [
        sys.executable, "-m", "cloudsigma", "scan", str(trail), "--no-bundled", "--rules", str(service.rules),
        "--no-record", "--format", "jsonl",
    ]  # fmt: skip
    found = subprocess.run(plain, capture_output=True, text=True, check=False).stdout  # noqa: S603  # as above
    expected = Counter(json.loads(line)["key"] for line in found.splitlines())
    assert expected.total() == files  # noqa: S101  # a check that fails loudly is what the script is for
    assert service.matches() == expected  # noqa: S101
    assert all(body.startswith("poison") for body in queue.dead)  # noqa: S101
    told = service.told_path.read_text().count("rules reloaded")
    print(
        f"{files:,} files, {total:,} messages, {poison:,} of them poison, {kills} kills, {told} reloads: {taken:.0f} s"
    )
    print(f"matches: {files:,}, those of one scan; dead: {len(queue.dead):,}, all poison")
    for deleted, memory, size in samples:
        print(f"  after {deleted:>7,} messages: {memory:6.1f} MB resident, checkpoint {size:6.1f} MB")


def at_once(folder: Path, files: int) -> None:
    """Print how fast a backlog is read, from the first deleted message to the last."""
    trail = folder / "trail"
    trail.mkdir()
    for number in range(files):
        (trail / file_name(number)).write_bytes(log_file(number))
    queue = Queue(visibility=30, receives=5)
    queue.send([notification(number) for number in range(files)])
    server = Server(trail, queue)
    service = Service(folder, server.url)
    while not queue.deleted:
        time.sleep(0.005)
    began, first, used = time.monotonic(), queue.deleted, service.cpu
    while queue.deleted < files:
        time.sleep(0.005)
    taken, done, used = time.monotonic() - began, files - first, service.cpu - used
    service.stop()
    server.close()
    assert service.matches().total() == files  # noqa: S101  # as in `soak`
    print(f"{done:,} files: {done / taken:,.0f} a second; 10 files take {taken / done * 10_000:,.0f} ms", end="")
    print(f", and {used / done * 10_000:,.0f} ms of CPU time in the service")


def delay(folder: Path, files: int, rate: float) -> None:
    """Print the delay from a file's notification to its match in the output."""
    trail = folder / "trail"
    trail.mkdir()
    queue = Queue(visibility=30, receives=5)
    server = Server(trail, queue)
    service = Service(folder, server.url)
    while not service.output.exists():
        time.sleep(0.05)
    time.sleep(2)
    sent: dict[str, float] = {}
    delays: list[float] = []

    def watch() -> None:
        with service.output.open() as lines:
            rest = ""
            while len(delays) < files:
                rest += lines.read()
                *whole, rest = rest.split("\n")
                now = time.monotonic()
                delays.extend(now - sent[json.loads(line)["context"]["event_id"]] for line in whole)
                time.sleep(0.002)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    for number in range(files):
        (trail / file_name(number)).write_bytes(log_file(number))
        sent[f"{number}-0"] = time.monotonic()
        queue.send([notification(number)])
        time.sleep(1 / rate)
    watcher.join(60)
    service.stop()
    server.close()
    cuts = statistics.quantiles(delays, n=100)
    print(f"{len(delays):,} files at {rate:g} a second: median {cuts[49] * 1000:.0f} ms, 99 % {cuts[98] * 1000:.0f} ms")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--reloads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3_600, help="give up after so long")
    parser.add_argument("--at-once", action="store_true", help="measure how fast a backlog is read instead")
    parser.add_argument("--delay", type=int, metavar="FILES", help="measure the delay instead")
    parser.add_argument("--rate", type=float, default=20, help="files a second, with --delay")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if given.delay:
            delay(Path(name), given.delay, given.rate)
        elif given.at_once:
            at_once(Path(name), given.files)
        else:
            soak(Path(name), given.files, given.kills, given.reloads, given.seconds)


if __name__ == "__main__":
    main()
