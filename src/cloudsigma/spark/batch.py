"""Files and tables in one pass: a DataFrame of matches and of the account of the reading."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from cloudsigma.arguments import check_flag, check_instance
from cloudsigma.errors import UsageError, WrongTypeError
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection, select
from cloudsigma.reading.scope.time_window import Moment
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.spark.file_rows import Reading, handed_files, listed_files
from cloudsigma.spark.listing import list_tasks, own_path
from cloudsigma.spark.portable_rules import portable
from cloudsigma.spark.preflight import check_executors, require_spark
from cloudsigma.spark.row_schema import MATCH, SCHEMA, SUPPRESSED
from cloudsigma.spark.table_lines import line_column
from cloudsigma.spark.table_rows import table_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_log = logging.getLogger("cloudsigma")

SETTINGS = {
    # Files that Spark hands over (`match_files`) go to Python in batches; 10,000 files would be gigabytes.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "512",
    # Log files are small; by default each counts as 4 MB when files are packed into tasks.
    "spark.sql.files.openCostInBytes": "65536",
    # A micro-batch of more than 32 files would otherwise begin with a job that lists them: 1 s instead of 0.02 s.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "100000",
    # `description` and `Description` are two members of CloudTrail's records.
    "spark.sql.caseSensitive": "true",
    # The time zone of `event_time` where it is shown.
    "spark.sql.session.timeZone": "UTC",
}
"""Settings of a session that suit CloudTrail: give them to its builder. `python -m cloudsigma.spark` uses them."""

Rules = RuleSet | str | os.PathLike[str]
"""A rule set, or the path of one that `cloudsigma compile` wrote."""


def scan(
    spark: SparkSession,
    path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    rules: Rules,
    *,
    dedup: bool = True,
    since: Moment | None = None,
    until: Moment | None = None,
    accounts: str | Iterable[str] = (),
    regions: str | Iterable[str] = (),
    limits: Limits | None = None,
    check: bool = True,
) -> DataFrame:
    """The matches of log files, and the account of them, as one DataFrame: read in one pass, when it is written.

        rows = cloudsigma.spark.scan(spark, "s3://trail/AWSLogs/", rules, since="7d")
        rows.write.partitionBy("kind").parquet(output)
        matches = cloudsigma.spark.matches(spark.read.parquet(output))

    Every action on the DataFrame reads the files again, so write it first. The driver lists the files now, but opens
    none of them. Each is read as `cloudsigma.scan` reads it, with the same bounds and the same reasons for losses.

    Args:
        spark: The session.
        path: A file, a folder, a pattern or `s3://bucket/prefix`, or several of them. Executors open files by the same
            path, so a folder must be one that all machines share. `hdfs://`, `abfss://`, `gs://` and other schemes of
            Hadoop are read by Spark's format `binaryFile`; see `missing` for the files that it leaves out.
        rules: The rules, or the file of a compiled set.
        dedup: Return one match if the same event matches the same rule more than once.
        since: Only events of this time or later; see `cloudsigma.read_records`, also for the three below.
        until: Only events before this time.
        accounts: Only events of these accounts.
        regions: Only events of these regions.
        limits: Bounds on sizes, depth and numbers.
        check: Run one task first, which compares the executors' environment with the driver's.

    Returns:
        Rows of `COLUMNS`; those of kind `suppressed` are for `correlate`, which makes the matches of correlations.

    Raises:
        ExecutorError: The executors have another Python, other versions or other rules.
        MissingPackageError: PySpark or pyarrow is missing.
        UsageError: A time, account, region or S3 URL is not valid, or the extra that reads S3 is not installed.
    """
    selection = select(since, until, accounts, regions)
    return scan_selected(spark, path, rules, selection, limits, dedup=dedup, check=check)


def scan_selected(
    spark: SparkSession,
    path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    rules: Rules,
    selection: Selection,
    limits: Limits | None,
    *,
    dedup: bool = True,
    check: bool = True,
) -> DataFrame:
    """`scan`, with the filters as one value."""
    require_spark()
    reading = _reading(rules, selection, limits, dedup=dedup, check=check)
    if check:
        check_executors(spark, reading.rules)
    _tell_of_correlations(reading)
    own = [name for each in _paths(path) if (name := own_path(each)) is not None]
    others = binary_files(spark, path)
    rows: DataFrame | None = None
    if own:
        listed = enumerate(list_tasks(own, reading.selection))
        tasks = [(number, msgspec.msgpack.encode(task)) for number, task in listed]
        # By range, so that each partition gets one task; by hash some would get three, and some none.
        tasked = spark.createDataFrame(tasks, "number int, task binary").repartitionByRange(len(tasks), "number")
        rows = tasked.mapInArrow(listed_files(reading), SCHEMA)
    if others is not None:
        more = others.select("path", "content").mapInArrow(handed_files(reading), SCHEMA)
        rows = more if rows is None else rows.unionByName(more)
    if rows is None:
        raise UsageError("path names no file or folder")
    return without_repeats(rows) if dedup else rows


def binary_files(
    spark: SparkSession, path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
) -> DataFrame | None:
    """The files below those paths that only Hadoop can read, by the format `binaryFile`; `None` if there are none."""
    others = [os.fspath(each) for each in _paths(path) if own_path(each) is None]
    if not others:
        return None
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    return reader.option("ignoreMissingFiles", "true").load(others)


def match_files(
    df: DataFrame, rules: Rules, *, dedup: bool = True, limits: Limits | None = None, check: bool = True
) -> DataFrame:
    """The matches of files in a DataFrame, and the account of them; see `scan`.

    Args:
        df: Files: columns `path` and `content`, as the format `binaryFile` and Databricks' Auto Loader give them, batch
            or streaming. Without `content`, executors open the paths themselves: `s3://` with the project's own client,
            sixteen at a time, which is far quicker than `binaryFile`.
        rules: The rules, or the file of a compiled set.
        dedup: See `scan`; of a streaming DataFrame `stream` removes repeated matches.
        limits: Bounds on sizes, depth and numbers.
        check: See `scan`.

    Raises:
        ExecutorError: See `scan`.
        UsageError: There is no column `path`.
    """
    require_spark()
    if "path" not in df.columns:
        raise UsageError(
            f"the DataFrame has no column path, but {', '.join(df.columns[:10])}; use match_table for tables"
        )
    reading = _reading(rules, Selection(), limits, dedup=dedup, check=check)
    if check:
        check_executors(df.sparkSession, reading.rules)
    _tell_of_correlations(reading)
    names = [name for name in ("path", "content") if name in df.columns]
    rows = df.select(*names).mapInArrow(handed_files(reading), SCHEMA)
    return without_repeats(rows) if dedup and not df.isStreaming else rows


def match_table(
    df: DataFrame,
    rules: Rules,
    column: str | None = None,
    *,
    name: str = "table",
    dedup: bool = True,
    limits: Limits | None = None,
    check: bool = True,
) -> DataFrame:
    """The matches of a table of records, and the account of its rows; see `scan`.

    Rows go through the same reader as files, so every form that files have is understood: Athena's and Glue's tables
    with lower-case names and parameters as JSON text, Security Lake, records inside envelopes.

    Args:
        df: The table, batch or streaming: of Glue, Athena, Iceberg, Delta, Kafka.
        rules: The rules, or the file of a compiled set.
        column: The column that holds each record as JSON, text or binary. Default: `value` of Kafka's source, or the
            only column if it is text or binary; else a row is a record, its columns are the members.
        name: The name of the table in the column `path`.
        dedup: See `scan`; of a streaming DataFrame `stream` removes repeated matches.
        limits: Bounds on sizes, depth and numbers.
        check: See `scan`.

    Raises:
        ExecutorError: See `scan`.
        UsageError: The column does not exist, or holds neither text nor bytes.
    """
    require_spark()
    lines = line_column(df, column)
    reading = _reading(rules, Selection(), limits, dedup=dedup, check=check)
    if check:
        check_executors(df.sparkSession, reading.rules)
    _tell_of_correlations(reading)
    rows = lines.mapInArrow(table_rows(reading, name), SCHEMA)
    return without_repeats(rows) if dedup and not df.isStreaming else rows


def without_repeats(rows: DataFrame) -> DataFrame:
    """The rows with one match for each rule and event; two records without an ID are two events."""
    from pyspark.sql import functions as sql

    is_match = sql.col("kind").isin(MATCH, SUPPRESSED)
    is_known = is_match & sql.col("event_id").isNotNull()
    place = sql.struct("kind", "path", "position", "reason", "place")
    identity: Any = sql.to_json(
        sql.struct(
            sql.when(is_match, sql.col("rule_id")).alias("rule"),
            sql.when(is_match, sql.col("key")).alias("key"),
            sql.when(~is_known, place).alias("at"),
        )
    )
    return rows.withColumn("_identity", identity).dropDuplicates(["_identity"]).drop("_identity")


def _reading(rules: Rules, selection: Selection, limits: Limits | None, *, dedup: bool, check: bool) -> Reading:
    check_flag("dedup", dedup)
    check_flag("check", check)
    check_instance("limits", limits, Limits, "a cloudsigma.Limits, or None")
    return Reading(portable(rules), selection, limits or Limits())


def _paths(path: object) -> tuple[str | os.PathLike[str], ...]:
    paths = (path,) if isinstance(path, (str, os.PathLike)) else tuple(path) if isinstance(path, Iterable) else None
    if paths is None or not all(isinstance(each, (str, os.PathLike)) for each in paths):
        raise WrongTypeError("path", path, "a path or URL, or several of them")
    return paths


def _tell_of_correlations(reading: Reading) -> None:
    if count := reading.rules.correlations:
        _log.info(
            "%d correlations: write the rows, then cloudsigma.spark.correlate(written, rules) makes their matches",
            count,
        )
