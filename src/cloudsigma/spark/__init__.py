"""The same rules, matches and account on Spark: files, tables and streams of a lake.

    rows = cloudsigma.spark.scan(spark, "s3://trail/AWSLogs/", rules)
    rows.write.partitionBy("kind").parquet(output)

A thin layer: executors run the project's own reader and rules over what Spark hands them. See `docs/how-to/spark.md`.
"""

from cloudsigma.spark.account import account, ledger, matches, missing
from cloudsigma.spark.batch import SETTINGS, match_files, match_table, scan
from cloudsigma.spark.correlating import correlate
from cloudsigma.spark.row_schema import COLUMNS
from cloudsigma.spark.streaming import stream

__all__ = [
    "COLUMNS",
    "SETTINGS",
    "account",
    "correlate",
    "ledger",
    "match_files",
    "match_table",
    "matches",
    "missing",
    "scan",
    "stream",
]
