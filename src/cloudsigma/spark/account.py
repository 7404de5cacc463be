"""Rows that were written → the matches, the account of the reading, and the files that Spark left out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from cloudsigma.reading.account.ledger import Ledger, Loss
from cloudsigma.spark.counts import ledger_of
from cloudsigma.spark.row_schema import FILE, LISTING, LOSS, MATCH, SCHEMA, row

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NAMED = 10_000
"""Most losses that `account` names; the rest is one entry."""


def matches(rows: DataFrame) -> DataFrame:
    """The matches among rows, best of those that were written: filtering `scan(…)` itself reads all files again."""
    from pyspark.sql import functions as sql

    return rows.filter(sql.col("kind") == MATCH)


def ledger(rows: DataFrame) -> DataFrame:
    """The account among rows: each file that was read, what listings skipped, and each loss with its reason."""
    from pyspark.sql import functions as sql

    return rows.filter(sql.col("kind").isin(FILE, LISTING, LOSS))


def account(rows: DataFrame) -> Ledger:
    """The account among rows as one value, as `cloudsigma.scan(…).ledger`, added up by Spark.

    At most 10,000 losses are named; a last one counts the rest.
    """
    from pyspark.sql import functions as sql

    read = ledger(rows)
    total = read.filter(sql.col("kind") != LOSS).agg(sql.sum("records"), sql.sum("stored_bytes")).collect()[0]
    pairs = read.filter(sql.col("kind") != LOSS).select(sql.explode("counts").alias("name", "number"))
    sums = pairs.groupBy("name").agg(sql.sum("number").alias("number")).collect()
    lost = read.filter(sql.col("kind") == LOSS)
    named = lost.orderBy("path", "place").limit(_NAMED).select("path", "reason", "place", "records", "counts").collect()
    losses = [
        Loss(each["path"], each["reason"], each["place"], each["records"] or 0, (each["counts"] or {}).get("places", 1))
        for each in named
    ]
    if len(named) == _NAMED and (more := lost.count() - _NAMED):
        losses.append(Loss("", f"{more:,} more losses, in the rows of kind {LOSS}", places=more))
    counts = {each["name"]: int(each["number"]) for each in sums}
    return ledger_of(counts, int(total[0] or 0), int(total[1] or 0), losses)


def missing(files: DataFrame, rows: DataFrame) -> DataFrame:
    """A row of kind `loss` for each file that Spark listed and did not hand over.

    `binaryFile` leaves empty files out, and with `ignoreMissingFiles` those that were deleted meanwhile. Neither is
    told. (Files whose names begin with `_` or `.` it does not even list.)

    Args:
        files: The DataFrame of files that was given to `match_files`.
        rows: The rows that were written.
    """
    there = {_plain(each["path"]) for each in ledger(rows).select("path").distinct().collect()}
    lost = [path for path in files.inputFiles() if _plain(unquote(path)) not in there and _plain(path) not in there]
    reason = "Spark did not hand it over: it is empty, or was deleted before it was read"
    return files.sparkSession.createDataFrame([row(LOSS, path=path, reason=reason, records=0) for path in lost], SCHEMA)


def _plain(path: str) -> str:
    """A URL with one slash after its scheme, as Hadoop writes paths of the local file system."""
    scheme, separator, rest = path.partition(":/")
    return f"{scheme}:/{rest.lstrip('/')}" if separator else path
