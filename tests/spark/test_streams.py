"""Streams on Spark: the matches of `scan`, over restarts, repeated batches, late events and correlations."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
import cloudsigma.spark as on_spark
from cloudsigma.spark.streaming import STATE_FILE

START = dt.datetime(2025, 3, 4, 10, tzinfo=dt.UTC)
FILES = "path string, modificationTime timestamp, length bigint, content binary"
ALL = {"availableNow": True}


def rules_of(*correlations: dict[str, Any]) -> cloudsigma.RuleSet:
    """Rules for the calls a, b and c, and correlations of a and b; a and b are hidden if there are any."""
    documents: list[dict[str, Any]] = [
        {"title": name, "name": name, "logsource": {"product": "aws"}, "level": "low",
         "detection": {"s": {"eventName": name}, "condition": "s"}}
        for name in "abc"
    ]  # fmt: skip
    for section in correlations:
        name = f"{section['type']}{len(documents)}"
        whole = {"rules": ["a", "b"], "group-by": ["user"], "timespan": "10m", **section}
        documents.append({"title": name, "name": name, "correlation": whole})
    return cloudsigma.compile_text("\n---\n".join(map(json.dumps, documents)))


PLAIN = rules_of()
CORRELATED = rules_of(
    {"type": "event_count", "condition": {"gte": 3}},
    {"type": "temporal_ordered"},
    {"type": "value_count", "condition": {"gte": 4, "field": "eventID"}, "group-by": []},
)


def event(number: int, second: float, name: str, user: Any) -> dict[str, Any]:
    when = (START + dt.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"eventVersion": "1.08", "eventName": name, "eventTime": when, "user": user, "eventID": f"id-{number}",
            "eventType": "AwsApiCall"}  # fmt: skip


class Trail:
    """A folder into which files are delivered one by one, each later than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._delivered = 0

    def deliver(self, *records: dict[str, Any]) -> None:
        self._delivered += 1
        path = self.folder / f"{self._delivered:03}.json"
        path.write_text(json.dumps({"Records": records}))
        os.utime(path, (1_741_100_000 + self._delivered,) * 2)

    def random_files(self, files: int, seed: int, spread: int = 500) -> None:
        dice = random.Random(seed)  # noqa: S311  # no secrets
        for file in range(files):
            first, start = self._delivered * 100, file * 300
            self.deliver(*(
                event(first + at, start + dice.randrange(spread), dice.choice("abc"), dice.choice("uvw"))
                for at in range(8)
            ))  # fmt: skip

    def flush(self) -> None:
        """An event far later, which closes all frames."""
        self.deliver(event(99_999, 86_000, "a", "flush"))

    def stream(self, spark: Any, per_batch: int = 2) -> Any:
        reader = spark.readStream.format("binaryFile").schema(FILES).option("maxFilesPerTrigger", str(per_batch))
        return reader.load(str(self.folder))


def drain(df: Any, rules: Any, folder: Path, **arguments: Any) -> Any:
    query = on_spark.stream(
        df, rules, checkpoint=folder / "checkpoint", output=arguments.pop("output", folder / "out"), trigger=ALL,
        **{"lateness": "10m", **arguments},
    )  # fmt: skip
    query.awaitTermination()
    return query


def found(spark: Any, folder: Path) -> list[tuple[str, str]]:
    rows = spark.read.parquet(str(folder / "out"))
    return sorted((each["rule_title"], each["key"]) for each in on_spark.matches(rows).collect())


def found_by_others(folder: Path) -> list[tuple[str, str]]:
    """The same, read without Spark."""
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(folder / "out", partitioning="hive").to_table(["kind", "rule_title", "key"])
    return sorted((each["rule_title"], each["key"]) for each in table.to_pylist() if each["kind"] == "match")


def expected(trail: Trail, rules: Any) -> list[tuple[str, str]]:
    return sorted((match.rule.title, match.key) for match in cloudsigma.scan(trail.folder, rules=rules))


