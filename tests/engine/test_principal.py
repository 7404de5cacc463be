"""Who made the call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma.engine.context.principal import Principal, PrincipalReader, read_principal

ROLE = "arn:aws:iam::111122223333:role/team/deploy"
SESSION = "arn:aws:sts::111122223333:assumed-role/deploy/alice@example.com"


def of(**identity: Any) -> Principal:
    principal = read_principal({"userIdentity": identity})
    assert principal is not None
    return principal


def test_an_iam_user() -> None:
    alice = of(
        type="IAMUser",
        principalId="AIDAEXAMPLE",
        arn="arn:aws:iam::111122223333:user/eng/alice",
        accountId="111122223333",
        accessKeyId="AKIAEXAMPLE",
        userName="alice",
    )
    assert alice == Principal(
        arn="arn:aws:iam::111122223333:user/eng/alice",
        kind="iam_user",
        name="alice",
        id="AIDAEXAMPLE",
        account="111122223333",
        access_key_id="AKIAEXAMPLE",
    )
    assert str(alice) == "arn:aws:iam::111122223333:user/eng/alice"


def test_the_root_user_has_no_name_but_the_alias_of_its_account() -> None:
    root = of(type="Root", principalId="111122223333", arn="arn:aws:iam::111122223333:root", accountId="111122223333")
    assert (root.kind, root.name, str(root)) == ("root", None, "arn:aws:iam::111122223333:root")
    assert of(type="Root", accountId="111122223333", userName="my-alias").name == "my-alias"


def test_a_role_session_has_the_role_as_its_name_and_issuer_and_the_person_in_its_session_name() -> None:
    session = of(
        type="AssumedRole",
        principalId="AROAEXAMPLE:alice@example.com",
        arn=SESSION,
        accountId="111122223333",
        accessKeyId="ASIAEXAMPLE",
        sessionContext={
            "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "arn": ROLE, "userName": "deploy"},
            "webIdFederationData": {},
            "attributes": {"creationDate": "2025-03-04T10:00:00Z", "mfaAuthenticated": "true"},
        },
    )
    assert session == Principal(
        arn=SESSION,
        kind="role_session",
        name="deploy",
        id="AROAEXAMPLE:alice@example.com",
        account="111122223333",
        session_name="alice@example.com",
        issuer_arn=ROLE,
        access_key_id="ASIAEXAMPLE",
        mfa=True,
    )


@pytest.mark.parametrize(
    ("identity", "name", "session_name"),
    [
        ({"arn": SESSION, "sessionContext": {"sessionIssuer": {}}}, "deploy", "alice@example.com"),
        ({"principalId": "AROAEXAMPLE:i-0abc"}, None, "i-0abc"),
        ({"principalId": "AROAEXAMPLE"}, None, None),
        ({"arn": ROLE}, "deploy", None),
        ({"arn": "arn:aws:sts::111122223333:assumed-role/deploy"}, "deploy", None),
        ({"arn": "no arn at all"}, None, None),
    ],
)
def test_role_and_session_are_told_from_whichever_member_has_them(
    identity: dict[str, Any], name: str | None, session_name: str | None
) -> None:
    principal = of(type="AssumedRole", **identity)
    assert (principal.kind, principal.name, principal.session_name) == ("role_session", name, session_name)
    assert principal.issuer_arn is None


def test_a_session_of_identity_center_stays_a_role_session_and_tells_for_whom_it_acts() -> None:
    principal = of(
        type="AssumedRole",
        arn="arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0a1b/alice",
        onBehalfOf={"userId": "u-1", "identityStoreArn": "arn:aws:identitystore::111122223333:identitystore/d-1"},
        sessionContext={"sourceIdentity": "someone-else"},
    )
    assert (principal.kind, principal.on_behalf_of, principal.session_name) == ("role_session", "u-1", "alice")


def test_source_identity_is_not_on_behalf_of() -> None:
    assert of(type="AssumedRole", arn=SESSION, sessionContext={"sourceIdentity": "alice"}).on_behalf_of is None


def test_a_session_made_with_web_identity_data_stays_a_role_session() -> None:
    federation = {"federatedProvider": "accounts.example.com", "attributes": {}}
    principal = of(type="AssumedRole", arn=SESSION, sessionContext={"webIdFederationData": federation})
    assert principal.kind == "role_session"


def test_a_federated_user_is_named_by_its_session_and_issued_by_a_user() -> None:
    principal = of(
        type="FederatedUser",
        principalId="111122223333:fed",
        arn="arn:aws:sts::111122223333:federated-user/fed",
        sessionContext={"sessionIssuer": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"}},
    )
    assert (principal.kind, principal.name, principal.session_name) == ("federated_user", "fed", "fed")
    assert principal.issuer_arn == "arn:aws:iam::111122223333:user/alice"


@pytest.mark.parametrize(
    ("identity", "kind", "text"),
    [
        ({"type": "SAMLUser", "principalId": "q:alice", "userName": "alice"}, "saml", "alice"),
        ({"type": "WebIdentityUser", "principalId": "idp:app:u", "userName": "u"}, "web_identity", "u"),
        ({"type": "WebIdentityUser", "principalId": "idp:app:u"}, "web_identity", "idp:app:u"),
        ({"type": "IdentityCenterUser", "accountId": "1", "onBehalfOf": {"userId": "u-1"}}, "identity_center", "u-1"),
        ({"type": "Unknown", "accountId": "1", "onBehalfOf": {"userId": "u-1"}}, "identity_center", "u-1"),
        ({"type": "AWSAccount", "principalId": "AIDAEXAMPLE", "accountId": "444455556666"}, "account", "444455556666"),
        ({"type": "AWSAccount", "principalId": "AIDAEXAMPLE"}, "account", "AIDAEXAMPLE"),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "service", "ec2.amazonaws.com"),
        ({"accountId": "111122223333", "invokedBy": "AWS Internal"}, "service", "AWS Internal"),
        ({"type": "Directory", "accountId": "1", "userName": "alice@corp"}, "unknown", "alice@corp"),
        ({"type": "Unknown", "userName": "alice"}, "unknown", "alice"),
        ({"type": "NewKind", "principalId": "p"}, "unknown", "p"),
        ({"accountId": "111122223333"}, "unknown", "111122223333"),
        ({"type": "Unknown"}, "unknown", "unknown"),
        ({"type": "AWSService"}, "service", "service"),
        ({"type": "iamuser", "userName": "alice"}, "iam_user", "alice"),
        ({"type": "IAMUser", "arn": "arn:aws:iam::1:user/a/alice"}, "iam_user", "arn:aws:iam::1:user/a/alice"),
    ],
)
def test_every_documented_type_has_its_kind_and_the_best_identifier_is_shown(
    identity: dict[str, Any], kind: str, text: str
) -> None:
    principal = of(**identity)
    assert (principal.kind, str(principal)) == (kind, text)


def test_the_name_of_a_user_is_in_its_arn_where_it_is_not_said() -> None:
    assert of(type="IAMUser", arn="arn:aws:iam::111122223333:user/eng/alice").name == "alice"


def test_a_withheld_user_name_is_no_name() -> None:
    principal = of(type="IAMUser", accountId="111122223333", accessKeyId="", userName="HIDDEN_DUE_TO_SECURITY_REASONS")
    assert (principal.name, principal.access_key_id, str(principal)) == (None, None, "111122223333")


@pytest.mark.parametrize(
    "identity",
    [None, {}, [], [{"type": "Root"}], "Root", 7, True, {"arn": None, "type": None}, {"type": ""}, {"else": "x"}],
)
def test_there_is_no_principal_where_the_record_has_no_identity(identity: Any) -> None:
    assert read_principal({"userIdentity": identity}) is None


def test_there_is_no_principal_where_the_member_is_missing() -> None:
    assert read_principal({}) is None


@pytest.mark.parametrize("wrong", [7, 1.5, True, ["x"], {"x": "y"}, ""])
def test_a_member_of_the_wrong_type_is_not_said(wrong: Any) -> None:
    principal = of(
        type="AssumedRole",
        arn=wrong,
        principalId=wrong,
        accountId="111122223333",
        userName=wrong,
        invokedBy=wrong,
        accessKeyId=wrong,
        sessionContext=wrong,
        onBehalfOf=wrong,
    )
    assert principal == Principal(kind="role_session", account="111122223333")


@pytest.mark.parametrize(
    ("recorded", "mfa"),
    [("true", True), ("false", False), (True, True), (False, False), ("", None), (None, None), (1, None)],
)
def test_mfa_is_what_the_session_says(recorded: Any, *, mfa: bool | None) -> None:
    context = {"attributes": {"mfaAuthenticated": recorded}}
    assert of(type="IAMUser", userName="alice", sessionContext=context).mfa is mfa


@pytest.mark.parametrize(("used", "mfa"), [("Yes", True), ("No", False), ("NO", False), (None, None), ("?", None)])
def test_mfa_of_a_console_sign_in_is_what_the_sign_in_says(used: Any, *, mfa: bool | None) -> None:
    record = {
        "eventName": "ConsoleLogin",
        "userIdentity": {"type": "IAMUser", "userName": "alice"},
        "additionalEventData": {"MFAUsed": used},
    }
    principal = read_principal(record)
    assert principal is not None
    assert principal.mfa is mfa


def test_the_stable_json_form() -> None:
    principal = Principal("arn:x", "iam_user", "alice", "AIDA", "1", None, None, None, "AKIA", None, None)
    assert list(principal.to_dict().items()) == [
        ("arn", "arn:x"),
        ("kind", "iam_user"),
        ("name", "alice"),
        ("id", "AIDA"),
        ("account", "1"),
        ("session_name", None),
        ("issuer_arn", None),
        ("invoked_by", None),
        ("access_key_id", "AKIA"),
        ("mfa", None),
        ("on_behalf_of", None),
        ("text", "arn:x"),
    ]


ANY = st.sampled_from(
    [None, "", "x", "true", True, False, 1, 1.0, 0, "***", ["x"], {"userName": "n", "arn": ROLE}, SESSION, "a:b"]
)
MEMBERS = ("type", "arn", "principalId", "accountId", "userName", "invokedBy", "accessKeyId", "onBehalfOf")


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    identity = draw(st.dictionaries(st.sampled_from(MEMBERS), ANY))
    identity["type"] = draw(st.one_of(ANY, st.sampled_from(["AssumedRole", "IAMUser", "iamuser", "FederatedUser"])))
    if draw(st.booleans()):
        inner = st.one_of(ANY, st.fixed_dictionaries({"mfaAuthenticated": ANY, "userName": ANY}), st.just({"arn": 1}))
        identity["sessionContext"] = draw(
            st.one_of(ANY, st.fixed_dictionaries({"sessionIssuer": inner, "attributes": inner}))
        )
        identity["onBehalfOf"] = draw(st.one_of(ANY, st.fixed_dictionaries({"userId": ANY})))
    record: dict[str, Any] = {"userIdentity": draw(st.one_of(st.just(identity), st.just(identity), ANY))}
    record["eventName"] = draw(st.sampled_from(["ConsoleLogin", "consolelogin", "GetUser", 1]))
    if draw(st.booleans()):
        record["additionalEventData"] = draw(st.one_of(ANY, st.fixed_dictionaries({"MFAUsed": ANY})))
    return record


@given(st.lists(records(), max_size=20))
def test_a_cached_principal_is_the_one_that_is_read(seen: list[dict[str, Any]]) -> None:
    reader = PrincipalReader()
    for record in [*seen, *seen]:
        read, expected = reader.read(record), read_principal(record)
        assert (read, type(getattr(read, "mfa", None))) == (expected, type(getattr(expected, "mfa", None)))
