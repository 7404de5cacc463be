"""Tables as lines of JSON: a column of text or bytes, or all columns of a row as one object; Spark's part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudsigma.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LINE = "line"
"""The column of lines."""
PARTITION = ("topic", "partition", "offset")
"""Columns of Kafka's source that say where a message was."""
_KAFKA = {"key", "value", *PARTITION}
_TEXTS = {"string", "binary"}
_JSON_OPTIONS = {"timeZone": "UTC", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX", "dateFormat": "yyyy-MM-dd"}
"""Times as CloudTrail writes them, in UTC, whatever the session's time zone is."""


def line_column(df: DataFrame, column: str | None) -> DataFrame:
    """A DataFrame with the column `line`, and of Kafka's source those of `PARTITION`.

    Raises:
        UsageError: The column does not exist, or holds neither text nor bytes; or two columns differ in letter case
            alone, and the session does not tell them apart.
    """
    from pyspark.sql import functions as sql

    kinds = {field.name: field.dataType.simpleString() for field in df.schema.fields}
    kafka = kinds.keys() >= _KAFKA
    if column is None:
        column = "value" if kafka else next(iter(kinds)) if len(kinds) == 1 and _TEXTS & {*kinds.values()} else None
    if column is not None and column not in kinds:
        raise UsageError(f"there is no column {column!r}; the table has {', '.join(list(kinds)[:10])}")
    if column is not None and kinds[column] not in _TEXTS:
        kind = kinds[column][:60]
        raise UsageError(f"the column {column!r} is {kind}, not text or binary; leave column out to read whole rows")
    line: Any
    if column is not None:
        line = df[_quoted(column)].cast("string")
    else:
        folded = {name.lower() for name in kinds}
        if len(folded) < len(kinds) and df.sparkSession.conf.get("spark.sql.caseSensitive") != "true":
            raise UsageError(
                "columns of the table differ in letter case alone; set spark.sql.caseSensitive to true, as in "
                "cloudsigma.spark.SETTINGS"
            )
        line = sql.to_json(sql.struct(*(df[_quoted(name)] for name in kinds)), _JSON_OPTIONS)
    places = [df[name] for name in PARTITION] if kafka else []
    return df.select(line.alias(LINE), *places)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
