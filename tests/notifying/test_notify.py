"""Notifications against real servers: one ID for each message, retries, dead letters, groups, kills, hostile texts."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, run
from group_calls import create_group
from receivers import MailBox, Receiver, mailbox, receiver

import cloudsigma
from cloudsigma.errors import NotifyError, UsageError
from cloudsigma.notifying.alert import Alert, alert_of, cut
from cloudsigma.notifying.attempt import wait_before
from cloudsigma.notifying.channel import Settings
from cloudsigma.notifying.channels import pagerduty, slack, smtp, teams, webhook
from cloudsigma.notifying.config_file.loader import parse_settings
from cloudsigma.notifying.message import Message, message_id
from cloudsigma.notifying.notifier import Delivery, Notifier
from cloudsigma.notifying.post import check_address

SECRET = "whsec_" + base64.b64encode(b"sixteen bytes or more of it").decode()
KILLS = int(os.environ.get("CLOUDSIGMA_KILLS", "6"))


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def box() -> Iterator[MailBox]:
    with mailbox() as found:
        yield found


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


def settings(folder: Path, text: str, top: str = "") -> Settings:
    return parse_settings(f"version: 1\n{top}channels:\n{text}", str(folder / "notify.yml"))


def hook(server: Receiver, more: str = "") -> str:
    return f"  - {{name: hook, kind: webhook, url: '{server.url}', secret_env: HOOK_SECRET{more}}}\n"


def alert(number: int, *, who: str = "alice", level: str = "high", rule: str = "r") -> Alert:
    return Alert(
        f"key-{number}", rule, "IAM Group Created", level, "me", "CreateGroup", "success", f"arn:{who}", "",
        f"group-{number}", "2026-11-17T13:00:00Z", "111122223333", "us-east-1", "198.51.100.7",
    )  # fmt: skip


def send(given: Settings, *alerts: Alert, heartbeat: str | None = None) -> Delivery:
    notifier = Notifier(given, wait=lambda _: False)
    for each in alerts:
        notifier.add(each)
    return notifier.finish(heartbeat)


# --- one message --------------------------------------------------------------------------------------------


def verified(request: Any) -> str:
    """The ID of a request whose signature is right."""
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == wanted
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    return str(headers["webhook-id"])


def test_a_retry_has_the_same_id_and_a_new_signature(server: Receiver, tmp_path: Path) -> None:
    server.answers = [(429, {"Retry-After": "2"}), 500, "reset", 200]
    pauses: list[float] = []
    notifier = Notifier(settings(tmp_path, hook(server)), wait=pauses.append)
    notifier.add(alert(1))
    delivery = notifier.finish()
    assert delivery.complete
    assert len({verified(request) for request in server.requests}) == 1
    assert len(server.requests) == 4
    assert pauses[0] == 2
    assert 0 < pauses[1] <= 2
    assert server.taken[-1]["alert"]["key"] == "key-1"


def test_a_message_that_no_one_takes_stays_and_is_sent_by_the_next_run(server: Receiver, tmp_path: Path) -> None:
    given = settings(tmp_path, hook(server), "attempts: 2\n")
    server.answers = [500, 503]
    first = send(given, alert(1))
    assert (first.complete, first.waiting, first.reasons) == (False, {"hook": 1}, {"hook": "it answered 503"})
    assert send(given).complete
    assert len({verified(request) for request in server.requests}) == 1


def test_what_is_refused_is_a_dead_letter_and_can_be_sent_again(server: Receiver, tmp_path: Path) -> None:
    config = tmp_path / "notify.yml"
    config.write_text(f"version: 1\nchannels:\n{hook(server)}")
    server.answers = [400]
    given = settings(tmp_path, hook(server))
    delivery = send(given, alert(1), alert(2, who="bob"))
    assert (delivery.dead, delivery.sent) == ({"hook": 1}, {"hook": 1})
    letters = Path(given.dead)
    letter = json.loads(letters.read_text())
    assert (letter["channel"], letter["reason"]) == ("hook", "it answered 400 Bad Request")
    again = letters.rename(tmp_path / "again.jsonl")
    done = run("notify", "--config", config, "--retry", again, os.devnull)
    assert done.returncode == 0, done.stderr
    assert verified(server.requests[-1]) == letter["message"]["id"]


def test_a_redirect_is_not_followed(server: Receiver, tmp_path: Path) -> None:
    server.answers = [(307, {"Location": server.url + "/elsewhere"})]
    assert send(settings(tmp_path, hook(server)), alert(1)).dead == {"hook": 1}
    assert len(server.requests) == 1


def test_a_receiver_that_cannot_be_reached_is_told_without_its_address(tmp_path: Path) -> None:
    given = settings(tmp_path, "  - {name: hook, kind: webhook, url: 'http://127.0.0.1:9/secret'}\n", "attempts: 1\n")
    delivery = send(given, alert(1))
    assert delivery.waiting == {"hook": 1}
    assert "secret" not in str(delivery)
    assert "cannot be reached" in delivery.reasons["hook"]


@pytest.mark.parametrize(
    "asked", [(None, 4, 4.0, 8.0), (7.0, 1, 7.0, 7.0), (1e9, 1, 300.0, 300.0), (-5.0, 1, 0.0, 0.0)]
)
def test_waits_are_bounded(asked: tuple[float | None, int, float, float]) -> None:
    after, number, least, most = asked
    assert all(least <= wait_before(number, after) <= most for _ in range(50))
    assert wait_before(10_000, None) <= 300


# --- groups -------------------------------------------------------------------------------------------------


def test_matches_of_one_group_are_one_message_and_one_update(server: Receiver, tmp_path: Path) -> None:
    delivery = send(settings(tmp_path, hook(server)), *map(alert, range(10_000)))
    assert delivery.complete
    assert [(each["type"], each["matches"]) for each in server.taken] == [
        ("cloudsigma.first", 1), ("cloudsigma.update", 9_999),
    ]  # fmt: skip
    assert len(server.taken[1]["new"]) == 10


def test_many_groups_are_fifty_messages_and_one_that_counts_the_rest(server: Receiver, tmp_path: Path) -> None:
    alerts = (alert(at, who=f"u{at}", level="low" if at % 2 else "high") for at in range(10_000))
    delivery = send(settings(tmp_path, hook(server)), *alerts)
    assert delivery.complete
    assert len(server.taken) == 51
    last = server.taken[-1]
    assert (last["type"], last["groups"], last["title"]) == (
        "cloudsigma.more", 9_950, "and 9,950 groups more, of 9,950 matches",
    )  # fmt: skip
    assert last["alert"]["level"] == "high"
    assert sum(each["groups"] for each in server.taken) == 10_000


def test_a_match_is_sent_once_and_an_update_waits_for_the_pause(server: Receiver, tmp_path: Path) -> None:
    given = settings(tmp_path, hook(server))
    send(given, alert(1))
    assert send(given, alert(1)).taken == 0
    held = send(given, alert(2))
    assert (held.complete, held.held, len(server.requests)) == (True, {"hook": 1}, 1)
    soon = settings(tmp_path, hook(server), "pause: 1s\n")
    time.sleep(1.1)
    assert send(soon, alert(3)).held == {}
    assert [(each["type"], each["matches"]) for each in server.taken][1:] == [("cloudsigma.update", 2)]


def test_levels_and_approvals_choose(server: Receiver, tmp_path: Path) -> None:
    from msgspec import structs

    given = settings(tmp_path, hook(server, ", level: high"))
    approved = structs.replace(alert(1), approved=True)
    assert send(given, approved, alert(2, level="medium"), alert(3, level="critical", who="b")).taken == 1
    assert [each["alert"]["key"] for each in server.taken] == ["key-3"]
    with_approved = settings(tmp_path, hook(server, ", approved: true"))
    assert send(with_approved, approved).taken == 1


def test_a_heartbeat_says_that_nothing_happened(server: Receiver, tmp_path: Path) -> None:
    given = settings(tmp_path, hook(server), "heartbeat: 1h\n")
    send(given, heartbeat="5 records were scanned")
    send(given, heartbeat="6 records were scanned")
    assert [(each["type"], each["title"]) for each in server.taken] == [
        ("cloudsigma.heartbeat", "5 records were scanned")
    ]


def test_a_channel_that_fails_does_not_hold_up_the_others(server: Receiver, tmp_path: Path) -> None:
    text = "  - {name: down, kind: webhook, url: 'http://127.0.0.1:9/x'}\n" + hook(server)
    delivery = send(settings(tmp_path, text, "attempts: 1\n"), alert(1))
    assert (delivery.waiting, delivery.sent["hook"]) == ({"down": 1}, 1)


# --- texts of attackers -------------------------------------------------------------------------------------

HOSTILE = [
    "<!channel>", "<https://evil.example|AWS console>", "@here <@U123>", "[a](http://b)", "a\r\nBcc: x@example.org",
    "\x1b[31m", "\u202egnp.exe", "x" * 100_000, "&lt;", "**bold**",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_record_is_mention_link_or_markup(text: str) -> None:
    alert = cleaned(text)
    message = Message(message_id("c", "g", 0), "update", "g", alert, 2, fresh=(alert.resource,))
    blocks = slack.body_of(message)
    texts = [field for block in blocks["blocks"] for field in block.get("fields", [block.get("text")])]
    assert {each["type"] for each in texts} == {"plain_text"}
    assert "<" not in blocks["text"]
    assert ">" not in blocks["text"]
    assert all(len(each["text"]) <= 2000 for each in texts)
    card = teams.body_of(message)["attachments"][0]["content"]
    assert {row["type"] for row in card["body"]} == {"RichTextBlock"}
    assert {inline["type"] for row in card["body"] for inline in row["inlines"]} == {"TextRun"}
    assert len(json.dumps(teams.body_of(message)).encode()) < 28_000
    mail = smtp.mail_of(message, "a@example.org", ("b@example.org",))
    assert mail.get_content_type() == "text/plain"
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    event = pagerduty.body_of(message, "key")
    assert len(event["payload"]["summary"]) <= 1024
    assert len(json.dumps(event).encode()) < 512_000
    for sent in (blocks, card, event, json.loads(webhook.body_of(message))):
        written = json.dumps(sent, ensure_ascii=False)
        assert "\\u001b" not in written.replace("\\\\", "")
        assert "\u202e" not in written


def cleaned(text: str) -> Alert:
    """The alert as a match with this text everywhere gives it."""
    record = {**create_group("e1"), "sourceIPAddress": text, "awsRegion": text,
              "userIdentity": {"type": "IAMUser", "arn": text, "userName": text},
              "requestParameters": {"groupName": text}, "responseElements": None}  # fmt: skip
    [match] = cloudsigma.evaluate([record])
    found = alert_of(match.to_dict(record=False))
    assert all(len(value) <= 200 for _, value in found.facts)
    return found


def test_texts_are_cut_in_the_middle() -> None:
    assert cut("a" * 150 + "b" * 150) == "a" * 99 + "…" + "b" * 100
    assert cut("short") == "short"


def test_no_record_leaves_by_a_message() -> None:
    record = {**create_group("e1"), "requestParameters": {"groupName": "g", "secretName": "hunter2"}}
    [match] = cloudsigma.evaluate([record])
    assert "hunter2" in json.dumps(match.to_dict())
    assert "hunter2" not in str(alert_of(match.to_dict()))


# --- other channels -----------------------------------------------------------------------------------------


def test_slack_teams_and_pagerduty_are_sent(server: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADDRESS", server.url)
    (tmp_path / "key").write_text("routing-key\n")
    text = f"""  - {{name: s, kind: slack, url_env: ADDRESS}}
  - {{name: t, kind: teams, url_env: ADDRESS}}
  - {{name: p, kind: pagerduty, key_file: {tmp_path / "key"}, endpoint: '{server.url}'}}
