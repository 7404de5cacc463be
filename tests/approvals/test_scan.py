"""A scan with approvals: shown + approved + folded = all matches in every output; the exit code looks at the others."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import random
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from commands import run
from effort import fuzz
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma import Approvals
from cloudsigma.approvals.file.loader import parse_approvals
from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.scanning.approving import ApprovalOutcome
from cloudsigma.scanning.config import Follow, ScanCallbacks, ScanConfig
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks import LineOutput, SinkOptions
from cloudsigma.sinks.table import TableSink

ENTRY = """
  - id: {id}
    from: {start}
    until: {until}
    rules: [{rule}]
    principals: ["{principal}"]
"""
JORDAN = "arn:aws:iam::111122223333:user/jordan"
PLATFORM_ADMIN = "arn:aws:iam::111122223333:role/PlatformAdmin"
CREATED, DELETED = "aws_cloudtrail_iam_group_created", "aws_cloudtrail_iam_group_deleted"


def entry(id_: str, rule: str, principal: str, start: str = "13:00", until: str = "13:30", more: str = "") -> str:
    day = "2026-11-17T"
    text = ENTRY.format(id=id_, start=f"{day}{start}:00Z", until=f"{day}{until}:00Z", rule=rule, principal=principal)
    return f"{text}    {more}\n" if more else text


def file_of(folder: Path, *entries: str) -> Path:
    file = folder / "approvals.yml"
    file.write_text(f"version: 1\napprovals: {''.join(entries) or '[]'}\n", encoding="utf-8")
    return file


@pytest.fixture
def approvals(tmp_path: Path) -> Path:
    return file_of(
        tmp_path,
        entry("CHG0031337", CREATED, JORDAN),
        entry("CHG0031402", DELETED, "arn:aws:iam::444455556666:role/PlatformAdmin", until="14:00"),
    )


# --- the command --------------------------------------------------------------------------------------------


def test_table_leaves_approved_matches_out_and_ends_with_them(root: Path, approvals: Path) -> None:
    done = run("scan", root / "examples/trail", "--approvals", approvals, "--format", "table")
    lines = done.stdout.splitlines()
    assert lines[-1] == "1 approved: CHG0031337 1"
    assert len(lines) == 3 + 1
    assert "IAM Group Created" not in done.stdout
    assert lines[2].endswith("20 min 57 s after CHG0031402 ended")
    assert "1 approved: CHG0031337 1; 1 near miss" in done.stderr
    assert done.returncode == 1


def test_show_approved_shows_them_too(root: Path, approvals: Path) -> None:
    done = run("scan", root / "examples/trail", "--approvals", approvals, "--format", "table", "--show-approved")
    lines = done.stdout.splitlines()
    assert len(lines) == 4 + 1
    assert lines[0].endswith("approved by CHG0031337")


def test_json_has_every_match_with_its_decision(root: Path, approvals: Path) -> None:
    done = run("scan", root / "examples/trail", "--approvals", approvals, "--format", "jsonl", "--no-record")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["approval"]["status"] for each in found] == ["approved", "none", "none", "none"]
    assert found[0]["approval"]["by"] == ["CHG0031337"]
    assert found[3]["approval"]["near"] == [
        {"id": "CHG0031402", "key": "time", "why": "20 min 57 s after CHG0031402 ended"}
    ]
    assert found[0]["session"]["root"] == JORDAN  # sessions are linked before approvals decide


def test_without_approvals_nothing_is_decided(root: Path) -> None:
    done = run("scan", root / "examples/trail", "--format", "jsonl", "--no-record")
    assert [json.loads(line)["approval"] for line in done.stdout.splitlines()] == [None] * 4


def test_exit_code_looks_at_the_others(root: Path, tmp_path: Path) -> None:
    file = file_of(tmp_path, entry("CHG1", CREATED, JORDAN))
    trail = root / "examples/trail"
    assert run("scan", trail, "--approvals", file, "--rule-id", CREATED).returncode == 0
    assert run("scan", trail, "--approvals", file, "--rule-id", DELETED).returncode == 1
    assert run("scan", trail, "--rule-id", CREATED).returncode == 1


def test_a_file_with_mistakes_stops_the_scan(root: Path, tmp_path: Path) -> None:
    file = file_of(tmp_path, entry("CHG1", CREATED, "*"), entry("CHG2", "no_such_rule", JORDAN))
    done = run("scan", root / "examples/trail", "--approvals", file)
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{file}:7:18: approvals error: CHG1: too broad" in done.stderr
    assert f"{file}:12:13: approvals error: CHG2: no rule has the ID or name 'no_such_rule'" in done.stderr


def test_an_output_is_not_truncated_by_approvals_that_need_all_matches(root: Path, tmp_path: Path) -> None:
    output = tmp_path / "matches.jsonl"
    output.write_text("{}\n", encoding="utf-8")
    for more in ("max_matches: 1", f'roots: ["{JORDAN}"]'):
        file = file_of(tmp_path, entry("CHG1", CREATED, JORDAN, more=more))
        done = run("scan", root / "examples/trail", "--approvals", file, "--sort", "none", "-o", output)
        assert done.returncode == 2
        assert "read the matches by time" in done.stderr
    assert output.read_text(encoding="utf-8") == "{}\n"


def test_the_output_is_not_the_file_of_approvals(root: Path, approvals: Path) -> None:
    before = approvals.read_bytes()
    done = run("scan", root / "examples/trail", "--approvals", approvals, "-o", approvals)
    assert done.returncode == 2
    assert approvals.read_bytes() == before


def test_the_configuration_file_names_the_approvals(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of(tmp_path, entry("CHG1", CREATED, JORDAN))
    (tmp_path / ".cloudsigma.toml").write_text('[scan]\napprovals = "approvals.yml"\n', encoding="utf-8")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    done = run("scan", root / "examples/trail", "--format", "table")
    assert done.stdout.splitlines()[-1] == "1 approved: CHG1 1"


def test_a_root_covers_the_sessions_that_descend_from_it(root: Path, tmp_path: Path) -> None:
    text = entry("CHG1", "aws_cloudtrail_rolesanywhere_profile_created", PLATFORM_ADMIN, until="14:00")
    file = file_of(tmp_path, text.replace(f'principals: ["{PLATFORM_ADMIN}"]', f'roots: ["{JORDAN}"]'))
    done = run("scan", root / "examples/trail", "--approvals", file, "--format", "table")
    assert done.stdout.splitlines()[-1] == "1 approved: CHG1 1"


def test_a_resumed_scan_keeps_the_counts(tmp_path: Path) -> None:
    file = file_of(tmp_path, entry("CHG1", CREATED, JORDAN))
    (tmp_path / "trail").mkdir()
    output, ledger = tmp_path / "out.jsonl", tmp_path / "ledger.json"
    arguments = (
        "scan", tmp_path / "trail", "--approvals", file, "--checkpoint", tmp_path / "state", "-o", output,
        "--ledger", ledger,
    )  # fmt: skip
    counts = []
    for at, minute in enumerate((10, 40)):
        record = group_event(at, minute, JORDAN, deleted=False, denied=False)
        (tmp_path / "trail" / f"{at}.json").write_text(json.dumps({"Records": [record]}), encoding="utf-8")
        assert run(*arguments).returncode == (0 if at == 0 else 1)
        form = json.loads(ledger.read_text(encoding="utf-8"))["approvals"]
        counts.append((form["approved"], form["none"], form["near"], form["uses"][0]["after"]))
    assert counts == [(1, 0, 0, 0), (1, 1, 1, 1)]
    statuses = [json.loads(line)["approval"]["status"] for line in output.read_text(encoding="utf-8").splitlines()]
    assert statuses == ["approved", "none"]


def test_a_stream_decides_each_match_as_it_is_found(tmp_path: Path) -> None:
    trail = tmp_path / "trail.json"
    records = [group_event(at, minute, JORDAN, deleted=False, denied=False) for at, minute in enumerate((10, 40))]
    trail.write_text(json.dumps({"Records": records}), encoding="utf-8")
    approvals = parse_approvals(f"version: 1\napprovals: {entry('CHG1', CREATED, JORDAN)}")
    stop = threading.Event()
    follow = Follow(stop, 0.01, dt.timedelta(hours=1))
    looks = iter(range(20))
    callbacks = ScanCallbacks(on_idle=lambda: stop.set() if next(looks) == 19 else None)
    scan = Scan(
        [trail], cloudsigma.bundled_rules(), ScanConfig(follow=follow, approvals=approvals), callbacks=callbacks
    )
    assert [match.approval.status for match in scan if match.approval is not None] == ["approved", "none"]
    limited = parse_approvals(f"version: 1\napprovals: {entry('CHG1', CREATED, JORDAN, more='max_matches: 1')}")
    with pytest.raises(cloudsigma.UsageError, match="max_matches"):
        Scan([trail], cloudsigma.bundled_rules(), ScanConfig(follow=follow, approvals=limited))


def test_approvals_of_another_type_are_refused(root: Path) -> None:
    with pytest.raises(cloudsigma.WrongTypeError, match=r"Approvals\.load"):
        cloudsigma.scan(root / "examples/trail", approvals="approvals.yml")  # type: ignore[arg-type]


def test_a_library_scan_with_limits_is_read_by_time(root: Path) -> None:
    text = entry("CHG1", CREATED, JORDAN, more="max_matches: 1")
    approvals = parse_approvals(f"version: 1\napprovals: {text}")
    scan = cloudsigma.scan(root / "examples/trail", approvals=approvals)
    with pytest.raises(cloudsigma.UsageError, match="read the matches by time"):
        list(scan)
    assert [match.approval.approved for match in scan.by_time() if match.approval is not None] == [True] + [False] * 3


# --- every output -------------------------------------------------------------------------------------------

FORMS = ("jsonl", "csv", "markdown", "html", "ocsf", "asff", "timesketch", "table", "ids")


def counted(form: str, text: str) -> tuple[int, int]:
    """The matches that an output shows as not approved, and those that it counts or marks as approved."""
    lines = text.splitlines()
    if form == "jsonl":
        statuses = [json.loads(line)["approval"]["status"] for line in lines]
        return sum(status != "approved" for status in statuses), statuses.count("approved")
    if form == "csv":
        statuses = [row["approval"] for row in csv.DictReader(text.splitlines())]
        return sum(status != "approved" for status in statuses), statuses.count("approved")
    if form == "ocsf":
        ids = [json.loads(line)["status_id"] for line in lines]
        return ids.count(1), ids.count(3)
    if form == "asff":
        findings = [each for line in lines for each in json.loads(line)["Findings"]]
        suppressed = [each for each in findings if each.get("Workflow") == {"Status": "SUPPRESSED"}]
        assert all(each["ProductFields"]["cloudsigma/approval"] == "approved" for each in suppressed)
        return len(findings) - len(suppressed), len(suppressed)
    if form == "timesketch":
        tagged = ["approved" in json.loads(line)["tag"] for line in lines]
        return tagged.count(False), tagged.count(True)
    if form == "html":
        shown = sum(int(number) for number in re.findall(r'<span class="number">(\d+)</span>', text))
        return shown, text.count('<span class="approved">approved</span>')
    if form == "ids":
        return len(lines), 0  # every match, without its decision
    last = [line for line in lines if re.match(r"\d+ approved", line)]
    approved = int(last[0].split()[0]) if last else 0
    if form == "markdown":
        return int(re.match(r"# (\d+)", text)[1]), approved  # type: ignore[index]
    return len(lines) - len(last), approved


def outputs_of(paths: list[Path], approvals: Approvals, folder: Path) -> tuple[dict[str, tuple[int, int]], Any]:
    found = {}
    outcome = None
    for form in FORMS:
        file = folder / f"out.{form}"
        outcome = cloudsigma.scan(*paths, approvals=approvals).write(file, form=form, options=SinkOptions(record=False))
        found[form] = counted(form, file.read_text(encoding="utf-8"))
    return found, outcome


def group_event(at: int, minute: int, principal: str, *, deleted: bool, denied: bool) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventTime": f"2026-11-17T13:{minute:02}:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "DeleteGroup" if deleted else "CreateGroup",
        "eventID": f"event-{at}",
        "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "arn": principal, "userName": principal.rpartition("/")[2]},
        "requestParameters": {"groupName": f"group-{minute % 3}"},
        **({"errorCode": "AccessDenied"} if denied else {}),
    }


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 59),
        st.sampled_from([JORDAN, "arn:aws:iam::111122223333:user/mira"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)
PLANS = st.lists(
    st.tuples(
        st.sampled_from([CREATED, DELETED]), st.sampled_from([JORDAN, "arn:aws:iam::111122223333:user/mi*"]),
        st.integers(0, 30), st.integers(31, 59), st.sampled_from(["", "max_matches: 1", "max_matches: 2"]),
    ),
    max_size=3,
)  # fmt: skip


@fuzz(8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS, PLANS, st.randoms(use_true_random=False))
def test_sums_are_kept_in_every_output_whatever_the_order(
    tmp_path: Path, events: list[Any], plans: list[Any], order: random.Random
) -> None:
    records = [group_event(at, *event[:2], deleted=event[2], denied=event[3]) for at, event in enumerate(events)]
    file = file_of(
        tmp_path,
        *(
            entry(f"CHG{at}", rule, principal, f"13:{start:02}", f"13:{until:02}", more)
            for at, (rule, principal, start, until, more) in enumerate(plans)
        ),
    )
    trail = tmp_path / "trail.json"
    approvals = Approvals.load(file)
    decisions = []
    for shuffled in (records, order.sample(records, len(records))):
        trail.write_text(json.dumps({"Records": shuffled}), encoding="utf-8")
        total = cloudsigma.scan(trail).write(tmp_path / "all.ids", form="ids").total
        found, outcome = outputs_of([trail], approvals, tmp_path)
        counts = outcome.approvals
        assert counts.approved + counts.partly + counts.none == outcome.total == total
        assert outcome.unapproved == total - counts.approved
        for form, (shown, approved) in found.items():
            assert shown + approved == total, form
            assert approved == (0 if form == "ids" else counts.approved), form
        by_time = cloudsigma.scan(trail, approvals=approvals).by_time()
        decisions.append({match.key: match.approval for match in by_time})
    assert decisions[0] == decisions[1]


def test_folded_rows_of_a_terminal_keep_the_sum() -> None:
    mira = "arn:aws:iam::111122223333:user/mira"
    records = [group_event(at, 3 * at, JORDAN if at < 3 else mira, deleted=False, denied=False) for at in range(9)]
    text = f"version: 1\napprovals: {entry('CHG1', CREATED, JORDAN)}"
    decided = parse_approvals(text).decided(cloudsigma.evaluate(records))
    stream = io.BytesIO()
    output = LineOutput(stream)
    sink = TableSink(output, terminal=True)
    for match in decided:
        sink.write(match)
    outcome = ApprovalOutcome(approved=3, none=6, uses=(ApprovalUse("CHG1", None, dt.datetime.now(dt.UTC), used=3),))
    sink.finish(ScanOutcome({"r": 9}, approvals=outcome))
    output.flush()
    shown = stream.getvalue().decode()
    assert re.findall(r"×(\d+)", shown) == ["6"]
    assert shown.count("CreateGroup") == 1
    assert f"the principal is {mira}" in shown
    assert shown.endswith("3 approved: CHG1 3\n")
