"""S3 over a real API on loopback, both clients, with what goes wrong on the way: nothing is lost without a word."""

from __future__ import annotations

import gc
import gzip
import json
import logging
import pickle
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import cloudsigma
from cloudsigma.errors import UsageError
from cloudsigma.reading import read_records
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.reading.sources.s3 import clients, options
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.source import find_objects, named_objects

Put = Callable[[dict[str, bytes]], str]
LogFile = Callable[..., bytes]


def ids(reader: Any) -> list[str]:
    return [record["eventID"] for record in reader]


def expected(trail: Any, wanted: Callable[[str, dict[str, Any]], bool] = lambda _key, _record: True) -> list[str]:
    return [record["eventID"] for key, records in trail.records.items() for record in records if wanted(key, record)]


def losses(reader: Any) -> dict[str, str]:
    return {loss.path: loss.reason for loss in reader.ledger.losses}


# --- everything readable is read, everything else is in the ledger --------------------------------------------

PASSING = ("slow down", "internal", "bare 503", "cut", "reset", "stall")
"""What happens once or twice, and then no more."""
LASTING = {
    "slow down": "S3 did not give it, however often it was asked; the last answer: SlowDown",
    "cut": "S3 did not give it, however often it was asked",
    "denied": "access is denied (AccessDenied); s3:GetObject on the object is needed",
    "kms": "it is encrypted with a KMS key that may not be used (AccessDenied); kms:Decrypt on that key is needed",
    "archived": "it is archived in Glacier (InvalidObjectState); restore it first",
    "customer key": "it is encrypted with a customer-provided key (SSE-C), which is not supported (InvalidRequest)",
    "gone": "there is no such object (NoSuchKey); it may have been deleted since it was listed or named",
}


def planned(key: str) -> tuple[str | None, int]:
    """What goes wrong with an object, and how often."""
    draw = random.Random(key)  # noqa: S311  # the same in every run
    chance = draw.random()
    if chance < 0.15:
        fault = draw.choices(PASSING, weights=(5, 5, 5, 5, 5, 1))[0]
        return fault, 1 if fault == "stall" else draw.choice((1, 2))
    if chance < 0.18:
        return draw.choice(sorted(LASTING)), 1_000
    return None, 0


def test_everything_readable_is_read_and_everything_else_is_in_the_ledger(
    trail: Any, proxy: Any, client: S3Options
) -> None:
    denied = "audit/AWSLogs/o-exampleorg1/444455556666/CloudTrail/eu-west-1/"

    def fault(request: Any) -> str | None:
        if request.listed is not None:
            if request.listed.startswith(denied):
                return "denied"
            return "slow down" if request.nth == 0 and len(request.listed) % 3 == 0 else None
        name, times = planned(request.key)
        return name if request.nth < times else None

    proxy.fault = fault
    started = time.monotonic()
    reader = read_records(trail.url)
    found = ids(reader)
    took = time.monotonic() - started
    lasting = {key: name for key in trail.records if (name := planned(key)[0]) and planned(key)[1] > 2}
    lasting = {key: name for key, name in lasting.items() if not key.startswith(denied)}
    assert found == expected(trail, lambda key, _: key not in lasting and not key.startswith(denied))
    told = losses(reader)
    assert len(told) == len(reader.ledger.losses)
    assert set(told) == {f"s3://{trail.bucket}/{key}" for key in lasting} | {f"s3://{trail.bucket}/{denied}"}
    for key, name in lasting.items():
        assert told[f"s3://{trail.bucket}/{key}"].startswith(f"it cannot be read: {LASTING[name]}")
    assert "s3:ListBucket" in told[f"s3://{trail.bucket}/{denied}"]
    assert reader.ledger.recognized == {"digest prefix": 1, "Insights prefix": 1}
    assert reader.ledger.not_looked_at == {".txt": 1, "folder marker": 1, "prefix Config/": 1}
    assert reader.ledger.files == len(trail.records) - len(lasting) - sum(
        key.startswith(denied) for key in trail.records
    )
    assert {"slow down", "internal", "cut", "reset", "stall", "denied"} <= set(proxy.injected)
    print(  # shown with -s
        f"\n{client.client}: {len(trail.records)} objects, {len(found)} records, {len(told)} losses, "
        f"{sum(proxy.injected.values())} faults {dict(proxy.injected)}, {len(proxy.requests)} requests, {took:.1f} s"
    )


def test_without_faults_all_is_read_once(trail: Any, proxy: Any, client: S3Options) -> None:
    reader = read_records(trail.url, accounts="777788889999")
    assert ids(reader) == expected(trail, lambda _, record: record["recipientAccountId"] == "777788889999")
    assert reader.ledger.losses == ()
    fetched = Counter(request.key for request in proxy.requests if request.listed is None and request.key)
    assert fetched == {key: 1 for key in trail.records if "/777788889999/" in key}


