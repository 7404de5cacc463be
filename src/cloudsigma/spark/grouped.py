"""Correlations on the executors of a stream: Spark keeps a state for each correlation and group.

Rows pass through Spark's stateful operator as JSON. A match that a correlation refers to is sent once more to each of
its groups, whose state is the text of `correlation/step.py`. Frames close when Spark's watermark passes their end.
"""

from __future__ import annotations

import datetime as dt
import math
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from cloudsigma import ir
from cloudsigma.correlation.extractor import Extractor, match_time
from cloudsigma.correlation.step import step
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import UsageError
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.spark.correlating import correlation_loss, together
from cloudsigma.spark.file_rows import Batches
from cloudsigma.spark.portable_rules import PortableRules
from cloudsigma.spark.row_schema import COLUMNS, MATCH, SCHEMA, SUPPRESSED, match_row

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.state import GroupState

_KEYED = "correlation string, group string, time timestamp, path string, position bigint, payload string"
_PAYLOAD = "payload string"
_STATE = "entries string"
_PASSED = 64
"""Keys over which rows that only pass are spread."""
_BATCH = 1_024


def check_groupable(rules: RuleSet) -> None:
    """Raise `UsageError` if a correlation refers to another, whose matches come from other groups."""
    for rule in rules:
        if rule.correlation is not None and (chained := _chained(rule.correlation, rules)) is not None:
            raise UsageError(
                f"the correlation {rule.title!r} refers to the correlation {chained!r}: such chains need one "
                "correlator. Give correlations='driver', or leave it out: rules.where(exclude=…)"
            )


def _chained(correlation: ir.CorrelationRule, rules: RuleSet) -> str | None:
    return next((rules[name].title for name in correlation.rules if rules[name].correlation is not None), None)


def correlated_groups(rows: DataFrame, rules: PortableRules, lateness: dt.timedelta) -> DataFrame:
    """The rows of a stream, with the matches of correlations."""
    from pyspark.sql import functions as sql

    keyed = rows.mapInArrow(keyed_rows(rules), _KEYED)
    delayed = keyed.withWatermark("time", f"{math.ceil(lateness.total_seconds())} seconds")
    stepped = delayed.groupBy("correlation", "group").applyInPandasWithState(
        group_step(rules), _PAYLOAD, _STATE, "append", "EventTimeTimeout"
    )
    options = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]XXX"}
    return stepped.select(sql.from_json("payload", SCHEMA, options).alias("row")).select("row.*")


def keyed_rows(rules: PortableRules) -> Any:
    """The function that sends each row on, and each match that a correlation refers to to its groups."""

    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        keys = _Keys(rules)
        for batch in batches:
            yield from _keyed_batches(keys.of(batch.to_pylist()))

    return run


