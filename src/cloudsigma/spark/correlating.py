"""Correlations of matches that were written: one correlator on the driver, as in a scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from cloudsigma.correlation import Correlator
from cloudsigma.engine.match import Match
from cloudsigma.origin import Origin
from cloudsigma.reading.fast_path.probe import decode_record
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.batch import MatchedRecord
from cloudsigma.spark.batch import Rules
from cloudsigma.spark.portable_rules import portable
from cloudsigma.spark.row_schema import LOSS, MATCH, SCHEMA, SUPPRESSED, Row, match_row, row

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CORRELATIONS = "<correlations>"
"""The path of losses that no file has: matches that could not take part in correlations."""


class _Written(msgspec.Struct, frozen=True):
    """The parts of a match's JSON from which it is made again."""

    rule_id: str
    record: msgspec.Raw
    origin: Origin | None = None


def correlate(rows: DataFrame, rules: Rules) -> DataFrame:
    """The matches of correlations, made from rows that were written; one correlator on the driver.

    The driver reads the matches of the rules that correlations refer to, one partition after the other, and holds those
    in open frames. As in a scan, a frame stays open until the end, so their order does not matter.

    Args:
        rows: Rows that were written by `scan`, `match_files` or `match_table`, with all their kinds.
        rules: The rules that they were made with.

    Returns:
        Rows of kind `match`, and of kind `loss` with the path `<correlations>` if matches could not take part.
    """
    made = portable(rules)
    loaded = made.load()
    correlator = Correlator(loaded, max_entries=None)
    found: list[Match] = []
    for record in matched_records(referred(rows, loaded)):
        found += correlator.feed(loaded.matches_of(record.rule_ids, record.record, record.origin))
    found += correlator.close()
    given = [match_row(match, MATCH, made.digest) for match in found if match.rule_id not in loaded.hidden]
    if correlator.without_time:
        given.append(correlation_loss(correlator.without_time, "matches have no time that can be read", made.digest))
    return rows.sparkSession.createDataFrame(given, SCHEMA)


def correlation_loss(matches: int, reason: str, digest: str) -> Row:
    """A row for matches that took no part in correlations."""
    text = f"{matches:,} {reason}; they take no part in correlations"
    return row(LOSS, path=CORRELATIONS, reason=text, records=0, rules_digest=digest)


def referred(rows: DataFrame, rules: RuleSet) -> DataFrame:
    """The matches that correlations refer to, those of one record together."""
    from pyspark.sql import functions as sql

    ids = {each for rule in rules if rule.correlation is not None for each in rule.correlation.rules}
    wanted = rows.filter(sql.col("kind").isin(MATCH, SUPPRESSED) & sql.col("rule_id").isin(*ids))
    return wanted.select("path", "position", "match").repartition("path").sortWithinPartitions("path", "position")


def matched_records(rows: DataFrame) -> Iterator[MatchedRecord]:
    """The records of matches, each with the IDs of all its rules; rows of one record must follow each other."""
    return together((each["path"], each["position"], each["match"]) for each in rows.toLocalIterator())


def together(rows: Iterable[tuple[str, int, str]]) -> Iterator[MatchedRecord]:
    """Path, position and JSON of matches → records, each with the IDs of all its rules."""
    place: tuple[str, int] | None = None
    ids: list[str] = []
    first: _Written | None = None
    for path, position, text in rows:
        written = msgspec.json.decode(text, type=_Written)
        if first is not None and place != (path, position):
            yield _record(ids, first)
            ids = []
        if not ids:
            place, first = (path, position), written
        ids.append(written.rule_id)
    if first is not None and ids:
        yield _record(ids, first)


def _record(ids: list[str], written: _Written) -> MatchedRecord:
    origin = written.origin if written.origin is not None else Origin("", 0, "")
    return MatchedRecord(tuple(ids), decode_record(written.record), origin)
