"""Approvals in the report: counted apart from the levels, drawn below the chart, with a part of their own."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
from group_calls import create_group
from msgspec import structs

import cloudsigma
from cloudsigma import Decision, NearMiss
from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.report import Account, Digest, render
from cloudsigma.report.approval_row import make_rows
from cloudsigma.report.chart import HEIGHT, WIDTH, chart

DAY = dt.datetime(2025, 3, 4, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def match_at(hour: int, decision: Decision | None) -> cloudsigma.Match:
    [match] = cloudsigma.evaluate([create_group(f"e{hour}", eventTime=f"2025-03-04T{hour:02}:30:00Z")])
    return structs.replace(match, approval=decision)


def digest_of(*decisions: Decision | None) -> Digest:
    digest = Digest()
    for hour, decision in enumerate(decisions):
        digest.add(match_at(hour, decision))
    return digest


def page(digest: Digest, *uses: ApprovalUse) -> str:
    account = Account(Ledger(records=9), 4, approvals=uses, approvals_digest="d1")
    return render(digest, account, made=DAY)


def text_of(written: str) -> str:
    return " ".join(html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", written, flags=re.DOTALL)).split())


APPROVED = Decision("approved", ("CHG1",))


def test_approved_matches_are_counted_apart() -> None:
    digest = digest_of(APPROVED, Decision("none"), APPROVED, Decision("none"), Decision("none"))
    assert (digest.span.count, digest.approved, sum(digest.levels.values())) == (5, 2, 3)
    assert sum(group.span.count for group in digest.groups.values()) == 3
    assert sum(actor.span.count for actor in digest.actors.values()) == 3
    assert sum(bar.total for bar in digest.timeline.bars()) == 5
    assert [row.approved for row in digest.rows] == [True, False, True, False, False]
    said = text_of(page(digest))
    assert "Of 5 matches, 2 are approved changes. Beside these, 3 events matched, 3 at level medium" in said


def test_a_report_of_approved_matches_alone_says_so() -> None:
    said = text_of(page(digest_of(APPROVED, APPROVED)))
    assert "2 events matched, all of them approved changes." in said
    assert "Every match is an approved change." in said


def test_near_misses_are_at_their_group() -> None:
    near = (NearMiss("CHG1", "time", "12 min after CHG1 ended"), NearMiss("CHG2", "expect", "groupName is admins"))
    said = text_of(page(digest_of(Decision("none", near=near))))
    assert said.count("12 min after CHG1 ended; CHG2: groupName is admins") == 2  # in its group, and with the match


def test_without_approvals_there_is_no_part_about_them() -> None:
    account = Account(Ledger(), 4)
    assert "pproval" not in text_of(render(digest_of(None), account, made=DAY)).replace("no approved change", "")


USES = [
    (ApprovalUse("USED", DAY, DAY + 2 * HOUR, used=2), "used", "used, ended"),
    (ApprovalUse("LATE", DAY, DAY + 2 * HOUR, used=1, after=3), "late", "used, 3 matches after its end"),
    (ApprovalUse("ONCE", DAY, DAY + 2 * HOUR, after=1), "late", "not used in these logs, 1 match after its end"),
    (ApprovalUse("NONE", DAY, DAY + 9 * HOUR), "unused", "not used in these logs"),
    (
        ApprovalUse("BEFORE", DAY - 9 * HOUR, DAY - HOUR),
        "unused",
        "not used in these logs, ended before the first event",
    ),
    (
        ApprovalUse("LATER", DAY + 8 * HOUR, DAY + 9 * HOUR),
        "unused",
        "not used in these logs, begins after the last event",
    ),
    (ApprovalUse("DRAFT", DAY, DAY + HOUR, draft=True), "draft", "a draft, which covers nothing"),
    (
        ApprovalUse("STANDING", None, DAY + 5 * 24 * HOUR, standing=True, used=1),
        "used",
        "used, to be reviewed by 2025-03-09",
    ),
]


@pytest.mark.parametrize(("use", "kind", "state"), USES, ids=lambda value: getattr(value, "id", ""))
def test_the_state_of_an_approval(use: ApprovalUse, kind: str, state: str) -> None:
    [row] = make_rows([use], DAY, DAY + 5 * HOUR)
    assert (row.kind, row.state) == (kind, state)


def test_windows_are_bands_within_the_chart() -> None:
    digest = digest_of(*[Decision("none")] * 5)
    uses = [use for use, _, _ in USES] * 3
    bars = digest.timeline.bars()
    drawn = chart(bars, (), make_rows(uses, DAY, DAY + 5 * HOUR))
    shown = 3 * 6  # all but those that ended before, or begin later
    assert len(drawn.bands) + drawn.hidden_bands == shown
    assert drawn.hidden_bands > 0
    for band in drawn.bands:
        assert band.x >= 0
        assert band.width > 0
        assert band.x + band.width <= WIDTH + 2
        assert HEIGHT < band.y < drawn.height
    assert len({band.y for band in drawn.bands}) == len(drawn.bands)


@pytest.mark.parametrize(
    "text", ["<script>x</script>", '"><img src=x>', "</style>", "{{ 7 * 7 }}", "\u202e\x00", "x" * 9999]
)
def test_hostile_text_of_approvals_stays_text(text: str) -> None:
    def made(value: str) -> str:
        decision = Decision("none", near=(NearMiss(value, "expect", f"groupName is {value}"),))
        use = ApprovalUse(value, None, DAY + HOUR, used=1, ticket=value, owner=value, reason=value)
        return page(digest_of(decision, decision), use)

    written, plain = made(text), made("x")
    assert re.findall(r"<(\w+)", written) == re.findall(r"<(\w+)", plain)
    assert not {"\u202e", "\x00"} & set(written)
    assert len(written) < len(plain) + 8_000
