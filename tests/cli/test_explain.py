"""`cloudsigma explain --record` says which record it explains."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

import cloudsigma
from cloudsigma.cli.explain import command

RULE = """\
title: T
logsource: {product: aws, service: cloudtrail}
detection:
    s:
        eventName: CreateUser
    condition: s
"""


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_each_explanation_begins_with_its_record(tmp_path: Path) -> None:
    """File, position and event ID stand before each explanation, in text and in JSON."""
    rule, trail = tmp_path / "rule.yml", tmp_path / "trail.json"
    rule.write_text(RULE)
    records = [{"eventName": "CreateUser", "eventID": "e1"}, {"eventName": "x", "eventVersion": "1.08"}]
    trail.write_text(json.dumps({"Records": records}))
    text = run(str(rule), "--record", str(trail)).splitlines()
    assert text[0] == f"{trail}, record 0, event e1:"
    assert text[1].endswith(" matches")
    assert f"{trail}, record 1, without an event ID:" in text
    first, second = map(json.loads, run(str(rule), "--record", str(trail), "--format", "json").splitlines())
    assert first["record"] == {"path": str(trail), "position": 0, "event_id": "e1"}
    assert (second["record"]["event_id"], second["matched"]) == (None, False)


def test_a_name_that_is_nearly_a_kind_of_finding_is_told() -> None:
    done = CliRunner().invoke(command, ["unknown-event"])
    assert isinstance(done.exception, cloudsigma.UnknownRuleError)
    assert "Did you mean 'unknown-event-name' or" in str(done.exception)
