"""A queue as the source of a scan: every file once, messages deleted only when their matches are written."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cloudsigma.errors import UsageError
from cloudsigma.reading.sources.bucket_pause import BucketPause
from cloudsigma.reading.sources.sqs.location import QueueLocation, parse_queue

Put = Callable[[dict[str, bytes]], str]
LogFile = Callable[..., bytes]

HEAD = "AWSLogs/111122223333/CloudTrail/us-east-1/2025/03/01/111122223333_CloudTrail_us-east-1_20250301T1000Z"
SIZE = int(os.environ.get("CLOUDSIGMA_FUZZ", "1"))


def key(number: int) -> str:
    return f"{HEAD}_{number:05}.json.gz"


def notification(bucket: str, *keys: str) -> str:
    """S3's own notification."""
    return json.dumps({
        "Records": [
            {
                "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1",
                "s3": {"bucket": {"name": bucket}, "object": {"key": each, "size": 10}},
            }
            for each in keys
        ]
    })  # fmt: skip


NEW = "https://sqs.eu-west-1.amazonaws.com/111122223333/trail"
OLD = "https://eu-west-1.queue.amazonaws.com/111122223333/trail"
HERE = "http://127.0.0.1:4566/000000000000/trail"
TEST_EVENT = json.dumps(
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2025-03-01T10:00:00.000Z", "Bucket": "b"}
)


@dataclass(frozen=True)
class Queue:
    """A queue on moto's server, and its dead-letter queue."""

    client: Any
    name: str
    url: str
    dead: str | None

    def send(self, *bodies: str) -> None:
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            assert not self.client.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def counts(self, url: str | None = None) -> tuple[int, int]:
        """Messages that can be received, and messages in flight."""
        found = self.client.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])

    def dead_bodies(self) -> list[str]:
        bodies = []
        while messages := self.client.receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in messages]
            for message in messages:
                self.client.delete_message(QueueUrl=self.dead, ReceiptHandle=message["ReceiptHandle"])
        return bodies


@pytest.fixture
def make_queue(
    boto3: ModuleType,
    upstream: tuple[str, int],
    proxy: Any,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Queue]]:
    endpoint = f"http://{upstream[0]}:{upstream[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint)
    client = boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1")

    def make(*, visibility: int = 30, receives: int = 3, redrives: bool = True) -> Queue:
        name = f"queue-{abs(hash(request.node.nodeid)):x}"
        attributes = {"VisibilityTimeout": str(visibility)}
        dead = None
        if redrives:
            dead = client.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
            arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})
        return Queue(client, name, client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], dead)

    yield make
    client.close()


class Consumer:
    """`cloudsigma scan` of a queue in a folder of its own."""

    def __init__(self, queue: Queue, folder: Path, *more: str) -> None:
        self.output, self.ledger = folder / "matches.jsonl", folder / "ledger.json"
        self.command = [
            sys.executable, "-m", "cloudsigma", "scan", f"sqs://{queue.name}", "--follow", "--checkpoint",
            str(folder / "state"), "--output", str(self.output), "--ledger", str(self.ledger), "--no-record", *more,
        ]  # fmt: skip

    def run(self, *more: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.command, *more], capture_output=True, text=True, timeout=timeout, check=False)

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*self.command, *more], stderr=subprocess.PIPE, text=True)

    def matches(self) -> Counter[str]:
        """The keys of the matches in the output."""
        if not self.output.exists():
            return Counter()
        return Counter(json.loads(line)["key"] for line in self.output.read_text().splitlines())


