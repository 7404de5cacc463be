"""Tables on Spark: the matches of the files that they were made of, whatever form the columns have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
import cloudsigma.spark as on_spark

TESTS = Path(__file__).parent.parent
TRAIL = TESTS.parent / "examples" / "trail"
RECORDS = [dict(record) for record in cloudsigma.read_records(TRAIL)]
RULES = cloudsigma.bundled_rules()

Table = Callable[[Any, Path], Any]


def keys_of(rows: Any) -> list[str]:
    return sorted(each["key"] for each in on_spark.matches(rows).select("key").collect())


def expected(records: list[dict[str, Any]] = RECORDS) -> list[str]:
    return sorted({match.key for match in RULES.evaluate(records)})


def as_json(spark: Any, folder: Path) -> Any:
    return spark.createDataFrame([(json.dumps(record),) for record in RECORDS], "raw string")


def as_pretty_bytes(spark: Any, folder: Path) -> Any:
    rows = [(1, bytearray(json.dumps(record, indent=2).encode())) for record in RECORDS]
    return spark.createDataFrame(rows, "number int, body binary")


def as_envelopes(spark: Any, folder: Path) -> Any:
    """A log file in each row, as a stream of Firehose or a topic may have it."""
    rows = [(json.dumps({"Records": RECORDS[at : at + 7]}),) for at in range(0, len(RECORDS), 7)]
    return spark.createDataFrame(rows, "raw string")


def as_structs(spark: Any, folder: Path) -> Any:
    """Columns as Spark infers them, and then as Parquet has them."""
    (folder / "lines.json").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    spark.read.json(str(folder / "lines.json")).write.parquet(str(folder / "table"))
    return spark.read.parquet(str(folder / "table"))


_IDENTITY = (
    "struct<type:string,principalid:string,arn:string,accountid:string,invokedby:string,accesskeyid:string,"
    "username:string,sessioncontext:struct<attributes:struct<mfaauthenticated:string,creationdate:string>,"
    "sessionissuer:struct<type:string,principalid:string,arn:string,accountid:string,username:string>>>"
)
_ATHENA = (
    f"eventversion string, useridentity {_IDENTITY}, eventtime string, eventsource string, eventname string, "
    "awsregion string, sourceipaddress string, useragent string, errorcode string, errormessage string, "
    "requestparameters string, responseelements string, additionaleventdata string, requestid string, eventid string, "
    "readonly string, eventtype string, apiversion string, recipientaccountid string, sharedeventid string, "
    "vpcendpointid string"
)
"""The columns that AWS gives for Athena, in Spark's DDL."""


def lowered(value: Any) -> Any:
    return {name.lower(): lowered(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def as_athena(spark: Any, folder: Path) -> Any:
    """AWS's DDL for Athena: lower-case names, parameters as JSON text, and a column of the partition."""
    rows = []
    for record in RECORDS:
        row = {
            name.lower(): value if isinstance(value, str) else json.dumps(value) for name, value in record.items()
        } | {"useridentity": lowered(record["userIdentity"])}  # fmt: skip
        rows.append(json.dumps(row))
    text = folder / "athena.json"
    text.write_text("\n".join(rows))
    table = (
        spark.read.schema(_ATHENA)
        .json(str(text))
        .selectExpr("*", "'us-east-1' as region", "'2025/03/04' as `timestamp`")
    )
    table.write.parquet(str(folder / "athena"))
    return spark.read.parquet(str(folder / "athena"))


@pytest.mark.parametrize("table", [as_json, as_pretty_bytes, as_envelopes, as_structs, as_athena])
def test_tables_give_the_matches_of_their_files(spark: Any, tmp_path: Path, table: Table) -> None:
    """S5; the reader's account counts every record."""
    column = "body" if table is as_pretty_bytes else None
    rows = on_spark.match_table(table(spark, tmp_path), RULES, column).cache()
    assert keys_of(rows) == expected()
    account = on_spark.account(rows)
    assert account.records == len(RECORDS)
    assert not account.losses


def test_security_lake(spark: Any, tmp_path: Path) -> None:
    """OCSF as structs in Parquet, as Security Lake keeps it, through the reader of files."""
    lake = TESTS / "reading" / "forms" / "ocsf.parquet"
    rows = on_spark.match_table(spark.read.parquet(str(lake)), RULES).cache()
    files = cloudsigma.scan(lake)
    assert keys_of(rows) == sorted({match.key for match in files})
    assert keys_of(rows)
    assert on_spark.account(rows).records == files.ledger.records


def test_kafka(spark: Any) -> None:
    """The columns of Spark's Kafka source: losses name topic, partition and first offset; tombstones are counted."""
    values: list[Any] = [json.dumps(record).encode() for record in RECORDS]
    values[3:3] = [None, b"no JSON"]
    rows = [(None, None if v is None else bytearray(v), "trail", 2, 1000 + at) for at, v in enumerate(values)]
    schema = "key binary, value binary, topic string, partition int, offset bigint"
    found = on_spark.match_table(spark.createDataFrame(rows, schema).coalesce(1), RULES).cache()
    assert keys_of(found) == expected()
    (loss,) = on_spark.account(found).losses
    assert loss.path == "trail/2@1000"
    assert on_spark.account(found).recognized["row without a value"] == 1


def test_names_that_differ_in_case_alone(spark: Any, tmp_path: Path) -> None:
    """CloudTrail has `description` and `Description`: both are kept, and a session that merges them is told."""
    record = {**RECORDS[0], "Description": "a", "description": "b"}
    (tmp_path / "a.json").write_text(json.dumps(record))
    table = spark.read.json(str(tmp_path / "a.json"))
    rules = cloudsigma.compile_text(
        "title: t\nlogsource: {product: aws, service: cloudtrail}\n"
        "detection: {s: {Description: a, description: b}, condition: s}"
    )
    assert on_spark.match_table(table, rules).filter("kind = 'match'").count() == 1
    spark.conf.set("spark.sql.caseSensitive", "false")
    try:
        with pytest.raises(cloudsigma.UsageError, match=r"spark\.sql\.caseSensitive"):
            on_spark.match_table(table, rules)
    finally:
        spark.conf.set("spark.sql.caseSensitive", "true")


def test_times_are_written_in_utc(spark: Any) -> None:
    """A timestamp column means the same instant in a session of another time zone."""
    table = spark.createDataFrame([(json.dumps(RECORDS[0]),)], "raw string").selectExpr(
        "get_json_object(raw, '$.eventName') as eventName", "timestamp '2025-03-04 10:15:30+00:00' as eventTime",
        "get_json_object(raw, '$.eventSource') as eventSource", "'x' as eventID", "'AwsApiCall' as eventType",
    )  # fmt: skip
    rules = cloudsigma.compile_text(
        "title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventID: x}, condition: s}"
    )
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        (row,) = on_spark.matches(on_spark.match_table(table, rules)).collect()
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert json.loads(row["match"])["context"]["time"] == "2025-03-04T10:15:30Z"


def test_wrong_columns_are_told(spark: Any) -> None:
    table = spark.createDataFrame([(1, "x")], "number int, text string")
    with pytest.raises(cloudsigma.UsageError, match="there is no column 'raw'; the table has number, text"):
        on_spark.match_table(table, RULES, "raw")
    with pytest.raises(cloudsigma.UsageError, match="is int, not text or binary"):
        on_spark.match_table(table, RULES, "number")
    with pytest.raises(cloudsigma.UsageError, match="no column path"):
        on_spark.match_files(table, RULES)