"""
    delivery = send(settings(tmp_path, text), alert(1), alert(2))
    assert delivery.complete
    assert [sorted(each) for each in server.taken[::2]] == [
        ["blocks", "link_names", "text", "unfurl_links", "unfurl_media"], ["attachments", "type"],
        ["dedup_key", "event_action", "payload", "routing_key"],
    ]  # fmt: skip
    assert server.taken[4]["routing_key"] == "routing-key"
    assert server.taken[4]["dedup_key"] == server.taken[5]["dedup_key"]
    assert server.taken[4]["payload"]["severity"] == "error"


def test_mail_is_sent(box: MailBox, tmp_path: Path) -> None:
    text = (
        f"  - {{name: m, kind: smtp, host: 127.0.0.1, port: {box.port}, tls: none,"
        " from: cloudsigma@example.org, to: [a@example.org, b@example.org]}\n"
    )
    box.answers = ["451 later", "250 OK"]
    assert send(settings(tmp_path, text), alert(1)).complete
    first, second = (message_from_bytes(mail.content, policy=policy.default) for mail in box.mails)
    assert first["Message-ID"] == second["Message-ID"]
    assert second["Subject"] == "HIGH IAM Group Created: CreateGroup by arn:alice"
    assert "Match: key-1" in second.get_content()
    box.answers = ["550 no"]
    assert send(settings(tmp_path, text), alert(2, who="bob")).dead == {"m": 1}


def test_aws_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with moto.mock_aws():
        sqs, sns, events = (boto3.client(name) for name in ("sqs", "sns", "events"))
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        events.put_rule(Name="r", EventPattern='{"source": ["cloudsigma"]}')
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
        boto3.client("sesv2").create_email_identity(EmailIdentity="a@example.org")
        boto3.client("securityhub").enable_security_hub()
        text = f"""  - {{name: sns, kind: sns, topic: '{topic}'}}
  - {{name: bus, kind: eventbridge}}
  - {{name: ses, kind: ses, from: a@example.org, to: [b@example.org]}}
  - {{name: hub, kind: securityhub}}