@pytest.mark.parametrize("correlations", ["driver", "grouped"])
def test_restarted_streams_correlate_as_scan(spark: Any, tmp_path: Path, correlations: str) -> None:
    """S6: each start takes the frames that the one before left open."""
    trail = Trail(tmp_path / "trail")
    for seed in (1, 2):
        trail.random_files(4, seed)
        drain(trail.stream(spark), CORRELATED, tmp_path, correlations=correlations, lateness="1h")
    trail.flush()
    drain(trail.stream(spark), CORRELATED, tmp_path, correlations=correlations, lateness="1h")
    wanted = expected(trail, CORRELATED)
    assert len({title for title, _ in wanted}) == 4
    assert found(spark, tmp_path) == wanted
    assert found_by_others(tmp_path) == wanted
    losses = on_spark.ledger(spark.read.parquet(str(tmp_path / "out"))).filter("kind = 'loss'")
    assert losses.count() == 0


def test_batch_correlations_are_those_of_scan(spark: Any, tmp_path: Path) -> None:
    """S6: made from what was written, chains included; matches that only they show stay hidden."""
    chained = rules_of(
        {"type": "event_count", "condition": {"gte": 3}},
        {"type": "event_count", "rules": ["event_count3"], "timespan": "1h", "condition": {"gte": 2}},
    )
    trail = Trail(tmp_path / "trail")
    trail.random_files(6, 3)
    for rules in (CORRELATED, chained):
        out = str(tmp_path / f"rows-{len(rules)}")
        on_spark.scan(spark, trail.folder, rules).write.parquet(out)
        rows = spark.read.parquet(out)
        both = on_spark.matches(rows).unionByName(on_spark.correlate(rows, rules))
        assert sorted((each["rule_title"], each["key"]) for each in both.collect()) == expected(trail, rules)


def test_repeated_deliveries_are_one_match(spark: Any, tmp_path: Path) -> None:
    """Within a batch, between batches, and after a restart; every file stays in the account."""
    trail = Trail(tmp_path / "trail")
    first = event(1, 0, "c", "u")
    trail.deliver(first, first, event(2, 1, "c", "u"))
    trail.deliver(event(3, 2, "c", "u"))
    trail.deliver(first, event(4, 3, "c", "u"))
    drain(trail.stream(spark), PLAIN, tmp_path)
    trail.deliver(first, event(5, 3, "c", "u"))
    drain(trail.stream(spark), PLAIN, tmp_path)
    assert found(spark, tmp_path) == expected(trail, PLAIN)
    assert len(found(spark, tmp_path)) == 5
    assert on_spark.account(spark.read.parquet(str(tmp_path / "out"))).files == 4


def test_a_batch_that_spark_repeats_is_written_once(spark: Any, tmp_path: Path) -> None:
    """As after a kill between the decision and Spark's commit: the decision is kept, the folder is replaced."""
    trail = Trail(tmp_path / "trail")
    trail.random_files(2, 4)
    drain(trail.stream(spark), CORRELATED, tmp_path, lateness="1h")
    trail.random_files(2, 5)
    trail.deliver(event(100, 10, "c", "u"), event(100, 10, "c", "u"))
    trail.flush()
    drain(trail.stream(spark, per_batch=9), CORRELATED, tmp_path, lateness="1h")
    wanted = found(spark, tmp_path)
    assert wanted == expected(trail, CORRELATED)
    commits = tmp_path / "checkpoint" / "spark" / "commits"
    last = max(int(path.name) for path in commits.iterdir() if path.name.isdigit())
    for path in (commits / str(last), commits / f".{last}.crc"):
        path.unlink(missing_ok=True)
    drain(trail.stream(spark, per_batch=9), CORRELATED, tmp_path, lateness="1h")
    assert found(spark, tmp_path) == wanted


@pytest.mark.parametrize("correlations", ["driver", "grouped"])
def test_late_events_are_matches_and_a_loss(spark: Any, tmp_path: Path, correlations: str) -> None:
    """A match that comes too late is written, takes no part in correlations, and that is told."""
    trail = Trail(tmp_path / "trail")
    trail.deliver(event(1, 5_000, "a", "u"), event(2, 5_001, "c", "u"))
    trail.deliver(event(3, 5_002, "a", "u"))
    trail.deliver(event(4, 0, "a", "u"), event(5, 1, "c", "u"))
    trail.deliver(event(6, 5_003, "a", "u"))
    trail.flush()
    drain(trail.stream(spark, per_batch=1), CORRELATED, tmp_path, correlations=correlations)
    titles = [title for title, _ in found(spark, tmp_path)]
    assert titles.count("c") == 2
    assert titles.count("event_count3") == 1
    rows = spark.read.parquet(str(tmp_path / "out")).filter("kind = 'loss'")
    assert {each["path"] for each in rows.collect()} == {"<correlations>"}
    assert all("later than the lateness" in each["reason"] for each in rows.collect())


