"""The register: what is not registered, changed, gone, due or weak; mistakes of the file; the account itself."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import inventory_history as history
import pytest
from commands import run

from cloudsigma.errors import RegisterError
from cloudsigma.inventory import Inventory, Register, State
from cloudsigma.inventory.account import compare_with_account, read_account, state_of
from cloudsigma.inventory.register_file.loader import parse_register

TODAY = dt.date(2026, 12, 1)


def register(text: str) -> Register:
    return Register(parse_register(f"version: 1\nobjects:\n{text}"), TODAY)


def kinds(text: str, *records: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(each.kind, each.attribute) for each in history.inventory_of(*records).compare(register(text))]


GROUP = "- group: auditors\n  account: '111122223333'\n  purpose: reads\n  owner: o\n"
ANCHOR = "- trust_anchor: agents\n  account: '111122223333'\n  purpose: agents\n  owner: o\n"
MADE = history.created(1, "auditors", 0, "AGPA1")


def test_what_is_registered_and_as_expected_is_quiet() -> None:
    member = history.event(2, "AddUserToGroup", 1, groupName="auditors", userName="alice")
    assert kinds(GROUP + "  expect: {members: [alice], policies: [], path: /}\n", MADE, member) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[]", [("not-registered", None)]),
        (GROUP + "  expect: {members: [bob]}\n", [("changed", "member alice"), ("changed", "member bob")]),
        (GROUP + "  expect: {path: /x/}\n", [("changed", "path")]),
        (GROUP + "  review_by: 2026-11-30\n", [("past-review", "review_by")]),
        (GROUP + "  review_by: 2026-12-01\n", []),
        (GROUP + "  approved_at: 2026-11-17T12:00:00Z\n", [("changed", "member alice")]),
        (GROUP + "  approved_at: 2026-11-17T13:00:01+01:00\n", []),
        (GROUP.replace("auditors", "others"), [("not-registered", None), ("never-seen", None)]),
    ],
)
def test_deviations_are_told(text: str, wanted: list[tuple[str, str | None]]) -> None:
    member = history.event(2, "AddUserToGroup", 1, groupName="auditors", userName="alice")
    assert kinds(text if text != "[]" else "  []\n", MADE, member) == wanted


def test_what_was_deleted_is_gone() -> None:
    assert kinds(GROUP, MADE, history.event(2, "DeleteGroup", 5, groupName="auditors")) == [("gone", None)]


PRIVATE = {"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": "a"}}


def test_a_private_authority_that_became_a_bundle_is_a_change_with_its_event() -> None:
    inventory = history.inventory_of(
        history.anchor(
            1, "CreateTrustAnchor", 0, source={"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": "a"}}
        ),
        history.anchor(2, "UpdateTrustAnchor", 9, source=history.bundle()),
    )
    found = inventory.compare(register(ANCHOR + "  expect: {source: AWS_ACM_PCA}\n"))
    changed = next(each for each in found if each.kind == "changed")
    assert (changed.expected, changed.found) == ("AWS_ACM_PCA", "CERTIFICATE_BUNDLE")
    assert changed.cause is not None
    assert changed.cause.event_id == "e2"
    since = inventory.compare(register(ANCHOR + "  approved_at: 2026-11-17T12:00:05Z\n"))
    assert {each.attribute for each in since if each.kind == "changed"} == {"sourceType", "certificates"}


ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def test_what_is_weak_is_told() -> None:
    off = [{"event": "CA_CERTIFICATE_EXPIRY", "enabled": False, "threshold": 45, "channel": "ALL"}]
    profile = {
        "profileId": "p1", "name": "p", "roleArns": ["r1", "r2"], "acceptRoleSessionName": True,
        "managedPolicyArns": [ADMINISTRATOR],
        "attributeMappings": [{"certificateField": "x509Subject", "mappingRules": [{"specifier": "*"}]}],
    }  # fmt: skip
    records = [
        MADE,
        history.event(
            2, "AttachGroupPolicy", 1, groupName="auditors", policyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        history.anchor(3, "CreateTrustAnchor", 2, source=history.bundle(), notificationSettings=off),
        history.event(4, "CreateProfile", 3, source="rolesanywhere", response={"profile": profile}),
    ]
    weak = [attribute for kind, attribute in kinds("  []\n", *records) if kind == "weak"]
    assert weak == [
        f"policy {ADMINISTRATOR}", "sourceType", "crlDpRevocationEnabled",
        "notificationSettings", "managedPolicyArns", "roleArns", "acceptRoleSessionName",
    ]  # fmt: skip
    crl = {"crlId": "c1", "name": "c", "enabled": True,
           "trustAnchorArn": "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/ta1"}  # fmt: skip
    listed = history.event(5, "ImportCrl", 4, source="rolesanywhere", response={"crl": crl})
    assert ("weak", "crlDpRevocationEnabled") not in kinds("  []\n", *records, listed)


MISTAKES = [
    ("version: 2\nobjects: []\n", 1, "version"),
    ("version: 1\n", 1, "no list of objects"),
    ("version: 1\nobjects:\n- purpose: p\n  owner: o\n", 3, "does not name one object"),
    ("version: 1\nobjects:\n- group: g\n  account: '1'\n  purpose: p\n  owner: o\n", 4, "no account ID"),
    ("version: 1\nobjects:\n- group: g\n  purpose: p\n  owner: o\n", 3, "no account"),
    ("version: 1\nobjects:\n- group: g\n  account: '111122223333'\n  owner: o\n", 3, "no purpose"),
    (f"version: 1\nobjects:\n{GROUP}  review_by: 31.1.2027\n", 7, "review_by"),
    (f"version: 1\nobjects:\n{GROUP}  approved_at: 2026-11-17T12:00:00\n", 7, "approved_at"),
    (f"version: 1\nobjects:\n{GROUP}  expect: {{member: [a]}}\n", 7, "expectation 'member'"),
    (f"version: 1\nobjects:\n{GROUP}  expect: {{roles: [a]}}\n", 7, "no attribute of a group"),
    (f"version: 1\nobjects:\n{ANCHOR}  expect: {{certificates: [abc]}}\n", 7, "no certificate's hash"),
    (f"version: 1\nobjects:\n{GROUP}  owners: o\n", 7, "no key 'owners'"),
    (f"version: 1\nobjects:\n{GROUP}{GROUP}", 9, "appears twice"),
    ("version: 1\nobjects:\n- arn: arn:aws:iam::111122223333:role/r\n  purpose: p\n  owner: o\n", 3, "no ARN of one"),
    ("version: 1\nobjects: [\n", None, ""),
]


@pytest.mark.parametrize(("text", "line", "reason"), MISTAKES)
def test_mistakes_are_told_with_line_and_remedy(text: str, line: int | None, reason: str) -> None:
    with pytest.raises(RegisterError) as raised:
        parse_register(text, "register.yml")
    told = raised.value.mistakes[0]
    assert reason in told.reason
    assert told.remedy
    assert str(told).startswith("register.yml:")
    assert "register error" in str(told)
    if line is not None:
        assert told.location.line == line


# --- the account --------------------------------------------------------------------------------------------


POLICY = """{"Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}]}"""


def test_iam_is_read_from_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with moto.mock_aws():
        iam = boto3.client("iam")
        iam.create_group(GroupName="auditors")
        iam.create_user(UserName="alice")
        iam.add_user_to_group(GroupName="auditors", UserName="alice")
        iam.put_group_policy(GroupName="auditors", PolicyName="p", PolicyDocument=POLICY)
        found = read_account(regions=["eu-central-1"])
    [group] = found.state.items
    assert (group.name, group.present("member"), group.present("inline policy")) == ("auditors", ("alice",), ("p",))
    assert len(found.unread) == 1  # moto has no Roles Anywhere
    assert "Roles Anywhere in eu-central-1" in found.unread[0]
    other = json.dumps(dict(reversed(json.loads(POLICY).items())), indent=3)
    put = history.event(2, "PutGroupPolicy", 1, groupName="auditors", policyName="p", policyDocument=other)
    assert group.value("inline policy p") == history.items_of(MADE, put)[0].value("inline policy p")


class Stubbed:
    """A session whose clients answer as botocore's Stubber says."""

    def __init__(self, answers: dict[str, list[dict[str, Any]]]) -> None:
        self._answers = answers

    def client(self, service: str, region_name: str | None = None) -> Any:
        import boto3
        from botocore.stub import Stubber

        client = boto3.client(
            service,
            region_name=region_name or "us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",  # noqa: S106  # made up
        )
        stubber = Stubber(client)
        for operation in ("get_account_authorization_details", "list_trust_anchors", "list_profiles", "list_crls"):
            for answer in self._answers.get(operation, [{}]) if hasattr(client, operation) else ():
                stubber.add_response(operation, answer)
        stubber.activate()
        return client


def test_roles_anywhere_is_read_from_the_account() -> None:
    pytest.importorskip("boto3")
    arn = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/" + "0" * 8 + "-0000-0000-0000-" + "0" * 12
    listed = [
        {"trustAnchors": [{"trustAnchorId": arn[-36:], "trustAnchorArn": arn, "name": "agents", "enabled": True}],
         "nextToken": "more"},
        {"trustAnchors": [{"trustAnchorId": arn[-36:-1] + "1", "trustAnchorArn": arn[:-1] + "1", "name": "two"}]},
    ]  # fmt: skip
    session = Stubbed({"list_trust_anchors": listed, "get_account_authorization_details": [{"IsTruncated": False}]})
    found = read_account(session, ["eu-central-1"])
    assert found.unread == ()
    assert [(item.kind, item.name, item.region) for item in found.state.items] == [
        ("trust_anchor", "agents", "eu-central-1"), ("trust_anchor", "two", "eu-central-1"),
    ]  # fmt: skip


def told_of(trail: State, account: State) -> list[tuple[str, str, str | None]]:
    found = compare_with_account(trail, account)
    return [(each.kind, each.item.name if each.item else "", each.attribute) for each in found]


def test_trail_and_account_are_compared() -> None:
    trail = history.inventory_of(
        MADE,
        history.event(2, "AddUserToGroup", 1, groupName="auditors", userName="alice"),
        history.created(3, "b", 2, "B"),
    ).state()
    account = state_of([
        {
            "GroupDetailList": [
                {"GroupName": "auditors", "Arn": "arn:aws:iam::111122223333:group/auditors", "Path": "/",
                 "AttachedManagedPolicies": [{"PolicyArn": "arn:p"}]},
                {"GroupName": "new", "Arn": "arn:aws:iam::111122223333:group/new", "Path": "/"},
            ],
            "UserDetailList": [
                {"UserName": "bob", "Arn": "arn:aws:iam::111122223333:user/bob", "GroupList": ["auditors"]}
            ],
        }
    ])  # fmt: skip
    told = [
        (each.kind, each.item.name if each.item else "", each.attribute)
        for each in compare_with_account(trail, account)
    ]
    assert told == [
        ("differs", "auditors", "member alice"), ("differs", "auditors", "member bob"),
        ("differs", "auditors", "policy arn:p"), ("not-in-trail", "new", None), ("differs", "b", None),
    ]  # fmt: skip
    partly = Inventory()
    partly.add(history.event(9, "AddUserToGroup", 1, groupName="auditors", userName="bob"))
    assert told_of(partly.state(), account) == [("not-in-trail", "new", None)]


# --- the command --------------------------------------------------------------------------------------------


def test_the_command_lists_compares_and_tells(root: Path, tmp_path: Path) -> None:
    trail, file = root / "examples" / "trail", root / "examples" / "register.yml"
    plain = run("inventory", trail)
    assert plain.returncode == 0
    assert "IAM group support-tier2 (111122223333): created 2026-11-17 13:09:41Z by" in plain.stdout
    compared = run("inventory", trail, "--register", file, "--format", "json")
    assert compared.returncode == 1
    found = json.loads(compared.stdout)
    assert [each["kind"] for each in found["deviations"]][:4] == ["not-registered"] * 3 + ["gone"]
    assert run("inventory", trail, "--register", file, "--exit-zero").returncode == 0
    early = json.loads(run("inventory", trail, "--at", "2026-11-17T13:00:00Z", "--format", "json").stdout)
    assert [item["name"] for item in early["items"]] == ["build-agents"]
    (tmp_path / "bad.json").write_text('{"Records": [')
    assert run("inventory", trail, tmp_path).returncode == 4
    (tmp_path / "r.yml").write_text("version: 1\n")
    wrong = run("inventory", trail, "--register", tmp_path / "r.yml")
    assert wrong.returncode not in (0, 1)
    assert "there is no list of objects" in wrong.stderr
    page = run("inventory", trail, "--register", file, "--format", "html")
    assert "it has no purpose in the register" in page.stdout
    assert "<script" not in page.stdout


def test_answers_of_the_command_line_are_read(root: Path, tmp_path: Path) -> None:
    answer = tmp_path / "groups.json"
    answer.write_text(json.dumps({"GroupDetailList": [{"GroupName": "x", "Arn": "arn:aws:iam::111122223333:group/x"}]}))
    done = run("inventory", "--live-file", answer, "--format", "json")
    assert [item["name"] for item in json.loads(done.stdout)["items"]] == ["x"]
    both = run("inventory", root / "examples" / "trail", "--live-file", answer)
    assert "not-in-trail: IAM group x" in both.stdout
    answer.write_text("[]")
    assert run("inventory", "--live-file", answer).returncode == 2
    assert run("inventory").returncode == 2
