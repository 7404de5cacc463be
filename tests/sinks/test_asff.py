"""ASFF findings keep every limit of Security Hub, and AWS's own model of the call accepts them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import botocore.session
import botocore.validate
import pytest
from msgspec import structs

import cloudsigma
from cloudsigma.engine.match import Match
from cloudsigma.sinks.asff import MAX_CALL, MAX_FINDING, MAX_FINDINGS, Batches, UnsendableError, finding

MADE = dt.datetime(2026, 12, 1, 12, 30, tzinfo=dt.UTC)


@cache
def shape() -> Any:
    model = botocore.session.get_session().get_service_model("securityhub")
    return model.operation_model("BatchImportFindings").input_shape


def batches(findings: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    collected = Batches()
    yield from filter(None, map(collected.add, findings))
    yield from collected.rest()


def faults(findings: list[dict[str, Any]]) -> str:
    report = botocore.validate.ParamValidator().validate({"Findings": findings}, shape())
    return str(report.generate_report())


def test_the_model_of_the_call_accepts_real_findings(real_matches: list[Match]) -> None:
    findings = [finding(match, MADE) for match in real_matches]
    assert [faults(call) for call in batches(findings)] == [""] * len(list(batches(findings)))


def test_hostile_records_make_valid_findings(hostile_matches: list[Match], sample_matches: list[Match]) -> None:
    assert faults([finding(match, MADE) for match in [*hostile_matches, *sample_matches]]) == ""


def test_decisions_make_valid_findings(decided_matches: list[Match]) -> None:
    findings = [finding(match, MADE) for match in decided_matches]
    assert faults(findings) == ""
    for match, made in zip(decided_matches, findings, strict=True):
        assert match.approval is not None
        assert ("Workflow" in made) is match.approval.approved
        assert made["ProductFields"]["cloudsigma/approval"] == match.approval.status
        assert all(len(value) <= 2048 for value in made["ProductFields"].values())


def test_the_model_is_strict(sample_matches: list[Match]) -> None:
    assert "Unknown parameter" in faults([finding(sample_matches[0], MADE) | {"Unheard": 1}])


@pytest.mark.parametrize(
    ("length", "shown"), [(511, 511), (512, 512), (513, 512), (5000, 512)], ids=["below", "at", "above", "far above"]
)
def test_identifiers_of_resources_are_cut_at_their_limit(
    match_of: Callable[..., Match], length: int, shown: int
) -> None:
    made = finding(match_of(requestParameters={"groupName": "g" * length}), MADE)
    identifier = made["Resources"][0]["Id"]
    assert len(identifier) == shown
    assert identifier.endswith("…") == (length > shown)


def test_a_finding_that_is_too_large_is_refused(match_of: Callable[..., Match]) -> None:
    # 32 resources of 512 four-byte characters each fit; ASFF's own limits keep findings below 240 KB.
    names = [{"ARN": f"arn:aws:iam::111122223333:group/{at}{'𝒈' * 600}"} for at in range(60)]
    made = finding(match_of(resources=names), MADE)
    assert len(made["Resources"]) == 32
    assert len(json.dumps(made, ensure_ascii=False).encode()) <= MAX_FINDING


@pytest.mark.parametrize("account", [None, "", "12", "abcdefghijkl"])
def test_a_record_without_an_account_is_told(match_of: Callable[..., Match], account: str | None) -> None:
    with pytest.raises(UnsendableError, match="names no account; ASFF requires one"):
        finding(match_of(recipientAccountId=account, userIdentity={"type": "IAMUser", "userName": "alice"}), MADE)


def test_calls_hold_one_account_and_a_hundred_findings(match_of: Callable[..., Match]) -> None:
    made = [
        finding(match_of(eventID=str(at), recipientAccountId=f"{at % 2:012}"), MADE)
        for at in range(2 * MAX_FINDINGS + 2)
    ]
    calls = list(batches(made))
    assert [len(call) for call in calls] == [100, 100, 1, 1]
    assert all(len({each["AwsAccountId"] for each in call}) == 1 for call in calls)
    assert sorted(each["Id"] for call in calls for each in call) == sorted(each["Id"] for each in made)


def test_calls_stay_below_six_megabytes() -> None:
    large = {"ProductArn": "p", "Description": "x" * 200_000}
    calls = list(batches([large] * 65))
    assert [len(call) for call in calls] == [29, 29, 7]
    assert all(len(json.dumps(call).encode()) <= MAX_CALL for call in calls)


def test_sending_again_updates_the_finding(sample_matches: list[Match]) -> None:
    first, again = (finding(sample_matches[0], MADE + dt.timedelta(days=days)) for days in (0, 1))
    assert first["Id"] == again["Id"]
    assert first["FirstObservedAt"] == again["FirstObservedAt"]


def made_by(title: str, description: str, match_of: Callable[..., Match], **members: Any) -> dict[str, Any]:
    """The finding of a rule with these texts."""
    text = {
        "title": title, "description": description, "logsource": {"product": "aws"},
        "detection": {"s": {"eventName": "CreateGroup"}, "condition": "s"},
    }  # fmt: skip
    [rule] = cloudsigma.compile_text(json.dumps(text)).rules
    return finding(structs.replace(match_of(**members), rule=rule), MADE)


@pytest.mark.parametrize("length", [255, 256])  # rules have no longer titles
def test_titles_fit_in_full(match_of: Callable[..., Match], length: int) -> None:
    made = made_by("t" * length, "d", match_of)
    assert made["Title"] == "t" * length
    assert faults([made]) == ""


@pytest.mark.parametrize("more", [-1, 0, 1, 5000], ids=["below", "at", "above", "far above"])
def test_descriptions_are_cut_at_their_limit(match_of: Callable[..., Match], more: int) -> None:
    before = len(made_by("t", "d", match_of)["Description"]) - 1
    made = made_by("t", "d" * (1024 - before + more), match_of)
    assert len(made["Description"]) == min(1024 + more, 1024)
    assert made["Description"].endswith("…") == (more > 0)
    assert faults([made]) == ""


@pytest.mark.parametrize("more", [-1, 0, 1, 5000], ids=["below", "at", "above", "far above"])
def test_fields_of_the_product_are_cut_at_their_limit(match_of: Callable[..., Match], more: int) -> None:
    made = finding(match_of(userAgent="u" * (2048 + more), awsRegion="r" * (2048 + more)), MADE)
    fields = made["ProductFields"]
    assert len(fields) <= 50
    assert max(map(len, fields)) <= 128
    assert max(map(len, fields.values())) == min(2048 + more, 2048)
    assert any(value.endswith("…") for value in fields.values()) == (more > 0)


@pytest.mark.parametrize(("named", "shown"), [(31, 31), (32, 32), (33, 32)])
def test_resources_are_at_most_32(match_of: Callable[..., Match], named: int, shown: int) -> None:
    names = [{"ARN": f"arn:aws:iam::111122223333:group/g{at}"} for at in range(named - 1)]
    assert len(finding(match_of(resources=names), MADE)["Resources"]) in {shown, shown - 1}
