"""Objects that look like records and are none, and records in wrappers that look like something else."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from group_calls import create_group

from cloudsigma.reading import read_records

RECORD = create_group("e1")
DATA = base64.b64encode(json.dumps(RECORD).encode()).decode()
ROW = {"eventName": "CreateGroup", "eventSource": "iam.amazonaws.com", "eventID": "e1"}

READ: dict[str, Any] = {
    "Kafka": {"eventSource": "aws:kafka", "records": {"topic-0": [{"offset": 1, "value": DATA}]}},
    "Kafka of one's own": {"eventSource": "SelfManagedKafka", "records": {"topic-0": [{"value": DATA}]}},
    "ActiveMQ": {"eventSource": "aws:mq", "messages": [{"messageID": "1", "data": DATA}]},
    "RabbitMQ": {"eventSource": "aws:rmq", "rmqMessagesByQueue": {"queue::/": [{"redelivered": False, "data": DATA}]}},
    "a pipe of Kinesis": [{"eventSource": "aws:kinesis", "eventName": "aws:kinesis:record", "data": DATA}],
    "what Firehose could not process": {"attemptsMade": 4, "errorCode": "Lambda.FunctionError", "rawData": DATA},
    "lists by column": {name: [value] for name, value in RECORD.items()},
    "objects by column": {name: {"0": value} for name, value in RECORD.items()},
    "objects by index": {"0": RECORD},
    "columns beside data": {"columns": list(RECORD), "index": [0], "data": [list(RECORD.values())]},
    "a schema beside data": {"schema": {"fields": []}, "data": [RECORD]},
    "joined names": {"userIdentity.arn": RECORD["userIdentity"]["arn"], "userIdentity.type": "IAMUser",
        **{name: value for name, value in RECORD.items() if name != "userIdentity"}},
    "objects as text": {**RECORD, "requestParameters": json.dumps(RECORD["requestParameters"])},
}  # fmt: skip
LOST: dict[str, tuple[Any, str]] = {
    "DynamoDB": (
        {"Records": [{"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": {}}]},
        "an event of aws:dynamodb, which carries no CloudTrail records",
    ),
    "SES": ({"Records": [{"eventSource": "aws:ses", "ses": {}}]}, "an event of aws:ses"),
    "CodeCommit": ({"eventName": "Trigger", "eventSource": "aws:codecommit", "codecommit": {}}, "aws:codecommit"),
    "S3 Object Lambda": (
        {"getObjectContext": {}, "userRequest": {}, "userIdentity": {}},
        "an event of S3 Object Lambda",
    ),
    "Azure": ({"records": [{"eventName": {"value": "End"}, "category": "x"}]}, "its eventName is an object, not text"),
    "a list of names": ({**ROW, "eventName": ["A", "B"]}, "its eventName is an array, not text"),
    "a number as source": ({**ROW, "eventSource": 7}, "its eventSource is a number, not text"),
    "an identity alone": ({"userIdentity": {"type": "Root"}, "eventID": "1"}, "JSON of no known form"),
    "neither name nor source": (
        {"Records": [{"eventType": "AwsApiCall", "eventID": "1"}]},
        "it has neither eventName nor eventSource (it has eventType, eventID)",
    ),
    "lists by column of other lengths": ({"eventName": ["A", "B"], "eventSource": ["c"]}, "not of the same length"),
    "a message without content": ({"eventSource": "aws:mq", "messages": [{}]}, "the message of aws:mq has no content"),
}


@pytest.mark.parametrize("name", READ)
def test_a_record_is_found_in_its_wrapper(name: str) -> None:
    reader = read_records(READ[name])
    assert list(reader) == [RECORD]
    assert reader.ledger.complete


@pytest.mark.parametrize(("value", "reason"), LOST.values(), ids=LOST)
def test_an_object_that_is_no_record_is_a_loss(value: Any, reason: str) -> None:
    """Alone, and as a line among records, where its neighbors are read."""
    alone = read_records(value)
    assert list(alone) == []
    assert reason in alone.ledger.losses[0].reason
    among = read_records("\n".join(map(json.dumps, (RECORD, value, RECORD))).encode())
    assert list(among) == [RECORD, RECORD]
    assert [loss.position for loss in among.ledger.losses][0].startswith("line 2")  # noqa: RUF015  # there may be more


@pytest.mark.parametrize("kind", ["AwsCloudTrailInsight", "AwsAggregatedEvent"])
def test_events_that_are_no_calls_are_recognized(kind: str) -> None:
    event = {"eventType": kind, "eventSource": "s3.amazonaws.com", "eventID": "1"}
    header = "eventversion,eventname,eventsource,eventtype,eventid\n1.0,CreateGroup,iam.amazonaws.com,AwsApiCall,e1\n"
    rows = f"{header}1.0,,s3.amazonaws.com,{kind},a1\n".encode()
    for value, records in (({"Records": [RECORD, event]}, 1), ([event], 0), (rows, 1)):
        reader = read_records(value)
        assert len(list(reader)) == records
        assert sum(reader.ledger.recognized.values()) == 1
        assert reader.ledger.complete


MISSING = [
    "NULL",
    "null",
    "(null)",
    r"\N",
    "None",
    "nan",
    "NaN",
    "NaT",
    "<NA>",
    "NA",
    "n/a",
    "undefined",
    '""',
    "-",
    "",
]


@pytest.mark.parametrize("cell", MISSING)
def test_a_cell_without_a_value_is_missing(cell: str) -> None:
    (record,) = read_records(f"eventname,eventsource,errorcode\nCreateGroup,iam.amazonaws.com,{cell}\n".encode())
    assert record == {"eventName": "CreateGroup", "eventSource": "iam.amazonaws.com"}


def test_a_text_inside_json_is_a_value() -> None:
    text = json.dumps({**ROW, "errorCode": "-", "requestParameters": {"groupName": "None"}})
    assert list(read_records(text.encode())) == [json.loads(text)]


@pytest.mark.parametrize("cell", ["map[groupName:a]", "@{groupName=a}", '{"groupName": "a', "Row(groupName='a')"])
def test_a_nested_cell_that_cannot_be_read_is_a_loss_beside_its_record(cell: str) -> None:
    quoted = cell.replace('"', '""')
    reader = read_records(
        f'eventName,eventSource,requestParameters\nCreateGroup,iam.amazonaws.com,"{quoted}"\n'.encode()
    )
    (record,) = reader
    assert record["requestParameters"] == cell
    (loss,) = reader.ledger.losses
    assert loss.reason.startswith("the cell of requestParameters is neither JSON nor a struct")