"""
        record = {**create_group("e1"), "recipientAccountId": "123456789012", "awsRegion": "us-east-1"}
        [match] = cloudsigma.evaluate([record])
        from msgspec import structs

        from cloudsigma.sinks.asff import finding

        made = structs.replace(alert_of(match.to_dict()), finding=finding(match, dt.datetime.now(dt.UTC)))
        delivery = send(settings(tmp_path, text), made)
        assert delivery.complete, delivery
        assert delivery.sent == {"sns": 1, "bus": 1, "ses": 1, "hub": 1}
        bodies = [each["Body"] for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
        assert any("Match: " in body for body in bodies)
        assert any('"detail-type": "cloudsigma first"' in body for body in bodies)
        found = boto3.client("securityhub").get_findings()["Findings"]
        assert [each["Title"] for each in found] == ["IAM Group Created"]


# --- the configuration --------------------------------------------------------------------------------------

MISTAKES = [
    ("- {name: a, kind: slack, url: 'https://hooks.example/x'}", "url is a secret"),
    ("- {name: a, kind: slack}", "needs url"),
    ("- {name: a, kind: telegram}", "no kind 'telegram'"),
    ("- {name: a, kind: webhook, url: 'http://example.org/x'}", "not https"),
    ("- {name: a, kind: webhook, url: 'https://u:p@example.org/x'}", "no URL"),
    ("- {name: a b, kind: webhook, url: 'https://example.org/x'}", "the name is"),
    ("- {kind: webhook, url: 'https://example.org/x'}", "no name"),
    ("- {name: a, kind: webhook, url: 'https://example.org/x', level: hihg}", "no level"),
    ("- {name: a, kind: webhook, url: 'https://example.org/x', colour: red}", "no key 'colour'"),
    ("- {name: a, kind: smtp, host: h, from: a@b, to: nobody}", "no mail address"),
    (
        "- {name: a, kind: smtp, host: h, from: a@b, to: a@b, tls: none, user_env: U, password_env: P}",
        "open connection",
    ),
    ("- {name: a, kind: sns}", "needs topic"),
    ("- {name: a, kind: pagerduty, key_env: A, key_file: B}", "both there"),
]


@pytest.mark.parametrize(("entry", "reason"), MISTAKES)
def test_mistakes_are_told_with_line_and_remedy(entry: str, reason: str) -> None:
    with pytest.raises(NotifyError) as raised:
        parse_settings(f"version: 1\nchannels:\n{entry}\n", "notify.yml")
    told = raised.value.mistakes[0]
    assert reason in told.reason
    assert (told.location.line, bool(told.remedy)) == (3, True)
    assert str(told).startswith("notify.yml:3:")


@pytest.mark.parametrize(
    "text", ["", "version: 1\n", "version: 1\nchannels: []\n", "version: 1\npause: soon\nchannels: []\n"]
)
def test_a_file_without_channels_is_a_mistake(text: str) -> None:
    with pytest.raises(NotifyError):
        parse_settings(text, "notify.yml")


@pytest.mark.parametrize("url", ["ftp://example.org", "http://10.0.0.1/x", "https://", "//x", "http://[", "nonsense"])
def test_addresses_that_are_not_https_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        check_address(url)


def test_a_missing_secret_keeps_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    delivery = send(settings(tmp_path, "  - {name: s, kind: slack, url_env: NOT_SET}\n", "attempts: 1\n"), alert(1))
    assert delivery.waiting == {"s": 1}
    assert delivery.reasons == {"s": "the environment variable NOT_SET is not set"}


# --- the commands, and kills --------------------------------------------------------------------------------


def configured(folder: Path, server: Receiver, top: str = "") -> Path:
    config = folder / "notify.yml"
    config.write_text(f"version: 1\n{top}channels:\n{hook(server)}")
    return config


def test_the_command_sends_a_file_of_matches(server: Receiver, tmp_path: Path, root: Path) -> None:
    config, matches = configured(tmp_path, server), tmp_path / "matches.jsonl"
    run("scan", root / "examples" / "trail", "--output", matches)
    with matches.open("a") as file:
        file.write("no match\n{}\n")
    done = run("notify", "--config", config, matches)
    assert done.returncode == 4
    assert "NOT SENT: line 5" in done.stderr
    assert "hook: 4 sent" in done.stderr
    assert len(server.requests) == 4
    again = run("notify", "--config", config, matches)
    assert "hook: 0 sent" in again.stderr
    assert len(server.requests) == 4


def test_a_scan_sends_what_is_not_approved(server: Receiver, tmp_path: Path, root: Path) -> None:
    config = configured(tmp_path, server)
    done = run("scan", root / "examples" / "trail", "--notify", config,
               "--approvals", root / "examples" / "approvals.yml", "--output", tmp_path / "m.jsonl")  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert len(server.requests) == 3
    assert {each["alert"]["title"] for each in server.taken} == {
        "AWS IAM Roles Anywhere Trust Anchor Created with External CA", "AWS IAM Roles Anywhere Profile Created",
        "IAM Group Deleted",
    }  # fmt: skip
    assert any("arn:aws:iam::111122223333:user/jordan" in each["alert"]["root"] for each in server.taken)


def test_a_scan_whose_messages_are_not_taken_ends_with_5(tmp_path: Path, root: Path) -> None:
    config = tmp_path / "notify.yml"
    config.write_text("version: 1\nattempts: 1\nchannels: [{name: x, kind: webhook, url: 'http://127.0.0.1:9/x'}]\n")
    done = run("scan", root / "examples" / "trail", "--notify", config, "--output", tmp_path / "m.jsonl")
    assert done.returncode == 5
    assert "4 WAITING" in done.stderr
    assert len((tmp_path / "m.jsonl").read_text().splitlines()) == 4


def matches_of(folder: Path, count: int) -> Path:
    """A file of matches, each a group of its own."""
    path = folder / "matches.jsonl"
    records = [
        {**create_group(f"e{at}"), "userIdentity": {"type": "IAMUser", "arn": f"arn:{at}", "userName": "u"}}
        for at in range(count)
    ]
    path.write_text("".join(match.to_json(record=False) + "\n" for match in cloudsigma.evaluate(records)))
    return path


def killed(command: list[Any], seconds: float) -> bool:
    """Run a command, and kill it after some time; whether it was still there."""
    with subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("by", ["notify", "scan"])
def test_no_kill_loses_a_message_and_repeats_have_its_id(by: str, server: Receiver, tmp_path: Path) -> None:
    """`CLOUDSIGMA_KILLS=100` kills each command a hundred times."""
    chance, count = random.Random(3), 40  # noqa: S311  # no secret
    config = configured(tmp_path, server, "most: 1000\n")
    if by == "notify":
        command = [*COMMAND, "notify", "--config", config, matches_of(tmp_path, count)]
    else:
        records = [
            {**create_group(f"e{at}"), "userIdentity": {"type": "IAMUser", "arn": f"arn:{at}", "userName": "u"}}
            for at in range(count)
        ]
        for start in range(0, count, 5):
            (tmp_path / f"log{start:02}.json").write_text(json.dumps({"Records": records[start : start + 5]}))
        command = [*COMMAND, "scan", "--notify", config, "--output", tmp_path / "out.jsonl",
                   "--checkpoint", tmp_path / "state.db", *sorted(tmp_path.glob("log*.json"))]  # fmt: skip
    kills = sum(killed(command, 0.25 + chance.random() * 0.5) for _ in range(KILLS))
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    ids: dict[str, set[str]] = {}
    for request in server.requests:
        ids.setdefault(request.json["alert"]["principal"], set()).add(verified(request))
    assert sorted(ids) == sorted(f"arn:{at}" for at in range(count)), f"after {kills} kills"
    assert all(len(each) == 1 for each in ids.values())
