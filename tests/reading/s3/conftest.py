"""An S3 server on loopback (moto's), a proxy before it that injects faults, and a bucket with a trail in it."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from cloudsigma.reading.sources.s3 import options
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.retry import Patience

SECRET = "wJalrXUtnFEMIsecretsecretsecretEXAMPLEKEY"  # noqa: S105  # made up, and looked for in what is told
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN"  # noqa: S105  # as above

TIMEOUT = 1.5
STALL = 2.5

DENIED = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
ERRORS = {
    "slow down": (503, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"),
    "internal": (500, "<Error><Code>InternalError</Code></Error>"),
    "bare 503": (503, ""),
    "denied": (403, DENIED),
    "kms": (
        403,
        (
            "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/x is not authorized to "
            "perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/k</Message></Error>"
        ),
    ),
    "archived": (403, "<Error><Code>InvalidObjectState</Code><StorageClass>GLACIER</StorageClass></Error>"),
    "customer key": (
        400,
        (
            "<Error><Code>InvalidRequest</Code><Message>The object was stored using a form of Server Side Encryption. "
            "The correct parameters must be provided to retrieve the object.</Message></Error>"
        ),
    ),
    "expired": (400, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"),
    "signature": (
        403,
        (
            "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId>"
            f"<StringToSign>AWS4-HMAC-SHA256 {TOKEN}</StringToSign></Error>"
        ),
    ),
    "gone": (404, "<Error><Code>NoSuchKey</Code></Error>"),
}


@dataclass(frozen=True)
class Request:
    """One request as the proxy saw it."""

    key: str
    listed: str | None
    """The prefix, where it is a listing."""
    nth: int
    """How many with the same key, prefix and range came before."""


@dataclass
class Proxy:
    """What the proxy does: `fault` names what happens to a request, or nothing."""

    url: str = ""
    fault: Callable[[Request], str | None] = lambda _: None
    requests: list[Request] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    seen: Counter[tuple[str, ...]] = field(default_factory=Counter)
    signed: list[str] = field(default_factory=list)
    """The header of each request that holds its signature."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    delay: float = 0.0
    """Seconds that each request for an object takes."""
    secret: str = SECRET
    token: str = TOKEN

    def forget(self) -> None:
        self.fault = lambda _: None
        self.delay = 0.0
        self.requests.clear()
        self.signed.clear()
        self.injected.clear()
        self.seen.clear()

    @property
    def listed(self) -> list[str]:
        return [request.listed for request in self.requests if request.listed is not None]