def test_only_the_wanted_is_listed_and_fetched(trail: Any, proxy: Any, client: S3Options) -> None:
    asked = {"accounts": "444455556666", "regions": ["us-east-1"], "since": "2025-03-04", "until": "2025-03-05"}
    reader = read_records(trail.url, **asked)

    def wanted(_: str, record: dict[str, Any]) -> bool:
        return (record["recipientAccountId"], record["awsRegion"], record["eventTime"][:10]) == (
            "444455556666",
            "us-east-1",
            "2025-03-04",
        )

    assert ids(reader) == expected(trail, wanted) != []
    day = re.compile(r".*/444455556666/CloudTrail/us-east-1/2025/03/(\d\d)/")
    fetched = {found[1] for request in proxy.requests if (found := day.match(request.key))}
    assert {"04"} <= fetched <= {"03", "04", "05"}  # what is delivered up to a day later may hold late events
    keys = [request.key for request in proxy.requests if request.listed is None and request.key]
    assert all(day.match(key) for key in keys)
    assert len(proxy.listed) <= 12
    assert reader.ledger.left_out["prefixes of other accounts"] == 2
    assert reader.ledger.left_out["prefixes of other regions"] == 3
    assert reader.ledger.left_out["prefixes outside the time"] >= 7


def test_a_scan_takes_the_fast_way(trail: Any, proxy: Any, client: S3Options) -> None:
    scan = cloudsigma.scan(trail.url, accounts="111122223333", regions="us-east-1")
    matches = list(scan)
    assert [match.record["eventID"] for match in matches] == expected(
        trail,
        lambda _, r: (
            (r["eventName"], r["recipientAccountId"], r["awsRegion"]) == ("CreateGroup", "111122223333", "us-east-1")
        ),
    )
    assert scan.ledger.records == 2 * len(matches)
    assert matches[0].origin is not None
    assert matches[0].origin.path.startswith(f"s3://{trail.bucket}/audit/AWSLogs/o-exampleorg1/111122223333/")


def test_several_processes_come_to_the_same(trail: Any, proxy: Any) -> None:
    def fault(request: Any) -> str | None:
        return "archived" if request.key.endswith("u00018.json.gz") else None

    proxy.fault = fault
    asked = {"accounts": "111122223333", "since": "2025-03-02", "until": "2025-03-06"}
    one, two = (cloudsigma.scan(trail.url, jobs=jobs, **asked) for jobs in (1, 2))
    assert [match.key for match in one] == [match.key for match in two] != []
    assert one.ledger == two.ledger
    assert len(one.ledger.losses) == 1


# --- what is at the other end -------------------------------------------------------------------------------


def test_a_bucket_that_is_not_there(proxy: Any, client: S3Options) -> None:
    reader = read_records("s3://no-such-bucket-here/x/")
    assert ids(reader) == []
    assert losses(reader) == {
        "s3://no-such-bucket-here/x/": "it cannot be listed: there is no such bucket (NoSuchBucket); check the name, "
        "and AWS_PROFILE and AWS_ENDPOINT_URL_S3"
    }


def test_an_empty_prefix(trail: Any, proxy: Any, client: S3Options) -> None:
    reader = read_records(f"s3://{trail.bucket}/nothing/")
    assert ids(reader) == []
    assert losses(reader) == {f"s3://{trail.bucket}/nothing/": "there are no objects under this prefix"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "the AWS credentials cannot be used (none were found)",
        ),
        ({"AWS_PROFILE": "no-such-profile"}, "the AWS credentials cannot be used (ProfileNotFound); sign in"),
        ({"AWS_ENDPOINT_URL_S3": "nonsense"}, "the endpoint is no URL; check AWS_ENDPOINT_URL_S3"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, "S3 did not give it, however often it was asked"),
    ],
    ids=["no credentials", "profile", "no URL", "nobody there"],
)
def test_settings_that_cannot_be(
    trail: Any,
    proxy: Any,
    client: S3Options,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str | None],
    said: str,
) -> None:
    for name, value in changes.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    reader = read_records(trail.url)
    assert ids(reader) == []
    [(place, told)] = losses(reader).items()
    assert place == trail.url
    assert said in told


