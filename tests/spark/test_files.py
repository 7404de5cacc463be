"""Files on Spark: the matches and the account of `scan`, whatever is in the folder."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
import cloudsigma.spark as on_spark
from cloudsigma.reading.account.ledger import Ledger

ROOT = Path(__file__).parent.parent.parent
TRAIL = ROOT / "examples" / "trail"


def call(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08", "eventTime": "2025-03-04T10:15:30Z", "eventSource": "iam.amazonaws.com",
        "eventName": name, "eventID": f"id-{number}", "eventType": "AwsApiCall", "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333", "sourceIPAddress": "192.0.2.1",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice"},
        "requestParameters": {"groupName": f"group-{number}"}, **more,
    }  # fmt: skip


def log_file(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps({"Records": list(records)}).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def written(rows: Any, folder: Path) -> Any:
    out = str(folder / "rows")
    rows.write.mode("overwrite").partitionBy("kind").parquet(out)
    return rows.sparkSession.read.parquet(out)


def lines_of(rows: Any) -> list[str]:
    return sorted(each["match"] for each in on_spark.matches(rows).collect())


def expected(scan: cloudsigma.Scan) -> list[str]:
    return sorted(match.to_json() for match in scan)


def same_account(ours: Ledger, theirs: Ledger) -> None:
    names = (
        "files", "bytes", "inflated", "records", "forms", "files_by_form", "bytes_by_form", "recognized",
        "not_looked_at", "left_out", "kept",
    )  # fmt: skip
    assert {name: getattr(ours, name) for name in names} == {name: getattr(theirs, name) for name in names}
    assert sorted(map(str, ours.losses)) == sorted(map(str, theirs.losses))


@pytest.mark.parametrize("rules", ["bundled", "sigmahq_rules/cloudtrail", "suzaku_rules"])
def test_the_matches_and_the_account_are_those_of_scan(
    spark: Any, folder: Path, rules: str, request: pytest.FixtureRequest
) -> None:
    """S1, with 4, 57 and 700 rules: whole matches, and every number of the ledger."""
    if rules == "bundled":
        loaded = cloudsigma.bundled_rules()
    else:
        corpus = request.getfixturevalue("shared_corpus")
        loaded = cloudsigma.compile_rules(corpus / rules, on_error="skip")
    scan = cloudsigma.scan(TRAIL, rules=loaded)
    rows = written(on_spark.scan(spark, TRAIL, loaded), folder)
    assert lines_of(rows) == expected(scan)
    same_account(on_spark.account(rows), scan.ledger)


def bad_folder(folder: Path) -> Path:
    """Files that are cut, empty, a bomb, no JSON, an archive, of unknown names; and good ones."""
    top = folder / "trail"
    log_file(top / "good.json.gz", call("CreateGroup", 1))
    log_file(top / "bad element.json", call("CreateGroup", 2), 7, call("DeleteGroup", 3))
    whole = gzip.compress(json.dumps({"Records": [call("CreateGroup", n) for n in range(4, 300)]}).encode())
    (top / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    (top / "empty.json").write_bytes(b"")
    (top / "bomb.json.gz").write_bytes(gzip.compress(b" " * 40_000_000))
    (top / "text.json").write_text("hello")
    (top / "notes.txt").write_text("nothing here")
    (top / "archive.zip").write_bytes(b"PK\x03\x04" + b"\0" * 60)
    log_file(top / "saved.txt", call("CreateGroup", 400))
    log_file(top / "deep" / "ümlaut [1].json", call("DeleteGroup", 401))
    return top


def test_bad_files_are_losses_with_the_reasons_of_scan(spark: Any, folder: Path) -> None:
    """S2: the job ends well, and healthy neighbours give their matches."""
    top = bad_folder(folder)
    scan = cloudsigma.scan(top)
    wanted = expected(scan)
    assert len(scan.ledger.losses) >= 5
    rows = written(on_spark.scan(spark, top, cloudsigma.bundled_rules()), folder)
    assert lines_of(rows) == wanted
    same_account(on_spark.account(rows), scan.ledger)


def test_binary_files_are_read_alike(spark: Any, folder: Path) -> None:
    """Files that Spark hands over; those that it drops without a word are told by `missing`."""
    top = bad_folder(folder)
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(str(top))
    rows = written(on_spark.match_files(files, cloudsigma.bundled_rules()), folder)
    scan = cloudsigma.scan(top)
    assert [json.loads(line)["key"] for line in lines_of(rows)] == [json.loads(line)["key"] for line in expected(scan)]
    account = on_spark.account(rows)
    assert sorted(loss.reason for loss in account.losses) == sorted(
        loss.reason for loss in scan.ledger.losses if "empty" not in loss.path
    )
    assert account.not_looked_at == {".txt": 1}
    (lost,) = on_spark.missing(files, rows).collect()
    assert lost["path"].endswith("/empty.json")
    assert lost["kind"] == "loss"
    assert "did not hand it over" in lost["reason"]


def test_paths_without_content_are_opened_by_executors(spark: Any, folder: Path) -> None:
    """A listing is enough; a file that is gone is a loss."""
    top = bad_folder(folder)
    gone = top / "gone.json"
    names = [(str(path),) for path in (top / "good.json.gz", gone)] + [("hdfs:///trail/a.json",)]
    rows = written(
        on_spark.match_files(spark.createDataFrame(names, "path string"), cloudsigma.bundled_rules()), folder
    )
    assert len(lines_of(rows)) == 1
    reasons = {Path(loss.path).name: loss.reason for loss in on_spark.account(rows).losses}
    assert reasons["gone.json"] == "there is no such file or folder"
    assert "only Hadoop" in reasons["a.json"]


def test_objects_in_s3(spark: Any, s3_server: str, folder: Path) -> None:
    """Listed by the driver, fetched by executors; what is damaged or gone is told as `scan` tells it."""
    import boto3

    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket="trail")
    prefix = "AWSLogs/111122223333/CloudTrail/us-east-1/2025/03"
    for day in (4, 5):
        for number in range(40):
            body = gzip.compress(json.dumps({"Records": [call("CreateGroup", 100 * day + number)]}).encode())
            key = f"{prefix}/{day:02}/111122223333_CloudTrail_us-east-1_202503{day:02}T1015Z_x{number}.json.gz"
            client.put_object(Bucket="trail", Key=key, Body=body[:-20] if number == 7 else body)
    for arguments in ({}, {"until": "2025-03-04T12:00"}):
        scan = cloudsigma.scan("s3://trail/AWSLogs/", **arguments)
        wanted = expected(scan)
        rows = written(on_spark.scan(spark, "s3a://trail/AWSLogs/", cloudsigma.bundled_rules(), **arguments), folder)
        assert lines_of(rows) == wanted
        same_account(on_spark.account(rows), scan.ledger)
    lazy = on_spark.scan(spark, "s3://trail/AWSLogs/", cloudsigma.bundled_rules())
    client.delete_object(Bucket="trail", Key=f"{prefix}/04/111122223333_CloudTrail_us-east-1_20250304T1015Z_x0.json.gz")
    (gone,) = [each for each in on_spark.account(written(lazy, folder)).losses if "x0.json" in each.path]
    assert "there is no such object" in gone.reason


def test_repeated_deliveries_are_one_match(spark: Any, folder: Path) -> None:
    """As in `scan`: by rule and event; two records without an ID are two events."""
    nameless = {name: value for name, value in call("CreateGroup", 2).items() if name != "eventID"}
    log_file(folder / "trail" / "a.json", call("CreateGroup", 1), nameless, nameless)
    log_file(folder / "trail" / "b.json", call("CreateGroup", 1), call("DeleteGroup", 1))
    rules = cloudsigma.bundled_rules()
    for dedup in (True, False):
        rows = written(on_spark.scan(spark, folder / "trail", rules, dedup=dedup), folder)
        keys = sorted(each["key"] for each in on_spark.matches(rows).select("key").collect())
        assert keys == sorted(match.key for match in cloudsigma.scan(folder / "trail", dedup=dedup))
        assert len(keys) == (4 if dedup else 5)
        assert on_spark.ledger(rows).filter("kind = 'file'").count() == 2


def test_columns_of_a_match(spark: Any, folder: Path) -> None:
    """The contract: names, types and values."""
    log_file(folder / "a.json", call("CreateGroup", 1))
    (row,) = on_spark.matches(on_spark.scan(spark, folder / "a.json", cloudsigma.bundled_rules())).collect()
    assert row.__fields__ == list(on_spark.COLUMNS)
    (match,) = cloudsigma.scan(folder / "a.json")
    values = row.asDict()
    assert values.pop("match") == match.to_json()
    assert str(values.pop("event_time").astimezone().timestamp()) == "1741083330.0"
    assert len(values.pop("rules_digest")) == 16
    assert {name: value for name, value in values.items() if value is not None} == {
        "kind": "match", "path": str(folder / "a.json"), "position": 0, "rule_id": match.rule_id,
        "rule_title": "IAM Group Created", "level": match.rule.level, "key": match.key, "event_id": "id-1",
        "account": "111122223333", "region": "us-east-1", "principal": "arn:aws:iam::111122223333:user/alice",
        "resource": str(match.context.resource), "source_ip": "192.0.2.1", "outcome": "success",
    }  # fmt: skip


def test_executors_need_no_compiler(spark: Any, folder: Path) -> None:
    """S8: with pySigma, YAML and the compiler blocked, the executors read, match and write rows."""
    from cloudsigma.spark.file_rows import Reading, handed_files
    from cloudsigma.spark.portable_rules import portable
    from cloudsigma.spark.row_schema import SCHEMA

    log_file(folder / "a.json", call("CreateGroup", 1))
    reading = Reading(portable(cloudsigma.bundled_rules()))

    def blocked(batches: Any) -> Any:
        import sys

        forbidden = ("sigma", "yaml", "pyparsing", "jsonpath_ng", "cloudsigma.compiler", "cloudsigma.cli", "click")
        for name in [
            name for name in sys.modules if name.split(".")[0] in forbidden or name.startswith(forbidden[-3:])
        ]:
            del sys.modules[name]

        class Blocker:
            def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
                if name in forbidden:
                    raise ImportError(f"{name} is blocked")

        blocker = Blocker()
        sys.meta_path.insert(0, blocker)
        try:
            yield from handed_files(reading)(batches)
        finally:
            sys.meta_path.remove(blocker)

    files = spark.createDataFrame([(str(folder / "a.json"),)], "path string")
    kinds = sorted(each["kind"] for each in files.mapInArrow(blocked, SCHEMA).select("kind").collect())
    assert kinds == ["file", "match"]


def test_differences_of_executors_are_one_message(spark: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check compares Python, versions and rules before anything is read, and names all that differs."""
    from cloudsigma.spark import preflight

    log_file(folder / "a.json", call("CreateGroup", 1))
    rules = cloudsigma.compile_text(
        "title: t\nlogsource: {product: aws, service: cloudtrail}\n"
        "detection: {s: {eventName: CreateGroup}, condition: s}"
    )
    here = preflight.environment()
    monkeypatch.setattr(preflight, "environment", lambda: {**here, "Python": "3.99", "msgspec": "0.1"})
    with pytest.raises(cloudsigma.ExecutorError) as caught:
        on_spark.scan(spark, folder, rules)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"Python: {python} there, 3.99 here; msgspec: {here['msgspec']} there, 0.1 here" in str(caught.value)
    assert on_spark.scan(spark, folder, rules, check=False).count() == 2
    monkeypatch.undo()
    assert on_spark.scan(spark, folder, rules).count() == 2
