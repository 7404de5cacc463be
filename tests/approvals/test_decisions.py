# ruff: noqa: S301  # pickles of this test alone
"""Which matches an approval covers, which it nearly covers, and which mistakes a file may have: data-driven."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma import Approvals, Decision
from cloudsigma.approvals.file.loader import parse_approvals
from cloudsigma.approvals.patterns import fits
from cloudsigma.engine.match import make_match

HERE = Path(__file__).parent
DECISIONS = yaml.safe_load((HERE / "decisions.yml").read_text(encoding="utf-8"))
MISTAKES = yaml.safe_load((HERE / "mistakes.yml").read_text(encoding="utf-8"))
RULES = cloudsigma.bundled_rules(correlations=True)
BASE: dict[str, Any] = DECISIONS["base"]


def changed(base: dict[str, Any], changes: dict[str, Any], *, dotted: bool) -> dict[str, Any]:
    made = copy.deepcopy(base)
    for name, value in changes.items():
        *above, last = name.split(".") if dotted else [name]
        node = made
        for key in above:
            node = node.setdefault(key, {})
        if value is None:
            node.pop(last, None)
        else:
            node[last] = value
    return made


def match_of(case: dict[str, Any]) -> cloudsigma.Match:
    record = copy.deepcopy(BASE["record"])
    if case.get("session"):
        record["userIdentity"] = copy.deepcopy(BASE["session"])
    record = changed(record, case.get("record", {}), dotted=True)
    return make_match(RULES[case.get("rule", "aws_cloudtrail_iam_group_created")], record)


def approvals_of(*entries: dict[str, Any]) -> Approvals:
    return parse_approvals(json.dumps({"version": 1, "approvals": entries}))


def entry(**changes: Any) -> dict[str, Any]:
    return changed(BASE["approval"], changes, dotted=False)


@pytest.mark.parametrize("case", DECISIONS["cases"], ids=lambda case: case["name"])
def test_decision(case: dict[str, Any]) -> None:
    approvals = approvals_of(entry(**case.get("approval", {})))
    decision = approvals.decide(match_of(case))
    wanted = case.get("status", "none")
    assert decision.status == wanted
    assert decision.by == (("CHG0031337",) if wanted == "approved" else ())
    if "near" not in case:
        assert decision.near == ()
        return
    [near] = decision.near
    key, why = case["near"]
    assert (near.id, near.key) == ("CHG0031337", key)
    assert why in (None, near.why)


def test_names_of_cases_differ() -> None:
    for cases in (DECISIONS["cases"], MISTAKES["cases"]):
        names = [case["name"] for case in cases]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", MISTAKES["cases"], ids=lambda case: case["name"])
def test_mistake(case: dict[str, Any], tmp_path: Path) -> None:
    text: str = MISTAKES["base"]
    for old, new in case.get("replace", {}).items():
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "approvals.yml"
    file.write_text(text, encoding="utf-8")
    if not case["mistakes"]:
        assert len(Approvals.load(file, RULES)) == 1
        return
    with pytest.raises(cloudsigma.ApprovalError) as raised:
        Approvals.load(file, RULES)
    found = raised.value.mistakes
    assert len(found) == len(case["mistakes"]), str(raised.value)
    for mistake, (line, reason, remedy) in zip(found, case["mistakes"], strict=True):
        assert line in (None, mistake.location.line), str(mistake)
        assert reason in mistake.reason
        assert remedy in mistake.remedy
        assert str(mistake).startswith(f"{file}:")
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_an_id_is_used_once() -> None:
    with pytest.raises(cloudsigma.ApprovalError, match=r"used twice \(first in line 1\)"):
        approvals_of(entry(), entry())


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(cloudsigma.ApprovalError, match=r"nothing\.yml.*cannot be read"):
        Approvals.load(tmp_path / "nothing.yml")


def test_several_approvals_are_all_named() -> None:
    approvals = approvals_of(entry(), entry(id="CHG2"), entry(id="CHG3", until="2026-11-17T13:05:00Z"))
    assert approvals.decide(match_of({})) == Decision("approved", ("CHG0031337", "CHG2"))


def test_near_misses_are_the_nearest_in_time_first() -> None:
    far = entry(id="FAR", **{"from": "2026-11-17T10:00:00Z", "until": "2026-11-17T10:05:00Z"})
    near = entry(id="NEAR", **{"from": "2026-11-17T13:00:00Z", "until": "2026-11-17T13:05:00Z"})
    decision = approvals_of(far, near).decide(match_of({}))
    assert [each.id for each in decision.near] == ["NEAR", "FAR"]


def slowly_fits(pattern: str, text: str) -> bool:
    """The judge: a star is any characters but a colon, a question mark one of them."""
    if not pattern:
        return not text
    first, rest = pattern[0], pattern[1:]
    if first == "*":
        return slowly_fits(rest, text) or (text[:1] not in ("", ":") and slowly_fits(pattern, text[1:]))
    return text[:1] != "" and (text[0] == first or (first == "?" and text[0] != ":")) and slowly_fits(rest, text[1:])


@fuzz(200)
@given(st.text("ab:.*?\n", max_size=6), st.text("ab:.\n", max_size=8))
def test_wildcards_agree_with_the_slow_judge(pattern: str, text: str) -> None:
    assert fits(pattern, text) is slowly_fits(pattern, text)


def test_wildcards_take_linear_time() -> None:
    assert not fits("*a" * 50 + "b", "a" * 200_000)
    assert not fits("x*", "\ud800")


# --- roots --------------------------------------------------------------------------------------------------


def linked(root: str | None, certainty: Any) -> cloudsigma.Match:
    import msgspec

    link = cloudsigma.Link(root, (), certainty, "because", "key")
    return msgspec.structs.replace(match_of({"session": True}), session=link)


@pytest.mark.parametrize(
    ("root", "certainty", "wanted"),
    [
        ("arn:aws:iam::111122223333:user/jordan", "certain", None),
        ("arn:aws:iam::111122223333:user/jordan", "ambiguous", None),  # several sessions, all of one root
        ("arn:aws:iam::111122223333:user/jordan", "probable", "but not for certain"),
        ("arn:aws:iam::111122223333:user/mallory", "certain", "the root is arn:aws:iam::111122223333:user/mallory"),
        (None, "unknown", "the root is not known: because"),
    ],
)
def test_a_root_is_who_began_the_chain(root: str | None, certainty: str, wanted: str | None) -> None:
    approvals = approvals_of(entry(principals=None, roots=["arn:aws:iam::111122223333:user/jordan"]))
    decision = approvals.decide(linked(root, certainty))
    assert decision.approved is (wanted is None)
    if wanted is not None:
        [near] = decision.near
        assert near.key == "roots"
        assert wanted in near.why


def test_a_session_that_is_not_linked_has_no_root() -> None:
    approvals = approvals_of(entry(principals=None, roots=["arn:aws:iam::111122223333:user/jordan"]))
    assert [near.why for near in approvals.decide(match_of({})).near] == ["the session is not linked"]
    assert approvals.needs_sessions


# --- correlations -------------------------------------------------------------------------------------------

GROUP_BECOMES_ADMIN = next(rule for rule in RULES if rule.correlation is not None and "roup" in rule.title)


def correlation(times: tuple[str, ...] = ("13:10:00", "13:11:00")) -> cloudsigma.Match:
    from cloudsigma.correlation.match import correlation_match

    members = [
        match_of({"record": {"eventTime": f"2026-11-17T{time}Z", "eventID": f"member-{time}"}}) for time in times
    ]
    return correlation_match(GROUP_BECOMES_ADMIN, {}, tuple(members))


def test_approved_members_leave_their_correlation() -> None:
    from cloudsigma.engine.approval import approval_note

    applied = approvals_of(entry()).apply(correlation())
    assert applied.approval is not None
    assert applied.approval.status == "partly"
    assert applied.approval.by == ("CHG0031337",)
    decisions = [member.approval for member in applied.matches]
    assert all(decision is not None and decision.approved for decision in decisions)
    assert approval_note(applied.approval, decisions).startswith("2 of 2 members approved (CHG0031337)")


def test_an_approval_of_the_correlation_covers_it() -> None:
    named = entry(rules=[GROUP_BECOMES_ADMIN.id])
    applied = approvals_of(named).apply(correlation())
    assert applied.approval == Decision("approved", ("CHG0031337",))
    assert [member.approval.status for member in applied.matches if member.approval is not None] == ["none", "none"]


def test_an_approval_of_the_correlation_must_cover_every_member() -> None:
    named = entry(rules=[GROUP_BECOMES_ADMIN.id])
    decision = approvals_of(named).decide(correlation(("14:59:00", "15:01:00")))
    assert decision.status == "none"
    assert [(near.key, near.why) for near in decision.near] == [("time", "1 min after CHG0031337 ended")]


# --- max_matches, order -------------------------------------------------------------------------------------


def several(count: int) -> list[cloudsigma.Match]:
    return [
        match_of({"record": {"eventTime": f"2026-11-17T13:{at // 2:02}:00Z", "eventID": f"event-{at}"}})
        for at in range(count)
    ]


def test_the_first_matches_by_time_and_key_are_covered_whatever_their_order() -> None:
    matches = several(5)
    approvals = approvals_of(entry(max_matches=3))
    first = sorted(matches, key=lambda match: (match.context.time, match.key))[:3]
    for order in itertools.permutations(matches):
        decided = approvals.decided(order)
        covered = {match.key for match in decided if match.approval is not None and match.approval.approved}
        assert covered == {match.key for match in first}
        late = [match.approval for match in decided if match.key not in covered]
        assert {near.key for decision in late if decision is not None for near in decision.near} == {"max_matches"}
        assert [match.key for match in decided] == [match.key for match in order]


def test_a_repeated_delivery_counts_once() -> None:
    (one, two) = several(2)
    decided = approvals_of(entry(max_matches=2)).decided([one, one, two])
    assert [match.approval is not None and match.approval.approved for match in decided] == [True, True, True]


PRINCIPALS = ["arn:aws:iam::111122223333:user/jordan", "arn:aws:iam::111122223333:user/mira"]
ENTRIES = st.fixed_dictionaries(
    {
        "from": st.sampled_from(["2026-11-17T12:00:00Z", "2026-11-17T13:05:00Z"]),
        "until": st.sampled_from(["2026-11-17T13:10:00Z", "2026-11-17T14:00:00Z"]),
        "rules": st.lists(
            st.sampled_from(["aws_cloudtrail_iam_group_created", "aws_cloudtrail_iam_group_deleted"]),
            min_size=1, unique=True,
        ),
        "principals": st.lists(st.sampled_from(PRINCIPALS), min_size=1, unique=True),
    },
    optional={
        "outcomes": st.lists(st.sampled_from(["success", "denied"]), min_size=1, unique=True),
        "max_matches": st.integers(1, 4),
        "accounts": st.just(["111122223333"]),
        "resources": st.sampled_from([["support-*"], ["admins"]]),
    },
)  # fmt: skip
MATCHES = st.lists(
    st.tuples(
        st.integers(0, 59), st.sampled_from(PRINCIPALS), st.sampled_from(["support-tier2", "admins"]), st.booleans()
    ),
    max_size=8,
)


def made(plans: list[tuple[int, str, str, bool]]) -> list[cloudsigma.Match]:
    return [
        match_of(
            {
                "record": {
                    "eventTime": f"2026-11-17T13:{minute:02}:00Z",
                    "eventID": f"event-{at}",
                    "userIdentity.arn": principal,
                    "requestParameters.groupName": group,
                    "responseElements": None,
                    **({"errorCode": "AccessDenied"} if denied else {}),
                }
            }
        )
        for at, (minute, principal, group, denied) in enumerate(plans)
    ]


def slowly_decided(entries: list[dict[str, Any]], matches: list[cloudsigma.Match]) -> dict[str, tuple[str, ...]]:
    """The judge: key of a match → the approvals that cover it, by the words of the reference page."""
    by: dict[str, list[str]] = {match.key: [] for match in matches}
    for each in entries:
        covered = [
            match
            for match in matches
            if match.rule.name in each["rules"]
            and each["from"] <= match.record["eventTime"] < each["until"]
            and match.record["userIdentity"]["arn"] in each["principals"]
            and match.context.outcome in each.get("outcomes", ["success"])
            and match.record["requestParameters"]["groupName"].startswith(each.get("resources", [""])[0].rstrip("*"))
        ]
        covered.sort(key=lambda match: (match.record["eventTime"], match.key))
        for match in covered[: each.get("max_matches")]:
            by[match.key].append(each["id"])
    return {key: tuple(ids) for key, ids in by.items()}


@fuzz(60)
@given(st.lists(ENTRIES, max_size=4), MATCHES, st.randoms(use_true_random=False))
def test_decisions_agree_with_the_slow_judge_in_any_order(
    drawn: list[dict[str, Any]], plans: list[tuple[int, str, str, bool]], order: random.Random
) -> None:
    entries = [{"id": f"CHG{at}", **each} for at, each in enumerate(drawn)]
    matches = made(plans)
    shuffled = order.sample(matches, len(matches))
    decided = approvals_of(*entries).decided(shuffled) if entries else []
    wanted = slowly_decided(entries, matches)
    for match in decided:
        assert match.approval is not None
        assert match.approval.by == wanted[match.key]
        assert match.approval.approved is bool(wanted[match.key])


# --- values -------------------------------------------------------------------------------------------------


def test_values_are_frozen_and_pickle() -> None:
    approvals = approvals_of(entry(max_matches=1), entry(id="CHG2")).counting([match_of({})])
    decision = approvals.decide(match_of({"record": {"eventTime": "2026-11-17T15:12:00Z"}}))
    assert pickle.loads(pickle.dumps(approvals)) == approvals
    assert pickle.loads(pickle.dumps(decision)) == decision
    with pytest.raises(AttributeError):
        decision.status = "approved"  # type: ignore[misc]


def test_a_worker_that_gets_approvals_needs_no_yaml(tmp_path: Path) -> None:
    file = tmp_path / "approvals.pickle"
    file.write_bytes(pickle.dumps((approvals_of(entry()), match_of({}))))
    program = (
        "import pickle, sys; from pathlib import Path\n"
        f"approvals, match = pickle.loads(Path({str(file)!r}).read_bytes())\n"
        "print(approvals.decide(match).status, sorted({'yaml', 'sigma', 'boto3', 'socket'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert run.stdout == "approved []\n"
