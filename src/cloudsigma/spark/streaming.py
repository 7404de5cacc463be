"""Streams: each micro-batch is decided on the driver and written as a folder of its own, so kills change nothing."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cloudsigma.arguments import check_flag, check_path
from cloudsigma.errors import UsageError, WrongTypeError
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.time_window import SPANS, read_span
from cloudsigma.spark.batch import Rules, match_files, match_table
from cloudsigma.spark.correlating import CORRELATIONS
from cloudsigma.spark.grouped import check_groupable, correlated_groups
from cloudsigma.spark.portable_rules import portable
from cloudsigma.spark.preflight import require_spark
from cloudsigma.spark.row_schema import FILE, LOSS, MATCH, SCHEMA, SUPPRESSED, Row, row
from cloudsigma.spark.stream_state import FoundMatch, Place, StreamState

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming import StreamingQuery

Output = str | os.PathLike[str] | Callable[["DataFrame", int], object]
"""A folder, or a function that writes the rows of one batch, given its number."""

STATE_FILE = "cloudsigma.sqlite"
"""The state of the driver, beside Spark's checkpoint."""


def stream(
    df: DataFrame,
    rules: Rules,
    *,
    checkpoint: str | os.PathLike[str],
    output: Output,
    lateness: dt.timedelta | str = "1h",
    column: str | None = None,
    state: str | os.PathLike[str] | None = None,
    correlations: Literal["driver", "grouped", "ignore"] = "driver",
    trigger: Mapping[str, Any] | None = None,
    dedup: bool = True,
    limits: Limits | None = None,
    check: bool = True,
) -> StreamingQuery:
    """Start a stream that writes matches and the account of the reading; a killed one resumes without loss or doubles.

    Each micro-batch becomes a folder `batch=N` of Parquet below `output`, replaced as a whole if Spark repeats it, so
    that any reader sees each match once. Its rows are those of `scan`.

    Args:
        df: A streaming DataFrame: of files (`path` and `content`, or `path` alone; see `match_files`), else a table
            (see `match_table`), such as Kafka's.
        rules: The rules, or the file of a compiled set.
        checkpoint: The folder of the checkpoint: Spark's part is in `spark/`.
        output: A folder, as Spark writes it; or a function that is called with the rows of a batch and its number, for
            Delta or Iceberg. It may get the same batch twice, with the same rows, and must write it once.
        lateness: How much later than its time an event may come and count in correlations: a `timedelta`, or `90s`,
            `15m`, `1h`, `2d`. Time frames close that much later.
        column: The column of a table that holds records; see `match_table`.
        state: The file of the driver's state. Default: `cloudsigma.sqlite` in the checkpoint, which must then be a
            folder of the driver's file system; SQLite cannot be in S3.
        correlations: `driver`: one correlator on the driver, for all kinds of correlations, up to some thousand matches
            a second. `grouped`: a state for each correlation and group on the executors; no chains. `ignore`.
        trigger: Arguments of Spark's `trigger`, such as `{"availableNow": True}`. Default: as soon as there is data.
        dedup: Leave a match out if the same event has matched the same rule before, in any of the last 650,000 matches.
        limits: Bounds on sizes, depth and numbers.
        check: See `scan`.

    Returns:
        The query, which runs. Frames that are open when it stops stay open in the checkpoint.

    Raises:
        ExecutorError: See `scan`.
        UsageError: An argument is not valid, the session is of Spark Connect, or the state belongs to another stream.
        CloudSigmaError: The state is damaged or in use.
    """
    require_spark()
    check_flag("dedup", dedup)
    check_path("checkpoint", checkpoint)
    if correlations not in {"driver", "grouped", "ignore"}:
        raise UsageError(f"correlations is {correlations!r}; give 'driver', 'grouped' or 'ignore'")
    if not df.isStreaming:
        raise UsageError(
            "the DataFrame is not a stream; make it with spark.readStream, or use match_files or match_table"
        )
    if type(df.sparkSession).__module__.startswith("pyspark.sql.connect"):
        raise UsageError(
            "stream needs a classic session: under Spark Connect the driver's part would run on the server, without "
            "the files of this machine. Start the program there, with spark-submit."
        )
    span = _span(lateness)
    made = portable(rules)
    loaded = made.load()
    if correlations == "grouped":
        check_groupable(loaded)
    folder = os.fspath(checkpoint)
    file = _state_file(folder, state)
    if "path" in df.columns and column is None:
        rows = match_files(df, rules, dedup=False, limits=limits, check=check)
    else:
        rows = match_table(df, rules, column, dedup=False, limits=limits, check=check)
    if correlations == "grouped":
        rows = correlated_groups(rows, made, span)
    _release(file)
    settings = {
        "the output": None if callable(output) else os.fspath(output),
        "correlations": correlations,
        "dedup": dedup,
    }
    on_driver = correlations == "driver"
    kept = StreamState(file, loaded, made.digest, settings, span, dedup=dedup, correlates=on_driver)
    batches = _Batches(kept, loaded, made.digest, output, correlates=on_driver)
    writer = rows.writeStream.foreachBatch(batches).option("checkpointLocation", f"{folder.rstrip('/')}/spark")
    if trigger is not None:
        writer = writer.trigger(**trigger)
    try:
        batches.query = query = writer.start()
    except BaseException:
        kept.close()
        raise
    _running[file] = batches
    return query