class _Keys:
    """The correlations and groups of matches."""

    def __init__(self, rules: PortableRules) -> None:
        self._rules = rules.load()
        self._digest = rules.digest
        self._takers: dict[str, list[tuple[Rule, Extractor]]] = {}
        for rule in self._rules:
            for rule_id in rule.correlation.rules if rule.correlation is not None else ():
                self._takers.setdefault(rule_id, []).append((rule, Extractor(_definition(rule), rule_id)))

    def of(self, rows: Iterable[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
        """Rows as (correlation, group, time, path, position, payload)."""
        undated = 0
        now = time.time()
        for each in rows:
            bucket = zlib.crc32((each["path"] or "").encode(errors="replace")) % _PASSED
            yield "", str(bucket), None, None, None, payload(each)
            takers = self._takers.get(each["rule_id"] or "", ()) if each["kind"] in {MATCH, SUPPRESSED} else ()
            for match in self._rebuilt(each) if takers else ():
                for rule, extractor in takers:
                    when = match_time(match, _definition(rule).time_field)
                    if when is None:
                        undated += 1
                        continue
                    # One time far in the future must not move the watermark there.
                    moment = dt.datetime.fromtimestamp(min(when, now), dt.UTC)
                    for key in extractor.keys(match):
                        group = msgspec.json.encode(key if isinstance(key, tuple) else (key,)).decode()
                        yield rule.id, group, moment, each["path"], each["position"], each["match"]
        if undated:
            row = correlation_loss(undated, "matches have no time that can be read", self._digest)
            yield "", "0", None, None, None, payload(dict(zip(COLUMNS, row, strict=True)))

    def _rebuilt(self, row: dict[str, Any]) -> tuple[Match, ...]:
        (record,) = together([(row["path"], row["position"], row["match"])])
        return self._rules.matches_of(record.rule_ids, record.record, record.origin)


def payload(row: dict[str, Any]) -> str:
    """A row as JSON."""
    shown = {name: value for name, value in row.items() if value is not None}
    for name in ("group", "counts"):  # maps are lists of pairs in Arrow
        if name in shown:
            shown[name] = dict(shown[name])
    return msgspec.json.encode(shown).decode()


def _keyed_batches(rows: Iterable[tuple[Any, ...]]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    held: list[tuple[Any, ...]] = []
    schema = pa.schema(
        [
            ("correlation", pa.string()), ("group", pa.string()), ("time", pa.timestamp("us", tz="UTC")),
            ("path", pa.string()), ("position", pa.int64()), ("payload", pa.string()),
        ]
    )  # fmt: skip

    def batch() -> pa.RecordBatch:
        columns = zip(zip(*held, strict=True), schema, strict=True)
        return pa.RecordBatch.from_arrays([pa.array(values, field.type) for values, field in columns], schema=schema)

    for each in rows:
        held.append(each)
        if len(held) >= _BATCH:
            yield batch()
            held.clear()
    if held:
        yield batch()


def group_step(rules: PortableRules) -> Any:
    """The function of the stateful operator."""

    def run(key: tuple[str, str], frames: Iterator[pd.DataFrame], state: GroupState) -> Iterator[pd.DataFrame]:
        correlation_id, group_text = key
        if not correlation_id:
            for frame in frames:
                yield frame[["payload"]]
            return
        yield from _stepped(rules, correlation_id, group_text, frames, state)

    return run


def _stepped(
    rules: PortableRules, correlation_id: str, group_text: str, frames: Iterator[pd.DataFrame], state: GroupState
) -> Iterator[pd.DataFrame]:
    import pandas as pd

    loaded = rules.load()
    rule = loaded[correlation_id]
    alone = (*(loaded[name] for name in _definition(rule).rules), rule)
    text = state.get[0] if state.exists else None
    found: list[tuple[str, int, str]] = []
    if not state.hasTimedOut:
        for frame in frames:
            found += frame[["path", "position", "payload"]].itertuples(index=False, name=None)
    found.sort(key=lambda each: (each[0] or "", each[1] or 0))
    matches = [
        match
        for record in together(found)
        for match in loaded.matches_of(record.rule_ids, record.record, record.origin)
    ]
    passed = state.getCurrentWatermarkMs() / 1_000
    group = tuple(msgspec.json.decode(group_text, type=list[str]))
    result = step(alone, text, matches, passed, group=group)
    if result.state is None or result.due is None:
        if state.exists:
            state.remove()
    else:
        state.update((result.state,))
        state.setTimeoutTimestamp(max(math.floor(result.due * 1_000) + 1, state.getCurrentWatermarkMs() + 1))
    hidden = loaded.hidden
    rows = [match_row(match, MATCH, rules.digest) for match in result.matches if match.rule_id not in hidden]
    if rows:
        yield pd.DataFrame({"payload": [payload(dict(zip(COLUMNS, each, strict=True))) for each in rows]})


def _definition(rule: Rule) -> ir.CorrelationRule:
    if rule.correlation is None:
        raise AssertionError(rule)
    return rule.correlation
