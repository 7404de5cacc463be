"""A function of Lambda: every event that AWS sends, what fails alone, what is published, what the log says."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from group_calls import create_group

import cloudsigma
from cloudsigma.aws_lambda import Handler, handler
from cloudsigma.errors import InvocationError, UsageError

GROUP_CREATED = "aa459000-af6c-425c-acc2-07c64acfaa76"


def message(number: int, body: object) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": str(number), "receiptHandle": "r", "eventSource": "aws:sqs", "body": text}


def in_base64(value: object, *, packed: bool = False) -> str:
    data = json.dumps(value).encode()
    return base64.b64encode(gzip.compress(data) if packed else data).decode()


def stream(number: int, data: str) -> dict[str, Any]:
    return {"eventSource": "aws:kinesis", "eventID": f"shard:{number}",
            "kinesis": {"sequenceNumber": str(number), "partitionKey": "p", "data": data}}  # fmt: skip


def subscription(*records: dict[str, Any]) -> dict[str, Any]:
    events = [{"id": str(at), "timestamp": at, "message": json.dumps(each)} for at, each in enumerate(records)]
    data = {"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g", "logStream": "s",
            "subscriptionFilters": ["f"], "logEvents": events}  # fmt: skip
    return {"awslogs": {"data": in_base64(data, packed=True)}}


class Function:
    """A handler, and what it has published."""

    def __init__(self, **options: Any) -> None:
        self.calls: list[list[str]] = []
        self.handler: Handler = handler(options.pop("rules", cloudsigma.bundled_rules()), self.publish, **options)

    def publish(self, matches: Any) -> None:
        self.calls.append([f"{match.rule_id} {match.record['eventID']}" for match in matches])

    def __call__(self, event: Any, context: Any = None) -> list[str]:
        answer = self.handler(event, context)
        assert set(answer) == {"batchItemFailures"}
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


@pytest.fixture
def function() -> Function:
    return Function()


def log_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The log of the last invocation, which is one line."""
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    shown: dict[str, Any] = json.loads(lines[0])
    return shown


SHAPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "sqs": lambda record: {"Records": [message(1, {"Records": [record]})]},
    "sqs, of sns": lambda record: {
        "Records": [
            message(1, {"Type": "Notification", "TopicArn": "t", "Message": json.dumps({"Records": [record]})})
        ]
    },
    "sns": lambda record: {
        "Records": [{"EventSource": "aws:sns", "Sns": {"TopicArn": "t", "Type": "Notification",
                                                       "Message": json.dumps(record)}}]
    },
    "eventbridge": lambda record: {
        "version": "0", "source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "detail": record,
    },
    "kinesis": lambda record: {"Records": [stream(1, in_base64(record))]},
    "firehose": lambda record: {"deliveryStreamArn": "d", "records": [{"recordId": "1", "data": in_base64(record)}]},
    "cloudwatch logs": subscription,
    "a log file": lambda record: {"Records": [record]},
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_event_is_read(shape: str, function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    assert function(SHAPES[shape](create_group("e1"))) == []
    assert function.calls == [[f"{GROUP_CREATED} e1"]]
    log = log_of(capsys)
    assert (log["records"], log["matches"], log["losses"]) == (1, 1, 0)
    assert log["matches_by_rule"] == {GROUP_CREATED: 1}


def test_nothing_is_published_without_a_match(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    assert function({"Records": [message(1, {"Records": [create_group("e1", eventName="ListGroups")]})]}) == []
    assert function.calls == []
    assert log_of(capsys)["records"] == 1


def test_messages_fail_alone(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    event = {
        "Records": [
            message(1, {"Records": [create_group("e1")]}),
            message(2, "no JSON"),
            message(3, json.dumps({"Records": [create_group("e3")]})[:-2]),
            message(4, {"hello": "world"}),
            message(5, {"Records": [create_group("e5")]}),
        ]
    }
    assert function(event) == ["2", "3", "4"]
    assert function.calls == [[f"{GROUP_CREATED} e1", f"{GROUP_CREATED} e3", f"{GROUP_CREATED} e5"]]
    log = log_of(capsys)
    assert (log["parts"], log["losses"], log["failed"]) == (5, 3, ["2", "3", "4"])
    assert [text.partition(":")[0] for text in log["losses_named"]] == ["2", "3", "4"]


def test_an_event_in_two_messages_is_one_match(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    assert function({"Records": [message(at, {"Records": [create_group("e1")]}) for at in range(3)]}) == []
    assert function.calls == [[f"{GROUP_CREATED} e1"]]
    assert log_of(capsys)["repeated"] == 2


def test_a_stream_stops_at_the_record_that_lambda_hands_over_again(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [stream(1, in_base64(create_group("e1"))), stream(2, "%%%"), stream(3, in_base64(create_group("e3")))]
    assert function({"Records": records}) == ["2"]
    assert function.calls == [[f"{GROUP_CREATED} e1"]]
    assert log_of(capsys)["not_begun"] == 1


def test_what_can_only_fail_whole_is_published_and_raises(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvocationError, match=r"could not be read: the event: .*not JSON"):
        function({"Records": [create_group("e1"), {"EventSource": "aws:sns", "Sns": {"Message": "no JSON"}}]})
    assert function.calls == [[f"{GROUP_CREATED} e1"]]
    assert log_of(capsys)["losses"] == 1


def test_what_publish_raises_fails_the_invocation(capsys: pytest.CaptureFixture[str]) -> None:
    def publish(_: object) -> None:
        raise ConnectionError("the channel is gone")

    with pytest.raises(ConnectionError):
        handler(cloudsigma.bundled_rules(), publish)({"Records": [message(1, {"Records": [create_group("e1")]})]})
    assert log_of(capsys)["error"] == "ConnectionError: the channel is gone"


class Context:
    """The context of an invocation that has `left` milliseconds."""

    aws_request_id = "request-1"

    def __init__(self, *left: int) -> None:
        self._left = list(left)

    def get_remaining_time_in_millis(self) -> int:
        return self._left.pop(0)


@pytest.mark.parametrize(("make", "wanted"), [(message, ["2", "3"]), (stream, ["2", "3"])])
def test_parts_are_given_back_before_the_timeout(
    make: Callable[[int, Any], dict[str, Any]], wanted: list[str], function: Function,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bodies = [create_group(f"e{at}") for at in (1, 2, 3)]
    records = [
        make(at, in_base64(body) if make is stream else {"Records": [body]}) for at, body in enumerate(bodies, 1)
    ]
    assert function({"Records": records}, Context(4_000)) == wanted
    assert function.calls == [[f"{GROUP_CREATED} e1"]]
    log = log_of(capsys)
    assert (log["not_begun"], log["request_id"]) == (2, "request-1")


@pytest.mark.parametrize(
    ("event", "losses"),
    [
        ([], 0), ({}, 1), ({"Records": None}, 1), ({"Records": []}, 0), ({"Records": [None, 7]}, 2),
        ({"Records": {}}, 1), ({"hello": "world"}, 1),
    ],
)  # fmt: skip
def test_what_has_no_records_is_a_loss(
    event: Any, losses: int, function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    if losses:
        with pytest.raises(InvocationError) as raised:
            function(event)
        assert raised.value.losses == losses
    else:
        assert function(event) == []
    assert log_of(capsys)["losses"] == losses
    assert function.calls == []


@pytest.mark.parametrize("event", [None, 7, "text"])
def test_what_is_no_event_is_refused(event: Any, function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="an event is an object"):
        function(event)
    assert log_of(capsys)["error"].startswith("WrongTypeError: ")


def test_hostile_texts_stay_in_the_line(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    function({"Records": [{**message(1, "\x1b[31m\nno JSON"), "messageId": "\x1b]0;x\x07\n1"}]})
    assert "\x1b" not in json.dumps(log_of(capsys)["losses_named"], ensure_ascii=False)


def test_correlations_are_refused_or_left_out() -> None:
    rules = cloudsigma.bundled_rules(correlations=True)
    with pytest.raises(UsageError, match="correlations"):
        handler(rules, print)
    kept = handler(rules, print, correlations="ignore").rules
    assert all(rule.correlation is None for rule in kept)
    assert kept.hidden == rules.hidden & {rule.id for rule in kept}


@pytest.mark.parametrize(
    "wrong",
    [{"publish": None}, {"publish": 7}, {"correlations": "yes"}, {"limits": 3}, {"approvals": "file"}, {"rules": "-"}],
)
def test_wrong_arguments_are_told(wrong: dict[str, Any]) -> None:
    arguments = {"rules": cloudsigma.bundled_rules(), "publish": print, **wrong}
    with pytest.raises(UsageError):
        handler(arguments.pop("rules"), arguments.pop("publish"), **arguments)


COLD = """
import sys, time, json
sys.path.insert(0, {path!r})
from cloudsigma.aws_lambda import handler
call = handler({rules!r}, lambda matches: None)
call(json.loads({event!r}))
print(json.dumps([time.process_time(), sorted(set(sys.modules) & {{"sigma", "yaml", "click", "rich", "boto3"}})]))
"""


def test_a_cold_start_is_quick_and_loads_no_compiler(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    cloudsigma.bundled_rules().save(rules)
    event = json.dumps({"Records": [message(1, {"Records": [create_group("e1")]})]})
    script = COLD.format(path=str(Path(cloudsigma.__file__).parents[1]), rules=str(rules), event=event)
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", script], capture_output=True, text=True, check=True
            ).stdout.splitlines()[-1]
        )
        for _ in range(3)
    ]  # the first may write bytecode
    assert min(seconds for seconds, _ in runs) < 0.4
    assert runs[0][1] == []
