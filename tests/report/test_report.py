"""The HTML report: its parts, its bounds, and text that stays text. `scripts/check_report.py` opens it in a browser."""

from __future__ import annotations

import datetime as dt
import html.parser
import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import cloudsigma
from cloudsigma.engine.match import Match
from cloudsigma.engine.session_link import Link, Step
from cloudsigma.reading.account.ledger import Ledger, Loss
from cloudsigma.report import Account, Digest, Node, Section, Table, render
from cloudsigma.report.digest import ROWS
from cloudsigma.report.timeline import BARS, Timeline

MADE = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
SECTIONS = ["answer", "first", "time", "who", "matches", "how"]


def match_of(**members: Any) -> Match:
    record = {
        "eventName": "CreateGroup",
        "eventSource": "iam.amazonaws.com",
        "eventTime": "2026-11-17T13:00:00Z",
        "eventID": "e",
        "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
        "requestParameters": {"groupName": "g"},
    }
    [match] = cloudsigma.evaluate([record | members])
    return match


def page(*matches: Match, account: Account | None = None) -> str:
    digest = Digest()
    for match in matches:
        digest.add(match)
    return render(digest, account or Account(Ledger(files=1, records=10), 4), made=MADE)


class Parsed(html.parser.HTMLParser):
    """What a browser would make of a page: elements, their attributes, texts outside of the style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.elements if "id" in attributes]


@pytest.fixture(scope="module")
def sample(root: Path) -> str:
    trail = root / "examples" / "trail"
    sessions, digest = cloudsigma.Sessions(), Digest()
    for record in cloudsigma.read_records(trail):
        sessions.add(record)
    scan = cloudsigma.scan(trail, rules=cloudsigma.bundled_rules(correlations=True), coverage=True)
    for match in scan:
        digest.add(structs.replace(match, session=sessions.link(match.record)))
    return render(digest, Account(scan.ledger, len(scan.rules)), made=MADE)


def test_the_parts_stand_in_the_order_of_their_readers(sample: str) -> None:
    parsed = Parsed(sample)
    assert [name for name in parsed.ids if name in SECTIONS] == SECTIONS
    said = " ".join(" ".join(parsed.texts).split())
    assert "Complete. Everything that was given could be read." in said
    assert "341 events were checked against 11 rules. 6 events matched, 2 at level high, by 2 principals." in said
    assert "2026-11-17 13:09:41 to 2026-11-17 14:20:57" in said
    assert "14:11:29 AssumeRole: rolesanywhere.amazonaws.com" in said


def test_the_page_is_the_same_in_every_run(sample: str) -> None:
    assert page(match_of()) == page(match_of())
    assert "2026-12-01 00:00:00 UTC by cloudsigma" in sample


def test_nothing_is_run_and_nothing_is_fetched(sample: str) -> None:
    parsed = Parsed(sample)
    names = {tag for tag, _ in parsed.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "audio", "video"}
    attributes = {name for _, each in parsed.elements for name in each}
    assert not {name for name in attributes if name.startswith("on") or name in {"src", "style", "srcset"}}
    targets = [each["href"] or "" for _, each in parsed.elements if "href" in each]
    assert {target[:1] for target in targets} == {"#"}
    assert {target[1:] for target in targets} <= set(parsed.ids)
    [policy] = [each["content"] for _, each in parsed.elements if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><b>", "{{ 7 * 7 }}", "{% raw %}", "a\nb",
    "\u202egnp", "nul\x00nul", "&lt;b&gt;", "' onclick='x", "\ud800", "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    identity = {"type": "IAMUser", "arn": text, "userName": text}
    match = match_of(
        eventID=text, awsRegion=text, sourceIPAddress=text, userIdentity=identity, requestParameters={"groupName": text}
    )
    account = Account(Ledger(losses=(Loss(text, text, text),)), 4, text, [text], [text], text)
    plain = page(match_of(eventID="x", awsRegion="x", sourceIPAddress="x", userIdentity={"type": "IAMUser", "arn": "x"},
                          requestParameters={"groupName": "x"}),
                 account=Account(Ledger(losses=(Loss("x", "x", "x"),)), 4, "x", ["x"], ["x"], "x"))  # fmt: skip
    written = page(match, account=account)
    written.encode()
    assert [tag for tag, _ in Parsed(written).elements] == [tag for tag, _ in Parsed(plain).elements]
    assert not {"\x00", "\u202e", "\ud800"} & set(written)
    assert len(written) < len(plain) + 20_000


def test_a_report_that_is_not_complete_says_why() -> None:
    ledger = Ledger(files=2, losses=(Loss("a.json.gz", "gzip data is damaged"),))
    said = page(account=Account(ledger, 3, rule_errors=["b.yml:1: no condition"], notes=["2 entries came too late"]))
    text = " ".join(" ".join(Parsed(said).texts).split())
    assert "NOT COMPLETE: 1 place of the input could not be read; 1 rule was left out; 2 entries came too late." in text
    assert "a.json.gz: gzip data is damaged" in text
    assert "Nothing matched." in text


def test_a_million_matches_stay_below_five_megabytes() -> None:
    one = match_of()
    digest = Digest()
    for at in range(50_000):  # a bound on rows, groups and principals: the size does not grow beyond it
        name = f"arn:aws:iam::111122223333:user/{at}{'x' * 200}"
        principal = structs.replace(one.context.principal, arn=name, text=name)  # type: ignore[type-var]
        context = structs.replace(
            one.context, principal=principal, source_ip=f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}"
        )
        digest.add(structs.replace(one, context=context, key=str(at)))
    grown = len(render(digest, Account(Ledger(), 4, matches_file="matches.jsonl"), made=MADE))
    assert grown < 5_000_000
    assert digest.left_out == 50_000 - ROWS
    assert digest.ungrouped == 30_000
    for _ in range(950_000 // 50):  # of the same ones
        digest.add(one)
    written = render(digest, Account(Ledger(), 4, matches_file="matches.jsonl"), made=MADE)
    assert len(written) < grown + 5_000
    assert "The file <code>matches.jsonl</code> has all of them." in written


def test_the_worst_rows_are_kept(root: Path) -> None:
    rules = cloudsigma.compile_rules(root / "sigma_rules")
    low, medium = rules["IAM Group Deleted"] if "IAM Group Deleted" in rules else rules.rules[1], rules.rules[0]
    assert (low.level, medium.level) == ("low", "medium")
    one, digest = match_of(), Digest()
    for at in range(ROWS + 500):
        digest.add(structs.replace(one, rule=low, key=f"low-{at}"))
    for at in range(100):
        digest.add(structs.replace(one, rule=medium, key=f"medium-{at}"))
    assert sum(row.level == "medium" for row in digest.rows) == 100
    assert len(digest.rows) == ROWS


def test_bars_cover_any_period_and_lose_nothing() -> None:
    chosen = random.Random(4)  # noqa: S311  # times, no secrets
    for span in (60, 3600, 86_400, 40 * 86_400, 4000 * 86_400):
        timeline = Timeline()
        start = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
        times = [start + dt.timedelta(seconds=chosen.random() * span) for _ in range(3000)]
        for when in times:
            timeline.add(when, "low")
        bars = timeline.bars()
        assert len(bars) <= BARS
        assert sum(bar.total for bar in bars) == 3000
        assert bars[0].start <= min(times)
        assert max(times) < bars[-1].end
        assert all(first.end == second.start for first, second in itertools.pairwise(bars))


def linked(sessions: int, steps: int) -> list[Match]:
    """Matches of one user's sessions, each behind its own chain of roles."""
    made = []
    for at in range(sessions):
        chain = [
            Step("AssumeRole", f"{at}-{depth}", MADE, f"role{depth}", f"role{depth + 1}{at if depth else ''}", None)
            for depth in range(steps)
        ]
        link = Link("arn:aws:iam::111122223333:user/alice", tuple(chain), "certain", "by AssumeRole", "key")
        made.append(structs.replace(match_of(eventID=str(at)), session=link))
    return made