def test_a_time_in_the_future_closes_no_frame(spark: Any, tmp_path: Path) -> None:
    """A forged time must not end all frames of others."""
    trail = Trail(tmp_path / "trail")
    trail.deliver(event(1, 0, "a", "u"), event(2, 10**9, "a", "evil"))
    trail.deliver(event(3, 60, "a", "u"), event(4, 90, "b", "u"))
    trail.flush()
    drain(trail.stream(spark, per_batch=1), CORRELATED, tmp_path)
    assert "event_count3" in {title for title, _ in found(spark, tmp_path)}


def test_output_may_be_a_function(spark: Any, tmp_path: Path) -> None:
    """For Delta and Iceberg: it gets the rows of each batch, and its number."""
    trail = Trail(tmp_path / "trail")
    trail.random_files(3, 6)
    got: dict[int, int] = {}
    drain(trail.stream(spark), PLAIN, tmp_path, output=lambda rows, number: got.update({number: rows.count()}))
    assert sorted(got) == [0, 1]
    assert sum(got.values()) == 3 + len(expected(trail, PLAIN))


def test_a_table_may_be_a_stream(spark: Any, tmp_path: Path) -> None:
    """Rows of text, as of Kafka or Delta."""
    trail = Trail(tmp_path / "trail")
    trail.random_files(3, 7)
    lines = tmp_path / "lines"
    lines.mkdir()
    for path in sorted(trail.folder.iterdir()):
        records = json.loads(path.read_text())["Records"]
        (lines / path.name).write_text("".join(json.dumps(record) + "\n" for record in records))
    drain(spark.readStream.text(str(lines)), PLAIN, tmp_path)
    assert found(spark, tmp_path) == expected(trail, PLAIN)


def test_states_that_do_not_belong_are_refused(spark: Any, tmp_path: Path) -> None:
    """Other settings, a checkpoint that is not the state's, a state that is lost: each is told."""
    trail = Trail(tmp_path / "trail")
    trail.random_files(4, 8)
    drain(trail.stream(spark), CORRELATED, tmp_path)
    with pytest.raises(cloudsigma.UsageError, match="other settings: the output"):
        drain(trail.stream(spark), CORRELATED, tmp_path, output=tmp_path / "elsewhere")
    state = tmp_path / "checkpoint" / STATE_FILE
    with pytest.raises(Exception, match="belongs to another checkpoint"):
        on_spark.stream(
            trail.stream(spark), CORRELATED, checkpoint=tmp_path / "other", output=tmp_path / "out", state=state,
            trigger=ALL, lateness="10m",
        ).awaitTermination()  # fmt: skip
    trail.random_files(1, 9)
    drain(trail.stream(spark), CORRELATED, tmp_path, state=tmp_path / "new.sqlite")
    (loss,) = spark.read.parquet(str(tmp_path / "out")).filter("kind = 'loss'").collect()
    assert "begins anew with batch 2: its open frames are lost" in loss["reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lateness": "soon"}, "lateness"),
        ({"lateness": dt.timedelta(-1)}, "0 or more"),
        ({"correlations": "all"}, "'driver', 'grouped' or 'ignore'"),
        ({"checkpoint": "s3://bucket/checkpoint"}, "state=FILE"),
    ],
)
def test_wrong_arguments_are_told(spark: Any, tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    trail = Trail(tmp_path / "trail")
    trail.random_files(1, 1)
    given = {"checkpoint": tmp_path / "checkpoint", "output": tmp_path / "out", **arguments}
    with pytest.raises(cloudsigma.UsageError, match=message):
        on_spark.stream(trail.stream(spark), PLAIN, **given)


def test_a_table_that_is_not_a_stream_is_told(spark: Any, tmp_path: Path) -> None:
    with pytest.raises(cloudsigma.UsageError, match="is not a stream"):
        on_spark.stream(spark.range(1), PLAIN, checkpoint=tmp_path, output=tmp_path / "out")
