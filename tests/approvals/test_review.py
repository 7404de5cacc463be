"""`cloudsigma approvals`: files that are out of date, narrow drafts, and changes imported as drafts."""

from __future__ import annotations

import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import run
from effort import fuzz
from group_calls import create_group
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.approvals.check import Finding, check
from cloudsigma.approvals.draft import draft
from cloudsigma.approvals.file.loader import parse_approvals
from cloudsigma.approvals.servicenow import import_changes, read_zone
from cloudsigma.approvals.yaml_lines import file_text

CHANGES = yaml.safe_load((Path(__file__).parent / "changes.yml").read_text(encoding="utf-8"))
NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
CREATED = "aws_cloudtrail_iam_group_created"
ALICE = "arn:aws:iam::111122223333:user/alice"


def entry(**changes: Any) -> dict[str, Any]:
    base = {
        "id": "CHG1", "ticket": "T", "owner": "team", "approved_by": ["mira"], "reason": "r",
        "from": "2026-11-17T13:00:00Z", "until": "2026-11-17T15:00:00Z", "rules": [CREATED], "principals": [ALICE],
    }  # fmt: skip
    return {key: value for key, value in (base | changes).items() if value is not None}


def approvals_of(*entries: dict[str, Any]) -> cloudsigma.Approvals:
    return parse_approvals(json.dumps({"version": 1, "approvals": entries}))


def kinds(findings: list[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


# --- check: the file alone ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"until": "2026-12-02T00:00:00Z"}, []),
        ({}, ["expired"]),
        ({"until": "2026-12-01T00:00:00Z"}, ["expired"]),
        ({"until": "2026-12-02T00:00:00Z", "ticket": None, "owner": None}, ["undocumented"]),
        ({"until": "2026-12-02T00:00:00Z", "approved_by": ["alice"]}, ["self-approved"]),
        ({"until": "2026-12-02T00:00:00Z", "approved_by": [ALICE]}, ["self-approved"]),
        ({"until": None, "standing": True, "review_by": "2027-06-01"}, []),
        ({"until": None, "standing": True, "review_by": "2026-12-10"}, ["expiring"]),
        ({"until": None, "standing": True, "review_by": "2026-11-30"}, ["past-review"]),
        ({"until": None, "standing": True, "review_by": "2026-12-01"}, ["expiring"]),
        ({"draft": True, "ticket": None}, ["draft"]),
    ],
)
def test_a_file_is_checked_at_a_time(changes: dict[str, Any], wanted: list[str]) -> None:
    assert kinds(check(approvals_of(entry(**changes)), NOW)) == wanted


