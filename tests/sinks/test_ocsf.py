"""OCSF findings are valid under every version that they claim."""

from __future__ import annotations

import datetime as dt
import json
from functools import cache
from typing import Any

import jsonschema
import ocsf_json_schema
import pytest

from cloudsigma.engine.match import Match
from cloudsigma.sinks.ocsf import detection_finding

MADE = dt.datetime(2026, 12, 1, 12, 30, tzinfo=dt.UTC)
VERSIONS = ("1.5.0", "1.6.0", "1.7.0", "1.8.0")


@cache
def validator(version: str) -> jsonschema.Draft202012Validator:
    schema = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(version))
    return jsonschema.Draft202012Validator(schema.get_class_schema("detection_finding", profiles=["cloud"]))


def faults(version: str, matches: list[Match]) -> list[str]:
    findings = [json.loads(json.dumps(detection_finding(match, MADE))) for match in matches]
    return [
        f"{error.json_path}: {error.message}" for each in findings for error in validator(version).iter_errors(each)
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_findings_of_the_sample_are_valid(version: str, sample_matches: list[Match]) -> None:
    assert len(sample_matches) == 6
    assert faults(version, sample_matches) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_findings_of_real_matches_are_valid(version: str, real_matches: list[Match]) -> None:
    assert len(real_matches) == 189
    assert faults(version, real_matches) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_findings_of_hostile_records_are_valid(version: str, hostile_matches: list[Match]) -> None:
    assert faults(version, hostile_matches) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_findings_of_decided_matches_are_valid(version: str, decided_matches: list[Match]) -> None:
    assert faults(version, decided_matches) == []


def test_an_approved_match_is_suppressed(decided_matches: list[Match]) -> None:
    for match in decided_matches:
        finding: dict[str, Any] = detection_finding(match, MADE)
        assert match.approval is not None
        wanted = (3, "Suppressed") if match.approval.approved else (1, "New")
        assert (finding["status_id"], finding["status"]) == wanted
        assert finding["unmapped"]["cloudsigma"]["approval"] == match.approval.to_dict()
    assert sum(match.approval is not None and match.approval.approved for match in decided_matches) == 1


def test_the_schema_is_strict(sample_matches: list[Match]) -> None:
    finding = detection_finding(sample_matches[0], MADE)
    for wrong in ({"unheard_of": 1}, {"severity_id": "high"}, {"evidences": [{}]}):
        assert list(validator("1.6.0").iter_errors(finding | wrong))


def test_members_agree_with_each_other(sample_matches: list[Match]) -> None:
    for match in sample_matches:
        finding: dict[str, Any] = detection_finding(match, MADE)
        assert finding["type_uid"] == finding["class_uid"] * 100 + finding["activity_id"]
        assert finding["metadata"]["uid"] == finding["finding_info"]["uid"] == match.key
        assert finding["time"] == 1796128200000
        times = [record["eventTime"] for record in match.records]
        first = dt.datetime.fromtimestamp(finding["start_time"] / 1000, dt.UTC)
        last = dt.datetime.fromtimestamp(finding["end_time"] / 1000, dt.UTC)
        assert [f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (first, last)] == [min(times), max(times)]
        assert finding["unmapped"]["cloudsigma"]["author"] == match.rule.author


def test_a_source_that_is_a_service_is_no_address(match_of: Any) -> None:
    sources = {
        source: detection_finding(match_of(sourceIPAddress=source), MADE) for source in ("config.amazonaws.com", "::1")
    }
    ends = [finding["evidences"][0]["src_endpoint"] for finding in sources.values()]
    assert ends == [{"svc_name": "config.amazonaws.com"}, {"ip": "::1"}]


def test_techniques_and_tactics_come_from_tags(sample_matches: list[Match]) -> None:
    attacks = detection_finding(sample_matches[0], MADE)["finding_info"]["attacks"]
    assert {"technique": {"uid": "T1098"}} in attacks
    assert {"tactic": {"uid": "TA0003", "name": "Persistence"}} in attacks
