"""An explanation names the field that the record has with other letters, and both sides of a field reference."""

from __future__ import annotations

import pytest

import cloudsigma
from cloudsigma.engine.evaluate.explain import Explanation
from cloudsigma.engine.evaluate.spellings import spelled_otherwise

RECORD = {
    "eventName": "CreateUser",
    "sourceIPAddress": "10.0.0.1",
    "userIdentity": {"sessionContext": {"sessionIssuer": {"userName": "admin"}}},
    "resources": [{"ARN": "a"}, {"accountId": "1"}],
    "requestParameters": {"userName": "bob", "tag.Key": "x"},
    "responseElements": None,
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sourceIpAddress", "sourceIPAddress"),
        ("useridentity.sessionContext.sessionissuer.username", "userIdentity.sessionContext.sessionIssuer.userName"),
        ("resources.arn", "resources.ARN"),
        ("requestParameters.tag.key", "requestParameters.tag.Key"),
        ("eventName", None),
        ("eventNames", None),
        ("responseElements.x", None),
        ("", None),
    ],
)
def test_spelled_otherwise(name: str, expected: str | None) -> None:
    """The name with other letters is found through maps, lists and keys with dots; the name itself is not."""
    assert spelled_otherwise(RECORD, name) == expected


def test_a_large_record_is_not_searched_for_ever() -> None:
    """A list of lists is given up on after a bounded number of members."""
    assert spelled_otherwise({"a": [[{"b": 1}] * 1_000] * 1_000}, "a.c") is None


def explained(*items: str) -> Explanation:
    lines = "".join(f"        {item}\n" for item in items)
    text = f"title: T\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n    s:\n{lines}    condition: s\n"
    rules = cloudsigma.compile_text(text)
    return rules.explain(RECORD, rules.rules[0].id)


def test_explanation_names_the_other_spelling() -> None:
    """A test that saw no value says which field is there, in text and JSON."""
    explanation = explained("sourceIpAddress|cidr: 10.0.0.0/8", "errorcode: x")
    text = str(explanation)
    assert "sourceIpAddress|cidr: 10.0.0.0/8; the record has no value, but sourceIPAddress is there  (line 5)" in text
    assert "errorcode: x; the record has no value  (line 6)" in text
    assert explanation.to_dict()["spellings"] == {"sourceIpAddress": "sourceIPAddress"}


def test_explanation_has_both_sides_of_a_field_reference() -> None:
    """What the other field has stands beside what this one has, matched or not."""
    items = "requestParameters.userName|fieldref: userIdentity.sessionContext.sessionIssuer.userName"
    text = str(explained(items))
    assert 'sessionIssuer.userName, which has "admin"; the record has "bob"' in text
    text = str(explained("requestParameters.userName|fieldref: requestparameters.username"))
    assert "requestparameters.username, which has no value, but requestParameters.userName is there" in text
    form = explained("requestParameters.userName|fieldref: requestParameters.userName").to_dict()["tree"]
    (test,) = form["steps"]
    assert test["patterns"][0] == {
        "pattern": "requestParameters.userName", "matched": True, "values": ["bob"], "other_field": ["bob"],
    }  # fmt: skip