@pytest.mark.parametrize(
    ("changes", "overlaps"),
    [
        ({}, True),
        ({"from": "2026-11-17T14:59:59Z", "until": "2026-11-17T16:00:00Z"}, True),
        ({"from": "2026-11-17T15:00:00Z", "until": "2026-11-17T16:00:00Z"}, False),
        ({"rules": ["aws_cloudtrail_iam_group_deleted"]}, False),
        ({"principals": ["arn:aws:iam::111122223333:user/a*"]}, True),
        ({"principals": ["arn:aws:iam::111122223333:user/bob"]}, False),
        ({"principals": None, "resources": ["admins"]}, True),  # they name different things, and both may hold
        ({"outcomes": ["denied"]}, False),
        ({"draft": True}, False),
    ],
)
def test_overlaps_are_told(changes: dict[str, Any], overlaps: bool) -> None:
    found = check(approvals_of(entry(), entry(id="CHG2", **changes)), dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert ("overlap" in kinds(found)) is overlaps


# --- check: with a trail ------------------------------------------------------------------------------------


def trail(folder: Path, *hours: int, first: int = 10, last: int = 20) -> Path:
    """Groups that Alice creates at some hours, among records of every hour from the first to the last."""
    other = [
        create_group(
            f"other-{hour}", eventName="ListGroups", eventTime=f"2026-11-17T{hour}:30:00Z",
            recipientAccountId="111122223333",
        )
        for hour in range(first, last + 1)
    ]  # fmt: skip
    made = [
        create_group(f"e{hour}", eventTime=f"2026-11-17T{hour}:15:00Z", recipientAccountId="111122223333")
        for hour in hours
    ]
    file = folder / "trail.json"
    file.write_text(json.dumps({"Records": [*other, *made]}), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("hours", "options", "wanted", "code"),
    [
        ((13,), {}, ["expired"], 0),
        ((), {}, ["expired", "unused"], 1),
        ((16,), {}, ["expired", "still-happening", "unused"], 1),
        ((13, 16), {}, ["expired", "still-happening"], 1),
        ((), {"first": 14}, ["cannot-tell", "expired"], 0),
        ((), {"last": 13}, ["cannot-tell", "expired"], 0),
    ],
)
def test_a_trail_tells_what_was_used(
    tmp_path: Path, hours: tuple[int, ...], options: dict[str, int], wanted: list[str], code: int
) -> None:
    file = tmp_path / "approvals.yml"
    file.write_text(json.dumps({"version": 1, "approvals": [entry()]}), encoding="utf-8")
    path = trail(tmp_path, *hours, **options)
    done = run("approvals", "check", file, path, "--at", "2026-12-01", "--format", "json")
    assert sorted(finding["kind"] for finding in json.loads(done.stdout)["findings"]) == wanted
    assert done.returncode == code


def test_a_gap_in_the_window_cannot_tell(tmp_path: Path) -> None:
    file = tmp_path / "approvals.yml"
    file.write_text(json.dumps({"version": 1, "approvals": [entry()]}), encoding="utf-8")
    records = [
        create_group(
            f"o{hour}", eventName="X", eventTime=f"2026-11-17T{hour}:30:00Z", recipientAccountId="111122223333"
        )
        for hour in (12, 13, 16)
    ]
    (tmp_path / "t.json").write_text(json.dumps({"Records": records}), encoding="utf-8")
    done = run("approvals", "check", file, tmp_path / "t.json", "--at", "2026-12-01")
    assert (
        "it covers no match, but the logs of account 111122223333 have no records from 2026-11-17 14:00" in done.stdout
    )


def test_mistakes_stop_the_check(tmp_path: Path) -> None:
    file = tmp_path / "approvals.yml"
    file.write_text("version: 1\napprovals: [{id: A}]\n", encoding="utf-8")
    done = run("approvals", "check", file)
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{file}:2:" in done.stderr


def test_the_configuration_reaches_the_parts_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = "title: Own\nname: own\nlogsource: {product: aws}\ndetection: {s: {eventName: X}, condition: s}\n"
    (tmp_path / "own.yml").write_text(rule, encoding="utf-8")
    (tmp_path / "approvals.yml").write_text(
        json.dumps({"version": 1, "approvals": [entry(rules=["own"])]}), encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    assert "no rule has the ID or name 'own'" in run("approvals", "check", "approvals.yml").stderr
    (tmp_path / ".cloudsigma.toml").write_text(
        'rules = ["own.yml"]\n[approvals]\nat = "2026-12-01"\n', encoding="utf-8"
    )
    done = run("approvals", "check", "approvals.yml")
    assert "it ended 13 d 9 h ago" in done.stdout


# --- draft --------------------------------------------------------------------------------------------------


def test_a_draft_covers_nothing_and_then_what_was_chosen(root: Path, tmp_path: Path) -> None:
    sample = root / "examples/trail"
    done = run("approvals", "draft", sample, "--rule-id", CREATED, "--id", "CHG7", "--owner", "team: a")
    assert done.returncode == 0
    file = tmp_path / "approvals.yml"
    file.write_text(done.stdout, encoding="utf-8")
    assert run("scan", sample, "--approvals", file, "--format", "table").stdout.count("\n") == 4
    file.write_text(done.stdout.replace("    draft: true\n", ""), encoding="utf-8")
    lines = run("scan", sample, "--approvals", file, "--format", "table").stdout.splitlines()
    assert (len(lines), lines[-1]) == (4, "1 approved: CHG7 1")


def test_a_draft_leaves_approved_matches_out(root: Path, tmp_path: Path) -> None:
    sample = root / "examples/trail"
    first = run("approvals", "draft", sample, "--rule-id", CREATED)
    file = tmp_path / "approvals.yml"
    file.write_text(first.stdout.replace("    draft: true\n", ""), encoding="utf-8")
    rest = yaml.safe_load(run("approvals", "draft", sample, "--approvals", file).stdout)
    assert CREATED not in rest["approvals"][0]["rules"]
    assert rest["approvals"][0]["max_matches"] == 3


def test_a_key_that_no_match_has_is_an_error(root: Path) -> None:
    done = run("approvals", "draft", root / "examples/trail", "--key", "nothing")
    assert done.returncode == 5
    assert "has the key or event ID nothing" in done.stderr


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8) | st.sampled_from(
    ["yes", "012345", "a*b", "x: y", "# c", '"', "null", "\u2028", "1:30", "=", "\x85", "\x07"]
)


@fuzz(40)
@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 59)), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_draft_covers_its_matches_and_is_valid_whatever_they_are_called(
    calls: list[tuple[str, str, int]], order: random.Random
) -> None:
    records = [
        create_group(
            f"e{at}", eventTime=f"2026-11-17T13:{minute:02}:00Z", recipientAccountId="111122223333",
            userIdentity={"type": "IAMUser", "arn": f"{ALICE}{user}"}, requestParameters={"groupName": group},
        )
        for at, (user, group, minute) in enumerate(calls)
    ]  # fmt: skip
    matches = list(cloudsigma.evaluate(order.sample(records, len(records))))
    text = file_text([draft(matches, "CHG1", reason=calls[0][0])])
    assert parse_approvals(text).entries[0].draft
    approvals = parse_approvals(text.replace("    draft: true\n", ""), rules=cloudsigma.bundled_rules())
    decided = approvals.decided(matches)
    assert all(match.approval is not None and match.approval.approved for match in decided)
    assert approvals.entries[0].reason == calls[0][0]
    late = create_group("late", eventTime="2026-11-17T14:00:00Z", recipientAccountId="111122223333")
    [other] = cloudsigma.evaluate([late])
    assert not approvals.decide(other).approved


