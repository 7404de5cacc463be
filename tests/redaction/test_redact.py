"""Redacted records: nothing of the originals is left, and joins, networks, kinds and verdicts stay."""

from __future__ import annotations

import gzip
import ipaddress
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import run
from group_calls import create_group
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.redaction import Redactor
from cloudsigma.redaction.addresses import SPECIAL, Addresses
from cloudsigma.redaction.pseudonyms import Pseudonyms

KEY = b"sixteen bytes at least"


def redacted(record: dict[str, Any], rules: cloudsigma.RuleSet | None = None) -> dict[str, Any]:
    redactor = Redactor(rules or cloudsigma.bundled_rules(), KEY)
    redactor.learn(record)
    return redactor.redact(record)


RECORD = {
    **create_group("3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
    "recipientAccountId": "111122223333",
    "sourceIPAddress": "54.239.17.6",
    "userIdentity": {
        "type": "AssumedRole", "principalId": "AROACKCEVSQ6C2EXAMPLE:alice.smith",
        "arn": "arn:aws:sts::111122223333:assumed-role/AcmeAdmins/alice.smith", "accountId": "111122223333",
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {"sessionIssuer": {
            "type": "Role", "principalId": "AROACKCEVSQ6C2EXAMPLE", "userName": "AcmeAdmins",
            "arn": "arn:aws:iam::111122223333:role/AcmeAdmins", "accountId": "111122223333",
        }},
    },
    "requestParameters": {
        "groupName": "acme-auditors", "bucketName": "acme-logs", "Host": "acme-logs.s3.eu-central-1.amazonaws.com",
        "control": "111122223333.s3-control.us-east-1.amazonaws.com", "email": "alice@acme.com",
        "instanceId": "i-0a1b2c3d4e5f60718",
        "policyDocument": '{"Statement": [{"Resource": "arn:aws:s3:::acme-logs/*", "Effect": "Allow"}]}',
        "tags": [{"key": "team", "value": "acme-platform"}], "url": "https://acme.example/x",
    },
    "errorMessage": "User: arn:aws:sts::111122223333:assumed-role/AcmeAdmins/alice.smith cannot touch acme-auditors"
    " from 54.239.17.6",
    "tlsDetails": {"clientProvidedHostHeader": "acme-logs.s3.amazonaws.com"},
}  # fmt: skip
ORIGINALS = (
    "acme", "alice", "smith", "111122223333", "54.239.17.6", "ASIAIOSFODNN7EXAMPLE", "AROACKCEVSQ6C2EXAMPLE",
    "3f2504e0", "0a1b2c3d4e5f60718", "platform",
)  # fmt: skip


def test_nothing_of_the_originals_is_left() -> None:
    written = json.dumps(redacted(RECORD)).lower()
    assert [text for text in ORIGINALS if text.lower() in written] == []


def test_joins_stay() -> None:
    made = redacted(RECORD)
    identity, request = made["userIdentity"], made["requestParameters"]
    role, session = identity["arn"].split("/")[1:]
    assert identity["sessionContext"]["sessionIssuer"]["userName"] == role
    assert identity["sessionContext"]["sessionIssuer"]["arn"].endswith(f":role/{role}")
    assert identity["principalId"] == f"{identity['sessionContext']['sessionIssuer']['principalId']}:{session}"
    assert identity["principalId"].startswith("AROA")
    assert identity["accountId"] == made["recipientAccountId"] == identity["arn"].split(":")[4]
    assert request["Host"] == f"{request['bucketName']}.s3.eu-central-1.amazonaws.com"
    assert request["groupName"] in made["errorMessage"]
    assert request["bucketName"] in request["policyDocument"]
    assert made["sourceIPAddress"] in made["errorMessage"]
    assert request["instanceId"].startswith("i-")


def test_what_names_nobody_stays() -> None:
    made = redacted(RECORD)
    for name in ("eventName", "eventSource", "eventTime", "awsRegion", "eventVersion"):
        assert made[name] == RECORD[name]
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    service = {
        **RECORD,
        "sourceIPAddress": "iam.amazonaws.com",
        "requestParameters": {"policyArn": policy, "region": "eu-west-1"},
    }
    assert redacted(service)["sourceIPAddress"] == "iam.amazonaws.com"
    assert redacted(service)["requestParameters"] == {"policyArn": policy, "region": "eu-west-1"}


def test_one_key_gives_one_pseudonym_and_another_key_another() -> None:
    assert redacted(RECORD) == redacted(RECORD)
    assert Redactor(cloudsigma.bundled_rules(), b"another key of bytes").redact(RECORD) != redacted(RECORD)
    assert Redactor(cloudsigma.bundled_rules()).redact(RECORD) != Redactor(cloudsigma.bundled_rules()).redact(RECORD)


RULE = """title: T
logsource: {product: aws, service: cloudtrail}
detection:
  s: {DETECTION}
  condition: s
"""


@pytest.mark.parametrize(
    "detection",
    [
        "{requestParameters.groupName|contains: audit}", "{requestParameters.groupName|startswith: acme-}",
        "{requestParameters.groupName: acme-auditors}", "{userIdentity.arn|contains: assumed-role/AcmeAdmins}",
        "{sourceIPAddress|cidr: 54.239.0.0/16}", "{requestParameters.bucketName|endswith: logs}",
    ],
)  # fmt: skip
def test_what_a_rule_asks_for_stays(detection: str) -> None:
    rules = cloudsigma.compile_text(RULE.replace("{DETECTION}", detection))
    assert rules.verdicts(RECORD)
    assert rules.verdicts(redacted(RECORD, rules))
    other = {**RECORD, "sourceIPAddress": "8.8.8.8", "requestParameters": {"groupName": "other"}, "userIdentity": {}}
    assert not rules.verdicts(other)
    assert not rules.verdicts(redacted(other, rules))


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


def shared_bits(one: str, other: str) -> int:
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    if first.version != second.version:
        return -1
    return first.max_prefixlen - (int(first) ^ int(second)).bit_length()


@given(one=ADDRESSES, other=ADDRESSES)
def test_addresses_share_prefixes_as_their_originals_do(one: str, other: str) -> None:
    made = Addresses(Pseudonyms(KEY))
    if not any(
        ipaddress.ip_address(each).is_loopback or ipaddress.ip_address(each).is_unspecified for each in (one, other)
    ):
        before, after = shared_bits(one, other), shared_bits(made(one), made(other))
        assert after == before or min(before, after) >= ipaddress.ip_address(one).max_prefixlen - 1


@given(address=ADDRESSES)
def test_special_networks_stay_special(address: str) -> None:
    made = ipaddress.ip_address(Addresses(Pseudonyms(KEY))(address))
    original = ipaddress.ip_address(address)
    for network in SPECIAL:
        if network.version == original.version:
            assert (original in network) is (made in network)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for element in value:
            yield from strings(element)
    elif isinstance(value, str):
        yield value


def originals_of(records: list[dict[str, Any]]) -> set[str]:
    """Account IDs, keys, names and addresses, found by a search that knows nothing of the redaction."""
    found: set[str] = set()
    for record in records:
        for text in strings(record):
            found |= set(re.findall(r"(?<!\d)\d{12}(?!\d)", text))
            found |= set(re.findall(r"\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{16,}", text))
        identity = record.get("userIdentity") or {}
        found |= {identity[name] for name in ("userName",) if identity.get(name)}
        found |= {part for part in str(identity.get("arn", "")).split(":")[-1].split("/")[1:] if len(part) > 3}
        address = str(record.get("sourceIPAddress"))
        if re.fullmatch(r"[\d.]+", address) and not ipaddress.ip_address(address).is_loopback:
            found.add(address)
    return {each for each in found if not each.startswith("AWSServiceRoleFor")}


def test_the_real_trail_has_no_original_left_and_keeps_its_verdicts(shared_corpus: Path, tmp_path: Path) -> None:
    trail = shared_corpus / "invictus"
    originals = originals_of(list(cloudsigma.read_records(trail)))
    assert len(originals) > 100
    done = Redactor(cloudsigma.bundled_rules(), KEY).redact_files([str(trail)], tmp_path)
    assert (done.records, done.faithful) == (2_900, True)
    written = "".join(gzip.decompress(path.read_bytes()).decode() for path in tmp_path.glob("*.json.gz"))
    assert sorted(text for text in originals if text in written) == []


def test_public_rules_keep_their_verdicts(shared_corpus: Path, tmp_path: Path) -> None:
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules", on_error="skip")
    done = Redactor(rules, KEY).redact_files([str(shared_corpus / "stratus")], tmp_path)
    assert done.changed == ()
    before = [match.rule_id for match in rules.evaluate(cloudsigma.read_records(shared_corpus / "stratus"))]
    after = [match.rule_id for match in rules.evaluate(cloudsigma.read_records(tmp_path))]
    assert (before, bool(before)) == (after, True)


def test_the_command(root: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0" * 32)
    done = run("redact", root / "examples" / "trail", "-o", tmp_path / "out", "--key-file", key)
    assert done.returncode == 0, done.stderr
    assert "341 records redacted" in done.stderr
    account = json.loads((tmp_path / "out" / "redaction.json").read_text())
    assert account["records"] == 341
    assert account["changed"] == []
    assert "errorMessage" in account["free_texts"]
    assert "jordan" not in json.dumps(account)
    scanned = run("scan", tmp_path / "out" / "records-00001.json.gz", "--format", "ids")
    assert len(scanned.stdout.splitlines()) == 4
    assert run("redact", root / "examples" / "trail", "-o", tmp_path / "out").returncode == 2
    key.write_text("short")
    assert run("redact", root / "examples" / "trail", "-o", tmp_path / "new", "--key-file", key).returncode == 2
