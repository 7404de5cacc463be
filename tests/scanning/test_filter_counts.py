"""A scan counts the matches that each Sigma filter removes, the same on every path of the reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudsigma import compile_text
from cloudsigma.cli import main
from cloudsigma.scanning.config import ScanConfig
from cloudsigma.scanning.scan import Scan
from cloudsigma.scanning.scan_state import ScanState

RULE = """
title: Groups
id: 00000000-0000-4000-8000-000000000001
name: groups
logsource: {product: aws, service: cloudtrail}
detection: {s: {'eventName|endswith': Group}, condition: s}
"""
FILTER = """---
title: Our sandbox
id: 00000000-0000-4000-8000-000000000002
logsource: {product: aws, service: cloudtrail}
filter: {rules: [groups], f: {recipientAccountId: '444455556666'}, condition: not f}
---
title: Only one call
id: 00000000-0000-4000-8000-000000000003
logsource: {product: aws, service: cloudtrail}
filter: {rules: [groups], f: {eventName: CreateGroup}, condition: f}
---
title: Removes nothing
id: 00000000-0000-4000-8000-000000000004
logsource: {product: aws, service: cloudtrail}
filter: {rules: [groups], f: {awsRegion: nowhere}, condition: not f}
"""
SANDBOX, CALL, NOTHING = (f"00000000-0000-4000-8000-00000000000{at}" for at in (2, 3, 4))


def record(event: str, account: str, **changes: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08", "eventID": event, "eventTime": "2026-01-01T00:00:00Z", "awsRegion": "us-east-1",
        "eventType": "AwsApiCall",  # without it, the fast path leaves log files to the plain one
        "eventSource": "iam.amazonaws.com", "eventName": "CreateGroup", "recipientAccountId": account, **changes,
    }  # fmt: skip


RECORDS = [
    record("e0", "111122223333"),
    record("e1", "444455556666"),
    record("e2", "444455556666", eventName="DeleteUser"),
    record("e3", "111122223333", eventName="UpdateGroup"),  # no name that the filtered rule is indexed by
    record("e4", "444455556666"),
]


@pytest.fixture(params=["log files", "lines", "a form for the plain path"])
def trail(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Files of records, twelve times, which the fast path or only the plain one reads."""
    folder = tmp_path / "trail"
    folder.mkdir()
    for number in range(12):
        records = [{**each, "eventID": f"{each['eventID']}-{number}"} for each in RECORDS]
        text = {
            "log files": json.dumps({"Records": records}),
            "lines": "\n".join(map(json.dumps, records)),
            "a form for the plain path": "\n".join(json.dumps({"detail-type": "x", "detail": r}) for r in records),
        }[request.param]
        (folder / f"{number:02}.json").write_text(text)
    return folder


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("sessions", [False, True])
def test_each_filter_counts_what_it_removes(trail: Path, jobs: int, sessions: bool) -> None:
    """Records that only the rule without its filters matches reach the count; the matches stay the same."""
    rules = compile_text(RULE + FILTER)
    scan = Scan([trail], rules, ScanConfig(jobs=jobs, sessions=sessions, filter_counts=True))
    assert len(list(scan)) == 12
    assert scan.outcome.filtered == {SANDBOX: 24, CALL: 12, NOTHING: 0}
    assert scan.to_dict()["filtered"] == scan.outcome.filtered
    assert len(list(scan)) == 12
    assert scan.outcome.filtered == {SANDBOX: 24, CALL: 12, NOTHING: 0}, "the second iteration starts at 0"


def test_nothing_is_counted_unless_asked_for(trail: Path) -> None:
    """Nor is anything where no filter narrows the rules."""
    for text, config in ((RULE + FILTER, ScanConfig()), (RULE, ScanConfig(filter_counts=True))):
        scan = Scan([trail], compile_text(text), config)
        assert list(scan)
        assert scan.outcome.filtered == {}


def test_a_resumed_scan_goes_on_counting() -> None:
    """The counts are part of the saved state; one that was saved before they existed is read as well."""
    saved, resumed, older = ScanState(dedup=False), ScanState(dedup=False), ScanState(dedup=False)
    saved.filtered.update({SANDBOX: 2, NOTHING: 0})
    resumed.filtered.update({SANDBOX: 0, NOTHING: 0})
    resumed.restore(saved.to_json(), [])
    assert resumed.filtered == {SANDBOX: 2, NOTHING: 0}
    form = {name: value for name, value in json.loads(saved.to_json()).items() if name != "filtered"}
    older.restore(json.dumps(form).encode(), [])
    assert not older.filtered


def test_the_summary_and_the_ledger_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By title for people, by ID in JSON; without filters there is no line."""
    trail, rule, filters, ledger = (tmp_path / name for name in ("t.json", "r.yml", "f.yml", "ledger.json"))
    trail.write_text(json.dumps({"Records": RECORDS}))
    rule.write_text(RULE)
    filters.write_text(FILTER.removeprefix("---\n"))
    scan = ["scan", "--no-bundled", "--filter-counts", "--ledger", str(ledger), "--rules", str(rule), str(trail)]
    assert main(scan) == 1
    assert "filters" not in capsys.readouterr().err
    assert json.loads(ledger.read_text())["filtered"] == {}
    assert main([*scan, "--rules", str(filters)]) == 1
    lines = capsys.readouterr().err.splitlines()
    at = lines.index("3 matches removed by filters")
    assert [line.strip() for line in lines[at + 1 : at + 4]] == [
        "2  Our sandbox",
        "1  Only one call",
        "0  Removes nothing",
    ]
    assert json.loads(ledger.read_text())["filtered"] == {SANDBOX: 2, CALL: 1, NOTHING: 0}