def test_chains_are_a_tree_whose_steps_are_shared() -> None:
    digest = Digest()
    for match in linked(2, 2):
        digest.add(match)
    [(name, actor)] = digest.busiest_actors()
    assert name == "arn:aws:iam::111122223333:user/alice"
    [first] = actor.chains.nodes
    assert first.text == "2026-12-01 00:00:00 AssumeRole: role0 → role1"
    assert [node.text for node in first.children] == [
        f"2026-12-01 00:00:00 AssumeRole: role1 → role2{at}" for at in range(2)
    ]
    assert [leaf.text for node in first.children for leaf in node.children] == [
        "as arn:aws:iam::111122223333:user/alice: 1 match"
    ] * 2


def test_a_tree_is_bounded_and_says_how_many_matches_it_leaves_out() -> None:
    digest = Digest()
    for match in linked(100, 20):
        digest.add(match)
    [(_, actor)] = digest.busiest_actors()
    assert actor.chains.left_out == 99
    text = " ".join(" ".join(Parsed(render(digest, Account(Ledger(), 4), made=MADE)).texts).split())
    assert "and 99 more matches of other sessions." in text


def test_sections_of_other_rooms_are_shown_escaped_and_bounded() -> None:
    table = Table(("Object", "Change"), [("<b>", "\u202e")] * 501, "Changes", left_out=7)
    section = Section("changes", "What changed", ("{{ 1 }}",), (Node("a", [Node("<script>")]),), (table,))
    account = Account(Ledger(), 4, answers=("2 <approved>",), sections=(section,))
    written = page(match_of(), account=account)
    parsed = Parsed(written)
    assert [name for name in parsed.ids if name in {*SECTIONS, "changes"}] == [
        *SECTIONS[:4], "changes", *SECTIONS[4:]
    ]  # fmt: skip
    text = " ".join(" ".join(parsed.texts).split())
    assert "2 <approved>" in text
    assert "What changed {{ 1 }} a <script>" in text
    assert "and 8 more." in text
    assert "\u202e" not in written


def test_each_principal_has_its_matches_by_time(sample: str) -> None:
    article = sample.partition('id="who-1"')[2].partition("</article>")[0]
    text = " ".join(" ".join(Parsed(article).texts).split())
    assert "Services rolesanywhere.amazonaws.com (" in text
    behind = text.partition("Matches by time")[2]
    assert behind.startswith(" 2026-11-17 13:09:41 CreateGroup success, arn:aws:iam::111122223333:group/support-tier2")
    assert behind.index("CreateGroup") < behind.index("CreateTrustAnchor") < behind.index("CreateProfile")
    links = [each["href"] for tag, each in Parsed(article).elements if tag == "a"]
    assert {(link or "")[1:] for link in links} <= set(Parsed(sample).ids)


def test_the_matches_of_a_principal_are_bounded() -> None:
    digest = Digest()
    for at in range(30):
        digest.add(structs.replace(match_of(eventID=str(at)), key=f"k{at}"))
    written = render(digest, Account(Ledger(), 4), made=MADE)
    article = written.partition('id="who-1"')[2].partition("</article>")[0]
    assert article.count("<li>") == 20
    assert "and 10 more." in article