class _Batches:
    """Called by Spark with each micro-batch, on the driver."""

    def __init__(self, state: StreamState, rules: Any, digest: str, output: Output, *, correlates: bool) -> None:
        self.state = state
        self.query: StreamingQuery | None = None
        self._digest = digest
        self._output = output
        self._told = -1
        correlating = (rule.correlation for rule in rules if rule.correlation is not None)
        self._referred = sorted({each for one in correlating for each in one.rules}) if correlates else []

    def __call__(self, rows: DataFrame, number: int) -> None:
        rows = rows.persist()
        try:
            decision = self.state.known(number)
            if decision is None:
                losses = [*self._of_a_new_state(number), *self._dropped(number)]
                decision = self.state.decide(number, self._found(rows), self._files(rows), losses)
            self._write(_without(rows, decision.repeated), decision.given, number)
        finally:
            rows.unpersist()

    def _found(self, rows: DataFrame) -> list[FoundMatch]:
        from pyspark.sql import functions as sql

        text: Any = sql.lit(None).cast("string")
        if self._referred:
            text = sql.when(sql.col("rule_id").isin(self._referred), sql.col("match"))
        matches = rows.filter(sql.col("kind").isin(MATCH, SUPPRESSED))
        columns = ("kind", "path", "position", "rule_id", "key", "event_id")
        found = [FoundMatch(**each.asDict()) for each in matches.select(*columns, text.alias("match")).collect()]
        return sorted(found, key=lambda each: (each.path or "", each.position or 0))

    def _files(self, rows: DataFrame) -> list[str]:
        from pyspark.sql import functions as sql

        return [each["path"] for each in rows.filter(sql.col("kind") == FILE).select("path").collect()]

    def _of_a_new_state(self, number: int) -> list[Row]:
        """A loss if the state is new and the stream is not: open frames and known matches are gone."""
        if not number or self.state.last is not None:
            return []
        reason = f"the state of the stream is missing, and begins anew with batch {number}: its open frames are lost"
        return [row(LOSS, path=CORRELATIONS, reason=reason, records=0, rules_digest=self._digest)]

    def _dropped(self, number: int) -> list[Row]:
        """A loss for matches that Spark dropped in earlier batches of this run, since they came after the watermark."""
        count = 0
        for progress in self.query.recentProgress if self.query is not None else ():
            if self._told < progress["batchId"] < number:
                self._told = progress["batchId"]
                count += sum(int(each.get("numRowsDroppedByWatermark", 0)) for each in progress["stateOperators"])
        if not count:
            return []
        reason = f"{count:,} matches came later than the lateness; they take no part in correlations"
        return [row(LOSS, path=CORRELATIONS, reason=reason, records=0, rules_digest=self._digest)]

    def _write(self, rows: DataFrame, given: list[Row], number: int) -> None:
        if given:
            rows = rows.unionByName(rows.sparkSession.createDataFrame(given, SCHEMA))
        if callable(self._output):
            self._output(rows, number)
        else:
            rows.write.mode("overwrite").parquet(f"{os.fspath(self._output).rstrip('/')}/batch={number}")


_running: dict[str, _Batches] = {}
"""State file → the stream of this process that opened it last."""


def _release(file: str) -> None:
    """Close the state of an earlier stream of this process that has ended."""
    before = _running.pop(file, None)
    if before is None:
        return
    if before.query is not None and before.query.isActive:
        _running[file] = before
        raise UsageError(f"the stream with the state {file} runs; stop it first")
    before.state.close()


def _without(rows: DataFrame, repeated: list[Place]) -> DataFrame:
    from pyspark.sql import functions as sql

    if not repeated:
        return rows
    names = ("rule_id", "key", "path", "position")
    listed = rows.sparkSession.createDataFrame(repeated, "`0` string, `1` string, `2` string, `3` bigint")
    same: Any = None
    for at, name in enumerate(names):
        equal = rows[name].eqNullSafe(listed[str(at)])
        same = equal if same is None else same & equal
    return rows.join(sql.broadcast(listed), same & (rows["kind"] == MATCH), "left_anti")


def _span(lateness: object) -> dt.timedelta:
    span = read_span(lateness) if isinstance(lateness, str) else lateness
    if not isinstance(span, dt.timedelta):
        raise WrongTypeError("lateness", lateness, f"a timedelta, or {SPANS}")
    if span < dt.timedelta(0):
        raise UsageError(f"lateness is {lateness}; give a timedelta of 0 or more")
    return span


def _state_file(checkpoint: str, state: str | os.PathLike[str] | None) -> str:
    if state is not None:
        check_path("state", state)
        return os.fspath(Path(state).absolute())
    folder = checkpoint.removeprefix("file://").removeprefix("file:")
    if ":/" in folder:
        raise UsageError(
            f"the checkpoint {checkpoint!r} is not on the driver's file system, where SQLite needs its file; give "
            "state=FILE, on a disk that outlives the driver"
        )
    Path(folder).mkdir(parents=True, exist_ok=True)
    return os.fspath((Path(folder) / STATE_FILE).absolute())