def test_a_profile_gives_credentials_and_endpoint(
    trail: Any, proxy: Any, client: S3Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL_S3",
    ):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(
        f"[profile audit]\nregion = eu-west-1\nendpoint_url = {proxy.url}\naws_access_key_id = AKIAPROFILE\n"
        f"aws_secret_access_key = {proxy.secret}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "audit")
    prefix = next(iter(trail.records)).rpartition("/")[0]
    assert ids(read_records(f"s3://{trail.bucket}/{prefix}")) == expected(trail, lambda key, _: key.startswith(prefix))
    signed = {header for header in proxy.signed if header}
    assert all("Credential=AKIAPROFILE/" in header for header in signed)
    assert any("/eu-west-1/s3/" in header for header in signed)  # obstore is told the region that the bucket names


@pytest.mark.parametrize("url", ["s3://", "s3:/trails/x", "s3://é/x"])
def test_a_place_that_cannot_be_is_refused_at_once(url: str) -> None:
    for function in (read_records, cloudsigma.scan):
        with pytest.raises(UsageError, match="names no bucket"):
            function(url)


@pytest.mark.parametrize(
    ("client_name", "missing", "extra"), [("auto", "boto3", "s3"), ("obstore", "obstore", "s3-fast")]
)
def test_a_missing_extra_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, client_name: Any, missing: str, extra: str
) -> None:
    monkeypatch.setattr(options, "DEFAULT", S3Options(client=client_name))
    monkeypatch.setattr(clients, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(UsageError, match=re.escape(f"pip install 'cloudsigma-rules[{extra}]'")):
        read_records("s3://trails/x")


def test_without_obstore_boto3_reads(trail: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "find_spec", lambda name: None if name == "obstore" else object())
    store = clients.open_store(trail.bucket, S3Options())
    assert type(store).__name__ == "Boto3Store"
    store.close()


def test_obstore_is_chosen_where_it_is_installed(trail: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore")
    store = clients.open_store(trail.bucket, S3Options())
    assert type(store).__name__ == "ObstoreStore"
    store.close()
    monkeypatch.setenv("AWS_CA_BUNDLE", "/etc/ssl/own.pem")  # which only boto3 follows
    store = clients.open_store(trail.bucket, S3Options())
    assert type(store).__name__ == "Boto3Store"
    store.close()


def test_importing_the_reader_loads_no_client() -> None:
    program = "import cloudsigma.reading, sys; print(sorted({'boto3', 'botocore', 'obstore'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert run.stdout == "[]\n"


# --- objects ------------------------------------------------------------------------------------------------


def test_keys_of_any_form(put: Put, log_file: LogFile, proxy: Any, client: S3Options) -> None:
    keys = [
        "a b.json",
        "a+b.json",
        "dots/../up.json",
        "double//slash.json",
        "pro%20cent.json",
        "é/日本.json",
        "~{}[]^.json",
    ]
    bucket = put({key: log_file(key) for key in keys})
    reader = read_records(f"s3://{bucket}/")
    assert losses(reader) == {}
    assert [name.rpartition("#")[0] for name in ids(reader)][::2] == [key.rsplit("/", 1)[-1] for key in sorted(keys)]


def test_a_large_object_is_read_in_parts(
    put: Put, log_file: LogFile, proxy: Any, client: S3Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = [f"{random.Random(n).getrandbits(512):x}" for n in range(200)]  # noqa: S311  # what does not compress
    records = [{"eventID": text, "eventName": "CreateGroup", "eventVersion": "1", "eventType": "x"} for text in noise]
    data = gzip.compress("\n".join(map(json.dumps, records)).encode())
    bucket = put({"large.json.gz": data})
    small = {"streamed": 1000, "part": 4096}
    monkeypatch.setattr(
        options,
        "DEFAULT",
        S3Options(**{name: getattr(client, name) for name in ("client", "timeout", "patience")}, **small),
    )
    turn = iter(["", "", "cut", "slow down", "", "stall"])
    proxy.fault = lambda request: next(turn, None) if request.key == "large.json.gz" else None
    reader = read_records(f"s3://{bucket}/")
    assert ids(reader) == noise
    assert losses(reader) == {}
    assert proxy.injected == {"cut": 1, "slow down": 1, "stall": 1}
    assert sum(request.key == "large.json.gz" for request in proxy.requests) == -(-len(data) // 4096) + 3
    assert reader.ledger.bytes == len(data)
    assert ids(read_records(f"s3://{bucket}/large.json.gz")) == noise

    turn = iter(["", "", *["slow down"] * 99])
    reader = read_records(f"s3://{bucket}/")
    rescued = ids(reader)
    assert len(rescued) < len(noise)
    assert rescued == noise[: len(rescued)]
    assert any("s3 did not give it" in told.lower() for told in losses(reader).values())


def test_objects_by_their_names(put: Put, log_file: LogFile, proxy: Any, client: S3Options) -> None:
    """One that is empty, one that is in no listing and larger than what is fetched at first, one that is not there."""
    contents = {"x.json.gz": log_file("x", 3), "empty.json": b"", "large": bytes(client.unlisted + 1)}
    bucket = put(contents)
    for source in named_objects(f"s3://{bucket}/{name}" for name in contents):
        with source.open() as stream:
            assert stream.read() == contents[source.name.rpartition("/")[2]]
    (missing,) = named_objects([f"s3://{bucket}/not-there"])
    with pytest.raises(Unreadable) as raised, missing.open():
        pass
    assert raised.value.reason.startswith("it cannot be read: there is no such object (NoSuchKey)")


def test_another_process_opens_a_client_of_its_own(trail: Any, proxy: Any, client: S3Options) -> None:
    below = f"s3://{trail.bucket}/{next(iter(trail.records)).rpartition('/')[0]}/"
    sources = [s for s in find_objects(below, Recorder(), Selection()) if isinstance(s, Source)]
    program = (
        "import pickle, sys\nfor s in pickle.load(sys.stdin.buffer):\n with s.open() as f: print(s.name, len(f.read()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(sources[:5]), capture_output=True, check=True
    )
    lines = run.stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == [source.name for source in sources[:5]]
    assert all(int(line.split()[1]) > 100 for line in lines)


FORKED = """
import os, signal, sys
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.source import find_objects
sources = list(find_objects(sys.argv[1], Recorder(), Selection(), S3Options(client=sys.argv[2])))[:20]
with sources[0].open() as stream:
    first = stream.read()
child = os.fork()
if child == 0:
    signal.alarm(20)
    with sources[0].open() as stream:
        os._exit(0 if stream.read() == first else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system cannot fork")
def test_a_forked_process_does_not_hang(trail: Any, proxy: Any, client: S3Options) -> None:
    below = f"s3://{trail.bucket}/{next(iter(trail.records)).rpartition('/')[0]}/"
    run = subprocess.run(
        [sys.executable, "-c", FORKED, below, client.client], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_who_stops_early_leaves_nothing_running(trail: Any, proxy: Any, client: S3Options) -> None:
    gc.collect()  # what tests before hold in the tracebacks of errors that they expect
    proxy.fault = lambda request: "slow down" if request.nth % 2 == 0 else None
    iterator = iter(read_records(trail.url))
    next(iterator)
    iterator.close()  # type: ignore[attr-defined]  # a generator
    del iterator
    deadline = time.monotonic() + 10
    while any(thread.name.startswith("cloudsigma-s3") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert sum(bool(request.key) for request in proxy.requests) < len(trail.records)


# --- secrets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["denied", "expired", "slow down", "kms", "reset", "signature"])
def test_no_secret_is_told(
    trail: Any, proxy: Any, client: S3Options, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.DEBUG, "cloudsigma")
    prefix = next(iter(trail.records)).rpartition("/")[0]
    proxy.fault = lambda request: fault if request.key.endswith(".gz") else None
    reader = read_records(f"s3://{trail.bucket}/{prefix}/")
    assert ids(reader) == []
    told = caplog.text + str(reader.ledger) + json.dumps(reader.ledger.to_dict())
    assert len(reader.ledger.losses) == sum(key.startswith(prefix) for key in trail.records)
    for secret in (proxy.secret, proxy.token, "AKIAIOSFODNN7EXAMPLE", "Credential=", "arn:aws:iam", "StringToSign"):
        assert secret not in told
    if fault == "slow down":
        assert "SlowDown at attempt 1; again in" in caplog.text


# --- the command --------------------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudsigma", "scan", *arguments],
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_the_command_reads_s3(trail: Any, proxy: Any) -> None:
    arguments = ["--format", "ids", "--account", "777788889999", "--since", "2025-03-09", "--until", "2025-03-10"]
    run = command(*arguments, trail.url)
    assert [line.split("\t")[1] for line in run.stdout.splitlines()] == expected(
        trail,
        lambda _, r: (
            (r["eventName"], r["recipientAccountId"], r["eventTime"][:10])
            == ("CreateGroup", "777788889999", "2025-03-09")
        ),
    )
    assert (run.returncode, "Traceback" in run.stderr) == (1, False)
    assert "left out, as asked: " in run.stderr


def test_the_command_tells_what_it_could_not_read(trail: Any, proxy: Any) -> None:
    run = command("s3://no-such-bucket-here")
    assert run.returncode == 4
    assert "there is no such bucket" in run.stderr
    run = command("s3://")
    assert run.returncode == 2
    assert "names no bucket; write s3://BUCKET" in " ".join(run.stderr.split())


def test_a_source_reads_like_a_file(trail: Any, proxy: Any, client: S3Options) -> None:
    [source] = find_objects(f"s3://{trail.bucket}/{next(iter(trail.records))}", Recorder(), Selection())
    assert isinstance(source, Source)
    with source.open() as stream:
        assert source.read_whole(stream, 10) is None
        assert stream.tell() == 0
        data = source.read_whole(stream, 1 << 20)
    assert data is not None
    assert json.loads(gzip.decompress(data))["Records"] == next(iter(trail.records.values()))