def handler(proxy: Proxy, upstream: tuple[str, int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, BrokenPipeError):
                self.close_connection = True

        def answer(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query, keep_blank_values=True)
            key = unquote(parts.path).split("/", 2)[2] if parts.path.count("/") > 1 else ""
            listed = query["prefix"][0] if "list-type" in query and "prefix" in query else None
            if "list-type" in query and listed is None:
                listed = ""
            name = (self.command, key, str(listed), self.headers.get("Range", ""), *query.get("continuation-token", ()))
            with proxy.lock:
                request = Request(key, listed, proxy.seen[name])
                proxy.seen[name] += 1
                proxy.requests.append(request)
                proxy.signed.append(self.headers.get("Authorization", ""))
                fault = proxy.fault(request) if self.command == "GET" else None
                if fault:
                    proxy.injected[fault] += 1
            if self.command == "GET" and listed is None:
                time.sleep(proxy.delay)
            if fault in ERRORS:
                status, text = ERRORS[fault]
                self.reply(status, {"Content-Type": "application/xml"}, text.encode())
            elif fault == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
            else:
                self.forward(fault)

        def forward(self, fault: str | None) -> None:
            connection = http.client.HTTPConnection(*upstream)
            try:
                connection.request(self.command, self.path, headers=dict(self.headers))
                answer = connection.getresponse()
                data = answer.read()
            finally:
                connection.close()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in {"connection", "server", "date"}}
            headers["Content-Length"] = headers.get("Content-Length") or headers.pop("content-length", str(len(data)))
            if self.command == "HEAD":
                self.reply(answer.status, headers, b"")
            elif fault == "cut":
                self.reply(answer.status, headers, data[: len(data) // 2])
                self.close_connection = True
            elif fault == "stall":
                self.reply(answer.status, headers, data[: len(data) // 2])
                time.sleep(STALL)
                self.close_connection = True
            elif fault == "flip":
                headers = {k: v for k, v in headers.items() if "checksum" not in k.lower()}
                self.reply(answer.status, headers, data[:-1] + bytes([data[-1] ^ 1]))
            else:
                self.reply(answer.status, headers, data)

        def reply(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            if "content-length" not in {name.lower() for name in headers}:
                headers["Content-Length"] = str(len(data))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_HEAD = answer  # noqa: N815  # http.server's names

    return Handler


@pytest.fixture(scope="session")
def boto3() -> ModuleType:
    return pytest.importorskip("boto3", reason="boto3 is not installed: NOTHING OF S3 IS TESTED")  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def upstream(boto3: ModuleType) -> Iterator[tuple[str, int]]:
    """The address of moto's server."""
    server = pytest.importorskip("moto.server", reason="moto's server is not installed: NOTHING OF S3 IS TESTED")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield running.get_host_and_port()
    running.stop()


@pytest.fixture(scope="session")
def admin(boto3: ModuleType, upstream: tuple[str, int]) -> Iterator[Any]:
    """A client that reaches the server without the proxy."""
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=f"http://{upstream[0]}:{upstream[1]}",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(max_pool_connections=8),
    )
    yield client
    client.close()


@pytest.fixture(scope="session")
def running_proxy(upstream: tuple[str, int]) -> Iterator[Proxy]:
    proxy = Proxy()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(proxy, upstream))
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield proxy
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(running_proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """The proxy, and an environment in which AWS's tools find it and credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running_proxy.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    running_proxy.forget()
    return running_proxy


@pytest.fixture(params=["boto3", "obstore"])
def client(request: pytest.FixtureRequest, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> S3Options:
    """The options that are used, for one client after the other, with little patience."""
    pytest.importorskip(request.param, reason=f"{request.param} is not installed: THIS CLIENT OF S3 IS NOT TESTED")
    chosen = S3Options(
        client=request.param,
        timeout=TIMEOUT,
        threads=8,
        patience=Patience(attempts=5, first_wait=0.02, longest_wait=0.1),
    )
    monkeypatch.setattr(options, "DEFAULT", chosen)
    return chosen


def records_of(key: str, account: str, region: str, minute: str, count: int = 2) -> list[dict[str, Any]]:
    """Records of one log file, told apart by their eventID."""
    return [
        {
            "eventVersion": "1.11",
            "eventTime": f"{minute}:{n:02}Z",
            "eventID": f"{key.rsplit('/', 1)[-1]}#{n}",
            "eventSource": "iam.amazonaws.com",
            "eventName": "CreateGroup" if n == 0 else "GetUser",
            "eventType": "AwsApiCall",
            "awsRegion": region,
            "recipientAccountId": account,
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/alice", "accountId": account},
            "requestParameters": {"groupName": f"group-{n}"},
            "responseElements": None,
        }
        for n in range(count)
    ]


def packed(records: list[dict[str, Any]]) -> bytes:
    return gzip.compress(json.dumps({"Records": records}).encode(), 1, mtime=0)


def fill(admin: Any, bucket: str, objects: dict[str, bytes]) -> None:
    admin.create_bucket(Bucket=bucket)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: admin.put_object(Bucket=bucket, Key=item[0], Body=item[1]), objects.items()))


# --- a trail ------------------------------------------------------------------------------------------------

ORGANIZATION = "audit/AWSLogs/o-exampleorg1"
ACCOUNTS = ("111122223333", "444455556666", "777788889999")
REGIONS = ("ap-south-1", "eu-west-1", "us-east-1", "us-west-2")
DAYS = tuple(f"2025/03/{day:02}" for day in range(1, 11))


def log_key(account: str, region: str, day: str, minute: int, unique: str, head: str = ORGANIZATION) -> str:
    stamp = f"{day.replace('/', '')}T{minute // 60:02}{minute % 60:02}Z"
    return f"{head}/{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{stamp}_{unique}.json.gz"


@dataclass(frozen=True)
class Trail:
    """A bucket with a trail of an organization."""

    bucket: str
    records: dict[str, list[dict[str, Any]]]
    """The records of each key, in the order of the keys."""

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/audit/"


@pytest.fixture(scope="session")
def trail(admin: Any) -> Trail:
    """Objects over three accounts, four regions and ten days: 480, or as many as CLOUDSIGMA_S3_OBJECTS says."""
    records = {}
    for n in range(int(os.environ.get("CLOUDSIGMA_S3_OBJECTS", "480"))):
        account, region, day = ACCOUNTS[n % 3], REGIONS[n // 3 % 4], DAYS[n // 12 % 10]
        minute = n * 37 % 1440
        key = log_key(account, region, day, minute, f"u{n:05}")
        records[key] = records_of(key, account, region, f"{day.replace('/', '-')}T{minute // 60:02}:{minute % 60:02}")
    beside = {
        f"{ORGANIZATION}/{ACCOUNTS[0]}/CloudTrail-Digest/us-east-1/2025/03/01/digest.json.gz": packed([]),
        f"{ORGANIZATION}/{ACCOUNTS[0]}/CloudTrail-Insight/us-east-1/2025/03/01/insight.json.gz": packed([]),
        f"{ORGANIZATION}/{ACCOUNTS[1]}/Config/us-east-1/2025/3/1/ConfigSnapshot/x.json.gz": packed([]),
        f"{ORGANIZATION}/{ACCOUNTS[2]}/": b"",
        "audit/readme.txt": b"not looked at",
    }
    fill(admin, "trails", {key: packed(found) for key, found in records.items()} | beside)
    return Trail("trails", dict(sorted(records.items())))


@pytest.fixture
def put(admin: Any, request: pytest.FixtureRequest) -> Callable[[dict[str, bytes]], str]:
    """Makes a bucket of its own for a test, and gives its name."""

    def make(objects: dict[str, bytes]) -> str:
        bucket = f"bucket-{abs(hash(request.node.nodeid)):x}"
        fill(admin, bucket, objects)
        return bucket

    return make


@pytest.fixture
def log_file() -> Callable[..., bytes]:
    """Makes the bytes of a log file with so many records, told apart by a name."""

    def make(name: str, count: int = 2) -> bytes:
        return packed(records_of(name, ACCOUNTS[0], "us-east-1", "2025-03-01T10:00", count))

    return make
