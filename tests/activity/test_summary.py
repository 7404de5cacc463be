"""Summaries count what a plain loop over all records counts."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudsigma import read_records
from cloudsigma.activity import count_field, summarize
from cloudsigma.activity.summary import OTHER, PAIRS, Activity, fold_session
from cloudsigma.engine.context.context import is_denial, read_context
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import select


def plainly(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Events, first, last, outcomes, addresses and calls of each principal, by the definition."""
    found: dict[str, Any] = {}
    for record in records:
        identity = record.get("userIdentity") or {}
        names = (identity.get(name) for name in ("arn", "principalId", "invokedBy", "accountId"))
        who = fold_session(next(filter(None, names), "-"))[0]
        each = found.setdefault(who, [0, [], Counter(), Counter(), Counter()])
        each[0] += 1
        each[1].append(record["eventTime"])
        error = record.get("errorCode")
        each[2]["success" if not error else "denied" if is_denial(error, None) else "failed"] += 1
        each[3][record.get("sourceIPAddress")] += 1
        each[4][f"{record['eventSource']} {record['eventName']}"] += 1
    return {
        who: (count, min(times), max(times), outcomes, addresses, calls)
        for who, (count, times, outcomes, addresses, calls) in found.items()
    }


def summed(principals: dict[str, Activity]) -> dict[str, Any]:
    return {
        who: (each.events, each.first, each.last, each.outcomes, each.values["addresses"], each.values["calls"])
        for who, each in principals.items()
    }


def test_the_sample_trail(root: Path) -> None:
    trail = root / "examples" / "trail"
    summary, ledger = summarize(trail)
    assert summed(summary.principals) == plainly(read_records(trail))
    assert (ledger.records, len(summary.principals)) == (341, 11)
    whole = summary.total(summary.principals)
    assert (whole.events, whole.first, whole.last) == (341, "2026-11-17T12:00:00Z", "2026-11-17T14:55:40Z")
    assert sum(map(Counter.total, summary.days.values())) == 341


@pytest.mark.parametrize("trail", ["invictus", "stratus"])
def test_real_trails(shared_corpus: Path, trail: str) -> None:
    summary, ledger = summarize(shared_corpus / trail)
    assert summed(summary.principals) == plainly(read_records(shared_corpus / trail))
    assert summary.total(summary.principals).events == ledger.records


def test_both_ways_of_reading_count_alike(root: Path, tmp_path: Path) -> None:
    records = list(read_records(root / "examples" / "trail"))
    log_file, lines, odd = (tmp_path / name for name in ("a.json.gz", "b.jsonl", "c.json"))
    log_file.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    odd.write_text(json.dumps([{"Event": {"CloudTrailEvent": json.dumps(record)}}["Event"] for record in records]))
    kept = [summarize(path)[0].to_dict() for path in (log_file, lines, odd)]
    assert kept[0] == kept[1] == kept[2]


def test_what_was_not_asked_for_is_not_counted(root: Path) -> None:
    trail = root / "examples" / "trail"
    chosen = select("2026-11-17T13:00:00Z", "2026-11-17T14:00:00Z", ["444455556666"], ["eu-central-1"])
    summary, ledger = summarize(trail, selection=chosen)
    wanted = read_records(trail, since="2026-11-17T13:00:00Z", until="2026-11-17T14:00:00Z",
                          accounts=["444455556666"], regions=["eu-central-1"])  # fmt: skip
    assert summed(summary.principals) == plainly(wanted)
    assert 0 < summary.total(summary.principals).events < ledger.records


def test_a_file_that_meets_a_limit_is_counted_once(root: Path, tmp_path: Path) -> None:
    records = list(read_records(root / "examples" / "trail"))
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"Records": records}))
    summary, ledger = summarize(path, limits=Limits(records=100))
    assert summary.total(summary.principals).events == 100
    assert len(ledger.losses) == 1


def test_sessions_of_a_role_are_one_principal(root: Path) -> None:
    summary, _ = summarize(root / "examples" / "trail")
    role = summary.principals["arn:aws:iam::111122223333:role/PlatformAdmin"]
    assert set(role.values["sessions"]) == {"jordan-maintenance", "5a1f09c3e7"}
    assert "keys" not in role.values
    user = summary.principals["arn:aws:iam::111122223333:user/jordan"]
    assert set(user.values["keys"]) == {"AKIAIOSFODNN7EXAMPLE"}


def test_values_beyond_the_bound_are_counted_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert PAIRS == 1_000_000
    monkeypatch.setattr("cloudsigma.activity.summary.PAIRS", 50)
    for at in range(20):
        event = {"eventName": "E", "eventSource": "s.amazonaws.com", "eventTime": f"2026-11-17T00:00:{at:02}Z"}
        event |= {"eventType": "AwsApiCall"}
        identity = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/a"}
        records = [event | {"sourceIPAddress": f"{at}.{n}", "userIdentity": identity} for n in range(10)]
        (tmp_path / f"{at:02}.json").write_text(json.dumps({"Records": records}))
    summary, _ = summarize(tmp_path)
    whole = summary.total(summary.principals)
    assert whole.events == whole.values["addresses"].total() == 200
    assert whole.values["addresses"][OTHER] == 150


def test_any_field_is_counted(root: Path) -> None:
    trail = root / "examples" / "trail"
    for name in ("eventName", "userIdentity.type", "errorCode", "no.such"):
        counts, ledger = count_field(name, [trail])
        outer, _, inner = name.partition(".")
        values = (record.get(outer) for record in read_records(trail))
        plain = Counter((value or {}).get(inner) if inner else value for value in values)
        assert counts == Counter({value or "-": count for value, count in plain.items()})
        assert counts.total() == ledger.records


def test_a_denial_is_told_as_the_context_tells_it(shared_corpus: Path) -> None:
    summary, _ = summarize(shared_corpus / "invictus")
    records = list(read_records(shared_corpus / "invictus"))
    by_code = Counter(read_context(record).outcome for record in records if record.get("errorCode"))
    total = summary.total(summary.principals).outcomes
    assert (total["denied"], total["failed"]) == (by_code["denied"], by_code["failed"])