def test_matches_that_no_approval_can_cover_are_refused() -> None:
    for changes, words in (
        ({"eventTime": None}, "has no time"),
        ({"userIdentity": None, "requestParameters": None}, "neither a principal nor a resource"),
    ):
        matches = list(cloudsigma.evaluate([create_group("e", **changes)]))
        with pytest.raises(cloudsigma.UsageError, match=words):
            draft(matches, "CHG1")
    far = [create_group("a"), create_group("b", eventTime="2026-03-04T10:15:30Z")]
    with pytest.raises(cloudsigma.UsageError, match="365 days apart"):
        draft(list(cloudsigma.evaluate(far)), "CHG1")


# --- import -------------------------------------------------------------------------------------------------


def need_zone(name: str) -> None:
    """Skip a test whose zone this system does not know."""
    try:
        read_zone(name)
    except cloudsigma.UsageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("case", CHANGES["cases"], ids=lambda case: case["name"])
def test_import(case: dict[str, Any]) -> None:
    need_zone(case["zone"])
    made = import_changes(case["data"].encode(), read_zone(case["zone"]))
    approvals = parse_approvals(file_text(made.entries))
    found = {
        each.id: [when.isoformat().replace("+00:00", "Z") for when in (each.start, each.until)] for each in approvals
    }
    assert found == case.get("drafts", {})
    assert all(each.draft and not each.rules for each in approvals)
    for told, wanted in ((made.left_out, case.get("left_out", [])), (made.notes, case.get("notes", []))):
        assert len(told) == len(wanted)
        assert all(each.startswith(words) for each, words in zip(told, wanted, strict=True)), told


@pytest.mark.parametrize("case", CHANGES["errors"], ids=lambda case: case["name"])
def test_import_error(case: dict[str, Any]) -> None:
    with pytest.raises(cloudsigma.UsageError, match=case["error"]):
        import_changes(case["data"].encode(), read_zone(case["zone"]))


def test_the_command_imports_drafts_that_cover_nothing(root: Path, tmp_path: Path) -> None:
    export = tmp_path / "changes.csv"
    export.write_text(
        "number,start_date,end_date\nCHG1,2026-11-17 13:00:00,2026-11-17 15:00:00\nx,,\n", encoding="utf-8"
    )
    done = run("approvals", "import", "--servicenow", export, "--zone", "UTC")
    assert done.returncode == 0
    assert "NOT IMPORTED: x: its start_date is ''" in done.stderr
    assert "1 draft, 1 left out" in done.stderr
    file = tmp_path / "approvals.yml"
    file.write_text(done.stdout, encoding="utf-8")
    assert run("scan", root / "examples/trail", "--approvals", file, "--format", "table").stdout.count("\n") == 4
    missing = run("approvals", "import", "--servicenow", tmp_path / "none.csv", "--zone", "UTC")
    assert (missing.returncode, "cannot be read" in missing.stderr) == (5, True)
