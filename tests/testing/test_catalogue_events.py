"""Records of events without a template agree with the catalogue and with real records."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from cloudsigma import compile_text, testing
from cloudsigma.catalogue import Catalogue
from cloudsigma.testing.records.catalogue_events import fitted_by_catalogue, request_of

PLAIN = testing.record("iam:CreateUser")


def made_for(source: str, name: str) -> dict[str, Any]:
    """The record that is suggested for a rule about an event."""
    [rule] = compile_text(
        "title: T\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n"
        f"    selection: {{eventSource: {source}.amazonaws.com, eventName: {name}}}\n    condition: selection\n"
    )
    found = testing.generate(rule).match
    assert found is not None
    return dict(found.record)


def test_a_request_names_what_the_call_acts_on() -> None:
    made = made_for("guardduty", "DeleteDetector")
    assert list(made["requestParameters"]) == ["detectorId"]
    assert made["readOnly"] is False
    assert made["tlsDetails"]["clientProvidedHostHeader"] == "guardduty.us-east-1.amazonaws.com"


def test_a_call_that_lists_asks_for_all() -> None:
    made = made_for("rds", "DescribeDBClusters")
    assert made["requestParameters"] is None
    assert made["readOnly"] is True


def test_an_event_that_is_no_call_is_by_aws() -> None:
    made = made_for("kms", "RotateKey")
    assert made["eventType"] == "AwsServiceEvent"
    assert made["userIdentity"] == {"accountId": "111122223333", "invokedBy": "AWS Internal"}
    assert made["requestParameters"] is None
    assert "tlsDetails" not in made


def test_a_data_event_is_no_management_event() -> None:
    made = made_for("lambda", "Invoke")
    assert made["managementEvent"] is False
    assert made["eventCategory"] == "Data"


def test_an_unknown_event_is_left_as_it_is() -> None:
    assert fitted_by_catalogue(PLAIN, "nowhere.amazonaws.com", "DoNothing") == PLAIN


def test_an_arn_belongs_to_the_service_of_its_resource() -> None:
    event = Catalogue.load().event("sns.amazonaws.com", "DeleteTopic")
    assert event is not None
    assert request_of(event, "eu-west-1", "444455556666") == {
        "topicArn": "arn:aws:sns:eu-west-1:444455556666:example-topic"
    }


def test_every_made_request_has_members_of_the_catalogue_alone() -> None:
    catalogue = Catalogue.load()
    made = 0
    for source in ("guardduty", "rds", "rolesanywhere", "secretsmanager", "sns", "sqs", "ssm", "wafv2"):
        for event in catalogue.events(source).values():
            request = request_of(event, "us-east-1", "111122223333")
            members = catalogue.members(source, event.name)
            made += request is not None
            assert request is None or (members is not None and set(request) <= set(members.request))
    assert made > 100


def test_real_records_agree(shared_corpus: Path) -> None:
    templates = {tuple(call.split(":")) for call in testing.calls()}
    requests: dict[tuple[str, str], set[str]] = defaultdict(set)
    reading: dict[tuple[str, str], set[Any]] = defaultdict(set)
    for path in sorted(path for name in ("invictus", "stratus") for path in (shared_corpus / name).rglob("*.json*")):
        content = path.read_bytes()
        read = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        for record in read.get("Records", []) if isinstance(read, dict) else read:
            pair = record["eventSource"], record["eventName"]
            if (pair[0].partition(".")[0], pair[1]) not in templates:
                requests[pair].update(record.get("requestParameters") or {})
                reading[pair].add(record.get("readOnly"))
    seen, unseen = 0, []
    for pair, real in requests.items():
        event = Catalogue.load().event(*pair)
        if event is None:
            continue
        assert reading[pair] <= {event.read_only, None}, pair
        for member in request_of(event, "us-east-1", "111122223333") or {}:
            if member in real:
                seen += 1
            else:
                unseen.append((*pair, member))
    assert seen >= 50
    assert len(unseen) <= 3, unseen
