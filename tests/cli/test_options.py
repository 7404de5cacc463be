"""S18: an option that does nothing is a promise that is not kept. Every option is documented, and changes something."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from commands import commands
from group_calls import create_group as record

from cloudsigma.cli import main

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "reference" / "cli.md"


COMMANDS = commands()
OWN = "b7c1f7d0-0a3b-4c52-9b0e-2f6a5d8c9e01"


def options_of(name: str) -> set[str]:
    return {
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    } - {"--help"}


def documented(name: str) -> set[str]:
    """The options in the tables of a command's section, and of the sections that it refers to."""
    page = PAGE.read_text(encoding="utf-8")
    sections = {text.partition("\n")[0].strip(): text for text in page.split("\n## ")[1:]}
    text = sections[name]
    texts = [
        text,
        sections["Every command"],
        *(sections[other] for other in ("Limits", "Choosing rules") if f"#{other.lower()[:5]}" in text),
    ]
    return set(re.findall(r"^\| `(--[a-z-]+)", "\n".join(texts), re.MULTILINE))


@pytest.mark.parametrize("name", COMMANDS)
def test_s18_the_reference_lists_exactly_the_options_that_there_are(name: str) -> None:
    assert documented(name) == options_of(name)


# Option of `scan`: the arguments beside it, its own value. With it, something that is written must be different.
CHANGES: dict[str, tuple[list[str], list[str]]] = {
    "--rules": ([], ["own.yml"]),
    "--no-bundled": (["--rules", "own.yml"], []),
    "--correlations": (["--rule-id", "e4ca5042-683f-464d-99b3-f6d5cb458d0a"], []),
    "--compiled": ([], ["compiled.json"]),
    "--placeholders": (["--rules", "values.yml", "--no-bundled"], ["values.txt"]),
    "--pipeline": (["--rules", "own.yml"], ["pipeline.yml"]),
    "--logsource": ([], ["product=windows"]),
    "--rule-limit": (["--rules", "own.yml"], ["nodes=3"]),
    "--level": (["--rules", "own.yml"], ["high"]),
    "--status": (["--rules", "own.yml"], ["stable"]),
    "--tag": (["--rules", "own.yml"], ["own.tag"]),
    "--rule-id": (["--rules", "own.yml"], ["own"]),
    "--exclude": (["--rules", "own.yml"], ["own"]),
    "--format": ([], ["ids"]),
    "--sort": ([], ["time"]),
    "--approvals": (["--format", "table"], ["approvals.yml"]),
    "--show-approved": (["--format", "table", "--approvals", "approvals.yml"], []),
    "--csv-raw": (["--format", "csv"], []),
    "--no-record": ([], []),
    "--no-dedup": ([], []),
    "--output": ([], ["out.jsonl"]),
    "--since": ([], ["2025-03-05"]),
    "--until": ([], ["2025-03-05"]),
    "--account": ([], ["444455556666"]),
    "--region": ([], ["eu-west-1"]),
    "--coverage": ([], []),
    "--filter-counts": (["--rules", "own.yml", "--rules", "filter.yml", "--no-bundled"], []),
    "--ledger": ([], ["ledger.json"]),
    "--strict": ([], []),
    "--checkpoint": (["--output", "out.jsonl"], ["checkpoint"]),
    "--exit-zero": (["trail/a.json"], []),
    "--max-inflated": ([], ["1kB"]),
    "--max-document": ([], ["1kB"]),
    "--max-record": ([], ["1kB"]),
    "--max-depth": ([], ["1"]),
    "--max-records": ([], ["1"]),
    "--max-losses": ([], ["1"]),
    "--max-payload": ([], ["10B"]),
    "--max-envelopes": ([], ["1"]),
    "--max-values": ([], ["5"]),
}
ELSEWHERE = {
    "--wide": "test_written_output.py",  # a terminal
    "--jobs": "test_jobs.py",  # it changes how, not what
    "--no-cache": "test_compile.py",  # what is kept on disk
    "--max-ratio": "test_hostile_sizes.py",  # from 64 MiB on
    "--named-files": "test_s3_long_work.py",  # there is nothing to read without S3
    "--follow": "test_follow.py",
    "--interval": "test_follow.py",
    "--lateness": "test_follow.py",
    "--once": "test_queue.py",
    "--idle-close": "test_queue.py",
    "--bucket": "test_queue.py",
    "--dead": "test_queue.py",
    "--listen": "test_health.py",
    "--metrics-by-rule": "test_health.py",
    "--notify": "test_notify.py",  # a server
    "--quiet": "test_screen.py",
    "--verbose": "test_screen.py",
    "--color": "test_screen.py",
}
"""Options of `scan` whose effect takes more to be seen, and the file with the tests of it."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Records for which every option makes a difference."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trail").mkdir()
    calls = [
        record("e0"), record("e0"), record("e1", eventTime="2025-03-06T10:00:00Z"),
        record("e2", recipientAccountId="444455556666"), record("e3", awsRegion="eu-west-1"),
        record("e4", requestParameters={"groupName": "x" * 2000}), record("e5", requestParameters={"groupName": "=1"}),
    ]  # fmt: skip
    queued = {
        "messageId": "1",
        "body": json.dumps({"Type": "Notification", "TopicArn": "t", "Message": json.dumps(record("e5"))}),
    }
    streamed = {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(record("e7")).encode())).decode()}}
    texts = {
        "trail/a.json": json.dumps({"Records": calls}),
        "trail/b.json": json.dumps({"Records": [queued]}),
        "trail/c.jsonl": "\n".join([*(json.dumps(record(f"e6{at}")) for at in range(5)), "{", "[", "{"]),
        "trail/d.json": json.dumps(streamed),
        "own.yml": f"title: Own\nid: {OWN}\nname: own\nlevel: high\nstatus: stable\ntags: [own.tag]\n"
        "logsource: {product: aws}\ndetection: {s: {eventName: CreateGroup}, condition: s}\n",
        "filter.yml": "title: Europe\nlogsource: {product: aws}\n"
        "filter: {rules: [own], f: {awsRegion: eu-west-1}, condition: not f}\n",
        "values.yml": "title: V\nlogsource: {product: aws}\n"
        "detection: {s: {'eventName|expand': '%calls%'}, condition: s}\n",
        "approvals.yml": "version: 1\napprovals: [{id: CHG1, from: 2025-03-01T00:00:00Z, until: 2025-03-10T00:00:00Z, "
        "rules: [aws_cloudtrail_iam_group_created], accounts: ['444455556666'], resources: [admins]}]\n",
        "values.txt": "calls: [CreateGroup]\n",
        "pipeline.yml": "name: p\npriority: 1\ntransformations: [{type: add_condition, conditions: {awsRegion: x}}]\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert main(["compile", "own.yml", "-o", "compiled.json"]) == 0
    return tmp_path


@pytest.fixture
def written(folder: Path, capfd: pytest.CaptureFixture[str]) -> Callable[[list[str]], object]:
    """All that a command writes: both streams, the exit code, and files."""
    capfd.readouterr()
    before = set(folder.iterdir())

    def run(arguments: list[str]) -> object:
        code = main(arguments)
        files = sorted(set(folder.iterdir()) - before)
        made = [(file.name, file.read_bytes() if file.suffix else b"") for file in files]
        for file in files:
            file.unlink()
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err, made

    return run


def test_s18_every_option_of_scan_is_shown_to_change_something() -> None:
    assert CHANGES.keys() | ELSEWHERE.keys() == options_of("scan")
    for option, name in ELSEWHERE.items():
        (file,) = (ROOT / "tests").rglob(name)
        assert option.lstrip("-").replace("-", "_") in file.read_text(encoding="utf-8").replace("-", "_")


@pytest.mark.parametrize("option", CHANGES)
def test_s18_an_option_changes_what_is_written(written: Callable[[list[str]], object], option: str) -> None:
    beside, value = CHANGES[option]
    paths = [] if any(each.startswith("trail") for each in beside) else ["trail"]
    arguments = ["scan", *paths, *beside]
    without = written(arguments)
    assert without == written(arguments)
    assert written([*arguments, option, *value]) != without
