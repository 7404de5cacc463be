"""Techniques of rules, the strength of their tests, and calls that nobody watches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run

from cloudsigma.attack import survey_rules
from cloudsigma.attack.techniques import navigator_layer
from cloudsigma.catalogue import Catalogue
from cloudsigma.catalogue.siblings import SIBLINGS
from cloudsigma.testing import find_tests

RULE = """title: Trail Stopped
id: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01
level: high
tags: [attack.t1562.008, attack.t1562, attack.defense-impairment]
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventSource: cloudtrail.amazonaws.com, eventName: [StopLogging, DeleteTrail]}
  condition: s
"""


@pytest.mark.parametrize("name", [name for group in SIBLINGS for name in group])
def test_every_sibling_is_an_event_of_the_catalogue(name: str) -> None:
    assert Catalogue.load().sources_of(name)


def test_the_bundled_rules_are_for_t1098_and_all_covered(root: Path) -> None:
    found = survey_rules(find_tests(root / "sigma_rules"))
    techniques = {each.id: each for each in found.techniques}
    assert "T1098" in techniques
    assert all(each.tested == len(each.rules) for each in found.techniques)
    assert found.untagged == ()
    anchors = next(group for group in found.unwatched if "CreateTrustAnchor" in group.watched)
    assert "UpdateTrustAnchor" in anchors.missing
    assert "CreateProfile" in anchors.watched


def test_a_rule_without_cases_is_not_tested(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(RULE)
    found = survey_rules(find_tests(tmp_path))
    assert [(each.id, each.level, each.tested) for each in found.techniques] == [
        ("T1562", "high", 0), ("T1562.008", "high", 0),
    ]  # fmt: skip
    [group] = found.unwatched
    assert group.watched == ("StopLogging", "DeleteTrail")
    assert "PutEventSelectors" in group.missing
    (tmp_path / "rule.yml").write_text(RULE.replace("[attack.t1562.008, attack.t1562, ", "["))
    assert [rule.title for rule in survey_rules(find_tests(tmp_path)).untagged] == ["Trail Stopped"]


def test_a_rule_for_any_event_watches_none(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(RULE.replace("eventName: [StopLogging, DeleteTrail]", "awsRegion: us-east-1"))
    assert survey_rules(find_tests(tmp_path)).unwatched == ()


def test_the_layer_is_one_that_the_navigator_reads(root: Path) -> None:
    """Its required members, by the specification of layer format 4.5."""
    layer = navigator_layer(survey_rules(find_tests(root / "sigma_rules")), "ours")
    assert (layer["name"], layer["domain"], layer["versions"]["layer"]) == ("ours", "enterprise-attack", "4.5")
    for technique in layer["techniques"]:
        assert isinstance(technique["score"], int)
        assert isinstance(technique["comment"], str)
        assert all(set(each) == {"name", "value"} and isinstance(each["value"], str) for each in technique["metadata"])


def test_the_command(root: Path, tmp_path: Path) -> None:
    text = run("techniques", root / "sigma_rules")
    assert text.returncode == 0
    assert text.stdout.splitlines()[0].split() == ["technique", "rules", "covered", "level"]
    assert "UpdateTrustAnchor" in text.stdout
    layer = json.loads(run("techniques", root / "sigma_rules", "--format", "navigator", "--name", "x").stdout)
    assert layer["name"] == "x"
    form = json.loads(run("techniques", root / "sigma_rules", "--format", "json").stdout)
    assert {each["id"] for each in form["techniques"]} == {each["techniqueID"] for each in layer["techniques"]}
    (tmp_path / "bad.yml").write_text("title: x\nlogsource: {}\n")
    assert run("techniques", tmp_path / "bad.yml").returncode == 3


def test_public_rules_are_surveyed(shared_corpus: Path) -> None:
    found = survey_rules(find_tests(shared_corpus / "sigmahq_rules"))
    assert len(found.techniques) > 15
    assert found.unwatched