def wait_for(what: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_queue_until_it_is_empty(
    make_queue: Callable[..., Queue], put: Put, log_file: LogFile, tmp_path: Path
) -> None:
    """Each named file is read once, however often it is named; nothing stays in the queue."""
    bucket = put({key(n): log_file(str(n)) for n in range(6)})
    queue = make_queue()
    queue.send(TEST_EVENT, *(notification(bucket, key(n)) for n in range(3)), notification(bucket, key(2)))
    queue.send(notification(bucket, key(3), key(4), key(5)))
    consumer = Consumer(queue, tmp_path)
    done = consumer.run("--once", "--interval", "1")
    assert done.returncode == 1, done.stderr
    assert len(consumer.matches()) == consumer.matches().total() == 6
    assert queue.counts() == (0, 0)
    ledger = json.loads(consumer.ledger.read_text())["ledger"]
    assert not ledger["losses"]
    assert ledger["named_files_read"] == 6
    queue.send(notification(bucket, key(0)))
    assert consumer.run("--once", "--interval", "1").returncode == 1
    assert consumer.matches().total() == 6


def test_events_in_messages(make_queue: Callable[..., Queue], tmp_path: Path) -> None:
    """EventBridge delivers events themselves; they are matched like those in files."""
    queue = make_queue()
    event = {
        "eventVersion": "1.08", "eventID": "e1", "eventTime": "2025-03-01T10:00:00Z", "eventName": "CreateGroup",
        "eventSource": "iam.amazonaws.com", "eventType": "AwsApiCall", "awsRegion": "us-east-1",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
        "requestParameters": {"groupName": "g"}, "recipientAccountId": "111122223333",
    }  # fmt: skip
    body = {"detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "version": "0", "detail": event}
    queue.send(json.dumps(body), json.dumps(body))
    consumer = Consumer(queue, tmp_path)
    assert consumer.run("--once", "--interval", "1").returncode == 1
    assert consumer.matches().total() == 1
    assert queue.counts() == (0, 0)


def test_what_cannot_be_read(make_queue: Callable[..., Queue], put: Put, log_file: LogFile, tmp_path: Path) -> None:
    """A file that is gone is a loss and its message is deleted; damage is a loss and is left to the redrive policy."""
    bucket = put({key(0): log_file("0"), key(1): log_file("1")[:-20], key(2): b"no log"})
    queue = make_queue(visibility=1, receives=2)
    poison = ["no JSON", notification(bucket, key(1)), notification(bucket, key(2))]
    queue.send(notification(bucket, key(0)), notification(bucket, key(9)), *poison)
    consumer = Consumer(queue, tmp_path)
    done = consumer.run("--once", "--interval", "2")
    assert done.returncode == 4, done.stderr
    lost = Counter(
        loss["path"].rsplit("/", 1)[-1] for loss in json.loads(consumer.ledger.read_text())["ledger"]["losses"]
    )
    names = [each.rsplit("/", 1)[-1] for each in (key(9), key(1), key(2))]
    assert [lost[name] for name in names] == [1, 1, 1]
    assert len(lost) == 4
    wait_for(lambda: consumer.run("--once", "--interval", "1").returncode == 4 and queue.counts() == (0, 0))
    assert sorted(queue.dead_bodies()) == sorted(poison)
    assert consumer.matches().total() == 2


def test_dead_messages_without_a_redrive_policy(make_queue: Callable[..., Queue], tmp_path: Path) -> None:
    """They are kept in a file after five receives, and deleted."""
    queue = make_queue(visibility=1, redrives=False)
    queue.send("no JSON")
    assert "has no redrive policy" in Consumer(queue, tmp_path).run("--once", "--interval", "1").stderr
    consumer = Consumer(queue, tmp_path, "--dead", str(tmp_path / "dead.jsonl"))
    process = consumer.start("--interval", "1")
    try:
        wait_for(lambda: (tmp_path / "dead.jsonl").exists() and queue.counts() == (0, 0))
    finally:
        process.terminate()
        _, told = process.communicate(timeout=20)
    assert process.returncode == 143
    (line,) = (tmp_path / "dead.jsonl").read_text().splitlines()
    assert json.loads(line)["body"] == "no JSON"
    assert json.loads(line)["receives"] == 5
    assert told.count("NOT READ") == 1  # each receive reads it again


def test_only_allowed_buckets(make_queue: Callable[..., Queue], put: Put, log_file: LogFile, tmp_path: Path) -> None:
    """Who may send to the queue does not choose what the credentials read."""
    bucket = put({key(0): log_file("0")})
    queue = make_queue()
    queue.send(notification(bucket, key(0)))
    done = Consumer(queue, tmp_path).run("--once", "--interval", "1", "--bucket", "another")
    assert done.returncode == 4
    assert "its bucket is not among those of --bucket" in done.stderr


def test_visibility_is_extended(
    make_queue: Callable[..., Queue], put: Put, log_file: LogFile, proxy: Any, tmp_path: Path
) -> None:
    """A message whose files take longer than its visibility is received once."""
    bucket = put({key(n): log_file(str(n)) for n in range(3)})
    queue = make_queue(visibility=2)
    proxy.delay = 6.0
    queue.send(notification(bucket, *(key(n) for n in range(3))))
    consumer = Consumer(queue, tmp_path)
    assert consumer.run("--once", "--interval", "1").returncode == 1
    assert consumer.matches().total() == 3
    assert queue.counts() == (0, 0)
    assert queue.counts(queue.dead) == (0, 0)


def test_stopped_in_the_midst(
    make_queue: Callable[..., Queue], put: Put, log_file: LogFile, tmp_path: Path, proxy: Any
) -> None:
    """A stop takes seconds; what was not begun is visible at once, and nothing is lost or doubled afterwards."""
    bucket = put({key(n): log_file(str(n)) for n in range(10)})
    queue = make_queue(visibility=60)
    proxy.delay = 1.0
    queue.send(*(notification(bucket, key(n)) for n in range(10)))
    consumer = Consumer(queue, tmp_path)
    process = consumer.start()
    wait_for(lambda: queue.counts()[1] > 0)
    time.sleep(0.3)
    began = time.monotonic()
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert time.monotonic() - began < 10
    assert queue.counts()[1] == 0
    proxy.delay = 0.0
    consumer.run("--once", "--interval", "1")
    assert len(consumer.matches()) == consumer.matches().total() == 10
    assert queue.counts() == (0, 0)


def test_killed_at_any_moment(make_queue: Callable[..., Queue], put: Put, log_file: LogFile, tmp_path: Path) -> None:
    """Matches are those of the files, none twice; the queue is empty, and only poison is dead.

    `CLOUDSIGMA_FUZZ` multiplies the files and the kills.
    """
    files, kills = 60 * SIZE, 3 * SIZE
    draw = random.Random(7)  # noqa: S311  # repeatable
    bucket = put({key(n): log_file(str(n)) for n in range(files)})
    queue = make_queue(visibility=2, receives=kills + 2)
    bodies = [notification(bucket, key(n)) for n in range(files)]
    bodies += draw.sample(bodies, files // 5)
    draw.shuffle(bodies)
    queue.send(*bodies, "poison")
    consumer = Consumer(queue, tmp_path)
    for _ in range(kills):
        process = consumer.start("--interval", "1")
        time.sleep(draw.uniform(0.3, 1.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = consumer.start("--interval", "1")
    try:
        wait_for(lambda: queue.counts()[0] == 0 and queue.counts(queue.dead)[0] == 1, 60 + files / 10)
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert queue.dead_bodies() == ["poison"]
    assert queue.counts() == (0, 0)
    assert len(consumer.matches()) == consumer.matches().total() == files


RULES = """
title: Group created
name: group_created
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: CreateGroup}, condition: selection}
---
title: Many groups
correlation:
  {type: event_count, rules: [group_created], group-by: [userIdentity.arn], timespan: 30m, condition: {gte: 3}}
"""


def test_correlations_under_a_backlog(
    make_queue: Callable[..., Queue], admin: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Six hours of files in any order, many more than a round takes: the correlation matches of a plain scan.

    No frame closes before the queue is drained; then an empty queue counts as time that passed.
    """
    draw = random.Random(11)  # noqa: S311  # repeatable
    (tmp_path / "trail").mkdir()
    (tmp_path / "rules.yml").write_text(RULES)
    bucket = f"bucket-{abs(hash(request.node.nodeid)):x}"
    admin.create_bucket(Bucket=bucket)
    for n in range(40):
        minute = draw.randrange(360)
        record = {
            "eventVersion": "1.08", "eventID": f"e{n}", "eventName": "CreateGroup", "eventSource": "iam.amazonaws.com",
            "eventTime": f"2025-03-01T{10 + minute // 60}:{minute % 60:02}:00Z", "eventType": "AwsApiCall",
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{draw.choice('ab')}"},
        }  # fmt: skip
        body = json.dumps({"Records": [record]}).encode()
        (tmp_path / "trail" / f"{n}.json").write_bytes(body)
        admin.put_object(Bucket=bucket, Key=key(n), Body=body)
    plain = subprocess.run(
        [
            sys.executable, "-m", "cloudsigma", "scan", str(tmp_path / "trail"), "--rules", str(tmp_path / "rules.yml"),
            "--no-bundled", "--format", "jsonl", "--no-record",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    queue = make_queue()
    order = list(range(40))
    draw.shuffle(order)
    queue.send(*(notification(bucket, key(n)) for n in order))
    consumer = Consumer(queue, tmp_path, "--rules", str(tmp_path / "rules.yml"), "--no-bundled", "--lateness", "1s")
    assert consumer.run("--once", "--idle-close", "--interval", "1").returncode == 1
    expected = Counter(json.loads(line)["key"] for line in plain.stdout.splitlines())
    assert expected.total() > 3
    assert consumer.matches() == expected


def test_a_queue_that_is_not_there(make_queue: Callable[..., Queue], tmp_path: Path) -> None:
    make_queue()
    gone = Queue(None, "gone", "", None)
    done = Consumer(gone, tmp_path).run("--once")
    assert done.returncode == 5
    assert "there is no such queue" in done.stderr


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("sqs://trail", QueueLocation("trail")),
        ("arn:aws:sqs:eu-west-1:111122223333:trail", QueueLocation("trail", "111122223333", "eu-west-1")),
        (NEW, QueueLocation("trail", "111122223333", "eu-west-1", NEW)),
        (OLD, QueueLocation("trail", "111122223333", "eu-west-1", OLD)),
        (HERE, QueueLocation("trail", "000000000000", None, HERE)),
    ],
)  # fmt: skip
def test_names_of_queues(given: str, expected: QueueLocation) -> None:
    assert parse_queue(given) == expected


@pytest.mark.parametrize(
    "given", ["sqs://", "sqs://a b", "sqs://q.fifo", "https://example.com/trail", "arn:aws:sqs:x:1:q"]
)
def test_names_of_no_queues(given: str) -> None:
    with pytest.raises(UsageError):
        parse_queue(given)


def test_a_bucket_that_denies_is_paused() -> None:
    """Ten minutes of denial cost fewer than thirty requests, and access is noticed within the last pause."""
    now, asked = 0.0, 0
    pause = BucketPause(lambda: now)
    while now < 600:
        for file in range(10):
            if pause.allows("b"):
                asked += 1
                pause.note("b", f"{now}/{file}", denied=True)
        now += 1
    assert asked < 30
    now += 900
    assert pause.allows("b")
    pause.note("b", "good", denied=False)
    assert all(pause.allows("b") for _ in range(10))


def test_the_same_bucket_is_not_paused_for_one_file() -> None:
    """A missing object may answer "denied": the same file again and again does not count."""
    pause = BucketPause(lambda: 0.0)
    for _ in range(5):
        pause.note("b", "gone", denied=True)
    assert pause.allows("b")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sqs://q"], "needs --follow, --checkpoint FILE and --output FILE"),
        (["sqs://q.fifo", "--follow"], "FIFO"),
        (["examples", "--once"], "--once is for queues"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloudsigma", "scan", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert told in done.stderr
