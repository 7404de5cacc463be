"""`python -m cloudsigma.spark`: files to a folder of Parquet, so that the plain case needs no program."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option, option_group
from cloudsigma.cli.path_types import INPUT
from cloudsigma.cli.reading_options import selection_options
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.scan_summary import summary_of
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.errors import ExecutorError
from cloudsigma.escaping import printable
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.spark.account import account, missing
from cloudsigma.spark.batch import SETTINGS, binary_files, scan_selected
from cloudsigma.spark.correlating import correlate
from cloudsigma.spark.preflight import require_spark
from cloudsigma.spark.row_schema import FILE, MATCH, SCHEMA, SUPPRESSED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_OPTIONS = (
    option("--output", metavar="DIR", required=True, help="A folder for the rows, as Spark writes it. It must be new."),
    option("--overwrite", is_flag=True, help="Replace the folder, if it is there."),
    option("--no-dedup", is_flag=True, help="Give every match, also of an event that is delivered twice."),
    option("--exit-zero", is_flag=True, help="Exit with 0 where matches were found, instead of 1."),
    option(
        "--conf", metavar="NAME=VALUE", multiple=True,
        help="A setting of the Spark session, such as spark.master=local[4]. Repeatable; spark-submit has its own.",
    ),
)  # fmt: skip


@click.command("spark", cls=GroupedCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=INPUT)
@rule_options()
@selection_options()
@option_group("Spark and output", *_OPTIONS)
@limit_options()
def command(
    paths: tuple[str, ...],
    choice: Choice,
    selection: Selection,
    limits: Limits,
    output: str,
    conf: tuple[str, ...],
    *,
    overwrite: bool,
    no_dedup: bool,
    exit_zero: bool,
) -> int:
    """Find what matches in files of CloudTrail records, on Spark.

    PATH is a file, a folder that all machines share, a pattern, s3://BUCKET/PREFIX, or a URL of Hadoop. The rows go to
    DIR as Parquet, one folder for each kind; the account of the reading goes to standard error.
    """
    settings = dict(_setting(each) for each in conf)
    with usage_errors():
        require_spark()
    rules = choice.load()
    session = _session(settings)
    try:
        with _spark_errors(), usage_errors():
            rows = scan_selected(session, paths, rules, selection, limits, dedup=not no_dedup)
            rows.write.mode("overwrite" if overwrite else "error").partitionBy("kind").parquet(output)
            written = _written(session, output)
            repeated = _repeated(written)
            others = binary_files(session, paths)
            if others is not None:
                missing(others, written).write.mode("append").partitionBy("kind").parquet(output)
            if any(rule.correlation is not None for rule in rules):
                correlate(written, rules).write.mode("append").partitionBy("kind").parquet(output)
            outcome = _outcome(_written(session, output), repeated)
    finally:
        session.stop()
    screen().tell(summary_of(outcome, rules), problem=not outcome.complete)
    return exit_codes.combined(
        found=bool(outcome.total),
        rules_left_out=bool(rules.errors),
        input_lost=not outcome.complete,
        exit_zero=exit_zero,
    )


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.startswith("spark."):
        raise click.UsageError(f"--conf takes NAME=VALUE with a name of Spark's, not {printable(text)!r}.")
    return name, value


def _session(settings: dict[str, str]) -> SparkSession:
    from pyspark.sql import SparkSession

    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted and settings.get("spark.master", "local").startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else it is the first `python3` of the path
    builder = SparkSession.builder.appName("cloudsigma")
    for name, value in {**SETTINGS, **settings}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


@contextmanager
def _spark_errors() -> Iterator[None]:
    """Convert errors of Spark to a message of a line or two."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (ExecutorError, click.ClickException):
        raise
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise click.ClickException(f"Spark gave up: {printable(' '.join(lines[:2])[:600])}") from error


def _written(session: SparkSession, output: str) -> DataFrame:
    return session.read.schema(SCHEMA).parquet(output)


def _repeated(rows: DataFrame) -> int:
    """The matches that are missing from the rows, since the same event had matched the same rule before."""
    from pyspark.sql import functions as sql

    found = rows.filter(sql.col("kind") == FILE).select(sql.element_at("counts", f"rows:{MATCH}").alias("number"))
    total = found.agg(sql.sum("number")).collect()[0][0] or 0
    kept: int = rows.filter(sql.col("kind") == MATCH).count()
    return int(total) - kept


def _outcome(rows: DataFrame, repeated: int) -> ScanOutcome:
    from pyspark.sql import functions as sql

    counts = rows.filter(sql.col("kind").isin(MATCH, SUPPRESSED)).groupBy("kind", "rule_id").count().collect()
    by_kind: dict[str, dict[str, int]] = {MATCH: {}, SUPPRESSED: {}}
    for each in counts:
        by_kind[each["kind"]][each["rule_id"]] = each["count"]
    return ScanOutcome(by_kind[MATCH], repeated, by_kind[SUPPRESSED], finished=True, ledger=account(rows))
