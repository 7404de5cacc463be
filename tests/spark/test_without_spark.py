"""The parts that need no Spark: they run everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest

import cloudsigma
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.interface import Unreadable
from cloudsigma.spark import COLUMNS
from cloudsigma.spark.command import command
from cloudsigma.spark.counts import counts_of, ledger_of
from cloudsigma.spark.grouped import check_groupable
from cloudsigma.spark.listing import Task, list_tasks, own_path, sources_of
from cloudsigma.spark.portable_rules import portable

ROOT = Path(__file__).parent.parent.parent
TRAIL = ROOT / "examples" / "trail"


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("s3://bucket/a", "s3://bucket/a"),
        ("s3a://bucket/a", "s3://bucket/a"),
        ("S3N://bucket/a", "s3://bucket/a"),
        ("file:///data/x y", "/data/x y"),
        ("file:/data", "/data"),
        ("/data/*.json", "/data/*.json"),
        ("hdfs:///data", None),
        ("abfss://c@a.dfs.core.windows.net/x", None),
        ("dbfs:/logs", None),
        ("gs://bucket/x", None),
    ],
)
def test_paths_that_the_project_reads_itself(path: str, own: str | None) -> None:
    assert own_path(path) == own


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Executors have other working folders."""
    monkeypatch.chdir(tmp_path)
    assert own_path("logs") == str(tmp_path / "logs")


def test_tasks_hold_every_file_once(tmp_path: Path) -> None:
    """In the order of the listing, over packs and tasks; the notes say what was skipped and lost."""
    for number in range(300):
        (tmp_path / f"{number:03}.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("hello")
    odd = tmp_path / "999-\udcff.json"
    odd.write_text("{}")
    tasks = list_tasks([str(tmp_path), str(tmp_path / "none")], Selection())
    sent = [msgspec.msgpack.decode(msgspec.msgpack.encode(task), type=Task) for task in tasks]
    sources = [source for task in sent for source in sources_of(task)]
    assert [Path(source.name).name for source in sources][:301] == [
        *(f"{number:03}.json" for number in range(300)), "999-\\xff.json",
    ]  # fmt: skip
    assert not any(isinstance(source, Unreadable) for source in sources)
    assert sent[0].notes is not None
    assert sent[0].notes.lost == [(str(tmp_path / "none"), "there is no such file or folder")]
    assert sent[0].notes.counted == {str(tmp_path): {"not_looked_at:.txt": 1}}


def test_a_file_that_is_gone_is_a_loss(tmp_path: Path) -> None:
    """Also if its name would be a pattern."""
    for name in ("a[1].json", "a1.json"):
        (tmp_path / name).write_text("{}")
    (task,) = list_tasks([str(tmp_path)], Selection())
    (tmp_path / "a[1].json").unlink()
    first, second = sorted(sources_of(task), key=lambda source: source.name)
    assert isinstance(second, Unreadable)
    assert second.reason == "there is no such file or folder"
    assert first.name.endswith("a1.json")


def test_rules_on_their_way_are_the_same() -> None:
    """The digest and the verdicts; a worker decodes a set once."""
    rules = cloudsigma.bundled_rules(correlations=True)
    made = portable(rules)
    loaded = made.load()
    assert loaded == rules
    assert made.load() is loaded
    assert made.correlations == 2
    with pytest.raises(cloudsigma.UsageError, match="rules"):
        portable(7)  # type: ignore[arg-type]


def test_counts_are_the_ledger() -> None:
    """Nothing is lost on the way through Spark's map, but names and places."""
    reader = cloudsigma.read_records(TRAIL)
    list(reader)
    ledger = reader.ledger
    recorder = reader._recorder
    assert ledger_of(counts_of(recorder), ledger.records, ledger.bytes, ledger.losses) == ledger


def test_chains_are_refused_in_groups() -> None:
    """With the names of both, and what to do."""
    base = (
        "title: {0}\nname: {0}\nlogsource: {{product: aws}}\ndetection: {{s: {{eventName: {0}}}, condition: s}}\n---\n"
    )
    link = (
        "title: {0}\nname: {0}\ncorrelation: {{type: event_count, rules: [{1}], group-by: [user], timespan: 1m, "
        "condition: {{gte: 2}}}}\n"
    )
    rules = cloudsigma.compile_text(base.format("a") + link.format("often", "a"))
    check_groupable(rules)
    chain = cloudsigma.compile_text(
        base.format("a") + link.format("often", "a") + "---\n" + link.format("chain", "often")
    )
    with pytest.raises(cloudsigma.UsageError, match=r"'chain' refers to the correlation 'often'.*driver"):
        check_groupable(chain)


def test_every_column_is_explained() -> None:
    text = (ROOT / "docs" / "reference" / "spark-rows.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \| `([\w<>,]+)` \|", text, re.MULTILINE)
    assert documented == [(name, kind) for name, (kind, _) in COLUMNS.items()]


def test_every_option_of_the_command_is_explained() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    described = "".join(sections[name] for name in ("spark", "Every command", "Choosing rules", "Limits"))
    options = [max(each.opts, key=len) for each in command.params if isinstance(each, click.Option)]
    assert sorted(re.findall(r"^\| `(--[\w-]+)", described, re.MULTILINE)) == sorted(options)


def test_importing_the_room_loads_no_spark() -> None:
    program = (
        "import sys, cloudsigma.spark\n"
        "heavy = {'pyspark', 'pyarrow', 'pandas', 'sigma', 'yaml'}\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_pyspark_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudsigma.spark import preflight

    monkeypatch.setattr(preflight, "installed", lambda _: None)
    monkeypatch.setattr(preflight, "_importable", lambda _: False)
    with pytest.raises(cloudsigma.MissingPackageError, match=r"cloudsigma-rules\[spark\]"):
        cloudsigma.spark.scan(None, "x", cloudsigma.bundled_rules())
