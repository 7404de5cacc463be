"""Writes the fixtures beside it: the records of `records.json` in every form that reading knows.

Run it after a change and look at what git shows: `python tests/reading/forms/write_forms.py`. The files are checked in,
so that the tests read what was written once, not what the code of today would write. Needs pyarrow for Parquet.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDS: list[dict[str, Any]] = json.loads((HERE / "records.json").read_text(encoding="utf-8"))
Written = bytes | str | list[Any] | dict[str, Any]
WRITERS: dict[str, Callable[[], Written]] = {}


def form(name: str) -> Callable[[Callable[[], Written]], Callable[[], Written]]:
    def add(writer: Callable[[], Written]) -> Callable[[], Written]:
        WRITERS[name] = writer
        return writer

    return add


def dumped(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), **options)


def lines(values: list[Any]) -> str:
    return "".join(dumped(value) + "\n" for value in values)


def packed(content: Written) -> bytes:
    return gzip.compress(as_bytes(content), mtime=0)


def encoded(content: Written) -> str:
    return base64.b64encode(as_bytes(content)).decode()


def as_bytes(content: Written) -> bytes:
    if isinstance(content, (dict, list)):
        content = dumped(content)
    return content.encode() if isinstance(content, str) else content


def as_csv(rows: list[list[str]], *, mark: bool = False, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode("utf-8-sig" if mark else "utf-8")


# --- files of records ---------------------------------------------------------------------------------------

form("log_file.json")(lambda: {"Records": RECORDS})
form("log_file_compressed.json.gz")(lambda: packed({"Records": RECORDS}))
form("log_file_twice.json")(lambda: dumped({"Records": RECORDS[:3]})[:-1] + "," + dumped({"Records": RECORDS[3:]})[1:])
form("log_file_two_spellings.json")(lambda: {"Records": RECORDS[:1], "records": RECORDS[1:]})
form("array.json")(lambda: dumped(RECORDS, indent=1))
form("record.json")(lambda: dumped(RECORDS[0], indent=4))
form("pretty.json")(lambda: "\n".join(dumped(record, indent=2) for record in RECORDS))
form("lines.jsonl")(lambda: lines(RECORDS))
form("lines_with_commas")(lambda: ",\n".join(map(dumped, RECORDS)))
form("lines_begun_by_commas")(lambda: "\n,".join(map(dumped, RECORDS)))
form("pretty_with_commas")(lambda: ",\n".join(dumped(record, indent=2) for record in RECORDS) + ",\n")
form("objects_with_commas")(lambda: ", ".join(map(dumped, RECORDS)))
form("objects")(lambda: "".join(map(dumped, RECORDS)))


@form("digest.json")
def digest() -> Written:
    return {
        "awsAccountId": "111122223333",
        "digestStartTime": "2025-03-04T10:00:00Z",
        "digestEndTime": "2025-03-04T11:00:00Z",
        "digestS3Bucket": "trail",
        "digestS3Object": "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2025/03/04/digest.json.gz",
        "digestSignatureAlgorithm": "SHA256withRSA",
        "logFiles": [{"s3Bucket": "trail", "s3Object": "AWSLogs/x.json.gz", "hashValue": "00"}],
    }


@form("insights.json")
def insights() -> Written:
    details = {"state": "Start", "eventSource": "iam.amazonaws.com", "eventName": "CreateGroup"}
    event = {"eventVersion": "1.07", "eventTime": "2025-03-04T10:00:00Z", "awsRegion": "us-east-1", "eventID": "i-1"}
    event |= {"eventType": "AwsCloudTrailInsight", "insightDetails": details, "eventCategory": "Insight"}
    return {"Records": [event]}


# --- event history, EventBridge -----------------------------------------------------------------------------


def looked_up(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "false",
        "EventTime": "2025-03-04T10:15:30+00:00",
        "EventSource": record["eventSource"],
        "Username": "jordan",
        "Resources": [{"ResourceType": "AWS::IAM::Group", "ResourceName": "g"}],
        "CloudTrailEvent": dumped(record),
    }


def bridged(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "00000000-0000-4000-8000-0000000000eb",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws." + record["eventSource"].split(".")[0],
        "account": "999988887777",
        "time": "2025-03-04T10:20:00Z",
        "region": "ap-south-1",
        "resources": [],
        "detail": record,
    }


form("lookup_events.json")(lambda: dumped({"Events": [looked_up(r) for r in RECORDS], "NextToken": "n"}, indent=4))
form("lookup_events_lines.jsonl")(lambda: lines([looked_up(r) for r in RECORDS]))
form("lookup_events_texts.json")(lambda: list(map(dumped, RECORDS)))  # --query 'Events[].CloudTrailEvent'
form("lookup_events_lists.json")(lambda: [[dumped(r)] for r in RECORDS])  # --query 'Events[].[CloudTrailEvent]'
form("lookup_events_texts.jsonl")(lambda: lines(list(map(dumped, RECORDS))))
form("eventbridge.json")(lambda: dumped(bridged(RECORDS[1]), indent=2))
form("eventbridge_array.json")(lambda: [bridged(r) for r in RECORDS])


@form("eventbridge_lines.jsonl")
def eventbridge_lines() -> Written:
    other = {"version": "0", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2"}
    details = {"insightDetails": {"state": "Start", "eventName": "CreateGroup"}, "eventCategory": "Insight"}
    insight = {
        "version": "0",
        "detail-type": "AWS Insight via CloudTrail",
        "source": "aws.cloudtrail",
        "detail": details,
    }
    return lines([*map(bridged, RECORDS), {**other, "detail": {"instance-id": "i-0", "state": "running"}}, insight])


# --- CloudWatch Logs ----------------------------------------------------------------------------------------


def delivery() -> dict[str, Any]:
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "trail",
        "logStream": "111122223333_CloudTrail_us-east-1",
        "subscriptionFilters": ["everything"],
        "logEvents": [
            {"id": f"3874{n:040}", "timestamp": 1741083330000 + n, "message": dumped(record)}
            for n, record in enumerate(RECORDS)
        ],
    }


CONTROL = {
    "messageType": "CONTROL_MESSAGE",
    "owner": "CloudwatchLogs",
    "logGroup": "",
    "logStream": "",
    "subscriptionFilters": [],
    "logEvents": [{"id": "", "timestamp": 1741083330000, "message": "CWL CONTROL MESSAGE: Checking health of ..."}],
}
form("log_subscription.json")(lambda: {"awslogs": {"data": encoded(packed(delivery()))}})
form("log_subscription_decoded.json")(delivery)
form("control_message.json")(lambda: CONTROL)


@form("log_events.json")
def log_events() -> Written:
    events = [
        {"logStreamName": "s", "timestamp": 1741083330000, "message": dumped(record), "eventId": str(n)}
        for n, record in enumerate(RECORDS)
    ]
    return dumped({"events": events, "searchedLogStreams": [], "nextToken": "n"}, indent=4)


form("log_lines")(lambda: packed("".join(f"{r['eventTime'][:-1]}.000Z {dumped(r)}\n" for r in RECORDS)))
form("log_lines_tailed.log")(
    lambda: "".join(f"{r['eventTime'][:-1]}.000000+00:00 111122223333_CloudTrail {dumped(r)}\n" for r in RECORDS)
)


@form("logs_insights.json")
def logs_insights() -> dict[str, Any]:
    rows = [
        [{"field": "@timestamp", "value": "2025-03-04 10:15:30.000"}, {"field": "@message", "value": dumped(record)}]
        for record in RECORDS
    ]
    return {"results": rows, "statistics": {"recordsMatched": 4.0}, "status": "Complete"}


def insights_rows(*, decoded: bool) -> list[dict[str, Any]]:
    """Rows as the console saves them, where what is JSON may be so in the row too."""
    return [{"@timestamp": "2025-03-04 10:15:30.000", "@message": r if decoded else dumped(r)} for r in RECORDS]


form("logs_insights_rows.json")(lambda: insights_rows(decoded=False))
form("logs_insights_rows_decoded.json")(lambda: insights_rows(decoded=True))
form("logs_insights_rows.jsonl")(lambda: lines(insights_rows(decoded=False)))
form("logs_insights_results.json")(lambda: logs_insights()["results"])  # --query results
form("logs_insights.csv")(
    lambda: as_csv([["@timestamp", "@message"], *(["2025-03-04 10:15:30.000", dumped(r)] for r in RECORDS)])
)


@form("logs_insights_fields.json")
def logs_insights_fields() -> dict[str, Any]:
    row = {
        "@timestamp": "2025-03-04 10:15:30.000",
        "eventName": "CreateGroup",
        "eventSource": "iam.amazonaws.com",
        "userIdentity.arn": "arn:aws:iam::111122223333:user/staff/jordan",
        "requestParameters.groupName": "auditors",
        "readOnly": "0",
        "@ptr": "CmEKJgoi",
    }
    return {"results": [[{"field": name, "value": value} for name, value in row.items()]], "statistics": {}}


@form("logs_insights_fields_rows.json")
def logs_insights_fields_rows() -> Written:
    cells = logs_insights_fields()["results"][0]
    return [{cell["field"]: cell["value"] for cell in cells}]


# --- messages, streams --------------------------------------------------------------------------------------


def published(message: Any) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "00000000-0000-4000-8000-000000005155",
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:trail",
        "Message": message if isinstance(message, str) else dumped(message),
        "Timestamp": "2025-03-04T10:20:00.000Z",
        "SignatureVersion": "1",
        "Signature": "AAAA",
    }


def queued(*bodies: Any) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"00000000-0000-4000-8000-{n:012}",
                "receiptHandle": "AQEB",
                "body": body if isinstance(body, str) else dumped(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
                "awsRegion": "us-east-1",
            }
            for n, body in enumerate(bodies)
        ]
    }


def stored(key: str, event: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2025-03-04T10:20:00.000Z",
        "eventName": event,
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "198.51.100.1"},
        "responseElements": {"x-amz-request-id": "0"},
        "s3": {"bucket": {"name": "trail", "arn": "arn:aws:s3:::trail"}, "object": {"key": key, "size": 1024}},
    }


form("sns.json")(lambda: dumped(published(bridged(RECORDS[0])), indent=2))
form("sns_lambda.json")(
    lambda: {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": published(r)} for r in RECORDS]}
)
form("sqs.json")(
    lambda: queued(bridged(RECORDS[0]), published(bridged(RECORDS[1])), RECORDS[2], {"Records": RECORDS[3:]})
)
form("sqs_received.json")(
    lambda: {"Messages": [{"MessageId": "1", "ReceiptHandle": "A", "Body": dumped(bridged(r))} for r in RECORDS]}
)
form("sqs_lines.jsonl")(lambda: lines(queued(*map(bridged, RECORDS))["Records"]))
form("s3_notification.json")(
    lambda: {
        "Records": [
            stored("AWSLogs/111122223333/CloudTrail/us-east-1/2025/03/04/a%3D+b.json.gz"),
            stored("AWSLogs/gone.json.gz", "ObjectRemoved:Delete"),
        ]
    }
)
form("s3_notification_queued.json")(lambda: queued(published({"Records": [stored("a.json.gz"), stored("b.json.gz")]})))
form("sns_delivery.json")(
    lambda: published({"s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/1.json.gz", "AWSLogs/2.json.gz"]})
)


@form("kinesis.json")
def kinesis() -> Written:
    datas = [packed(delivery()), dumped(bridged(RECORDS[0])), packed(CONTROL)]
    return {
        "Records": [
            {
                "kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": "p", "data": encoded(data)},
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{n}",
                "eventName": "aws:kinesis:record",
                "awsRegion": "us-east-1",
            }
            for n, data in enumerate(datas)
        ]
    }


@form("log_file_of_messages.json")
def log_file_of_messages() -> Written:
    """A list that begins with a record and goes on with messages."""
    topic = {"EventSource": "aws:sns", "Sns": published(RECORDS[3])}
    stream = {"kinesis": {"data": encoded(packed(delivery()))}, "eventSource": "aws:kinesis"}
    queue = queued(RECORDS[2])["Records"]
    return {"Records": [RECORDS[0], bridged(RECORDS[1]), *queue, topic, stream, stored("AWSLogs/a.json.gz")]}


form("kinesis_get_records.json")(
    lambda: {
        "Records": [
            {"SequenceNumber": str(n), "Data": encoded(dumped(r)), "PartitionKey": "p"} for n, r in enumerate(RECORDS)
        ],
        "NextShardIterator": "AAAA",
    }
)
form("firehose.json")(
    lambda: {
        "invocationId": "00000000-0000-4000-8000-00000000f1fe",
        "deliveryStreamArn": "arn:aws:firehose:us-east-1:111122223333:deliverystream/trail",
        "records": [{"recordId": str(n), "data": encoded(dumped(bridged(r)))} for n, r in enumerate(RECORDS)],
    }
)
form("firehose_output")(lambda: packed("".join(dumped(bridged(r)) for r in RECORDS)))
form("firehose_output_subscription")(lambda: dumped(CONTROL) + dumped(delivery()))


# --- queries ------------------------------------------------------------------------------------------------

COLUMNS = [
    *("eventversion", "useridentity", "eventtime", "eventsource", "eventname", "awsregion", "sourceipaddress"),
    *("useragent", "errorcode", "errormessage", "requestparameters", "responseelements", "requestid", "eventid"),
    *("readonly", "resources", "eventtype", "recipientaccountid", "tlsdetails"),
]
LAKE_COLUMNS = [
    *("eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress"),
    *("userAgent", "errorCode", "errorMessage", "requestParameters", "responseElements", "requestID", "eventID"),
    *("readOnly", "resources", "eventType", "managementEvent", "recipientAccountId", "eventCategory"),
]
IDENTITY = ("type", "principalId", "arn", "accountId", "invokedBy", "accessKeyId", "userName", "sessionContext")


def struct(value: Any) -> str:
    """A value as engines print it that know rows, maps and arrays."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={struct(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(struct, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.lower(): lowered(inner) for name, inner in value.items()}
    return [lowered(element) for element in value] if isinstance(value, list) else value


def identity(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record["userIdentity"].get(name) for name in IDENTITY}


def by_lower_name(record: dict[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in record.items()}


def athena_cells(record: dict[str, Any]) -> list[str | None]:
    row = by_lower_name(record)
    row["useridentity"] = struct(lowered(identity(record)))
    row["resources"] = struct(lowered(record["resources"])) if "resources" in record else None
    row["tlsdetails"] = struct(lowered(record["tlsDetails"])) if "tlsDetails" in record else None
    for name in ("requestparameters", "responseelements"):
        row[name] = dumped(row[name]) if row[name] is not None else None
    row["readonly"] = "false"
    return [row.get(name) for name in COLUMNS]


def lake_cells(record: dict[str, Any]) -> list[str | None]:
    row: dict[str, Any] = {name: value for name, value in record.items() if value is not None}
    row["userIdentity"] = struct(lowered(identity(record)))
    row["eventTime"] = record["eventTime"].replace("T", " ")[:-1] + ".000"
    if "resources" in record:
        row["resources"] = struct(lowered(record["resources"]))
    for name in ("requestParameters", "responseElements"):
        if name in row:  # a map of texts
            texts = {k: dumped(v) if isinstance(v, (dict, list)) else v for k, v in row[name].items()}
            row[name] = struct(texts)
    row |= {"readOnly": "false", "managementEvent": "true"}
    return [row.get(name) for name in LAKE_COLUMNS]


def athena_table() -> list[list[str]]:
    return [COLUMNS, *([cell or "" for cell in athena_cells(r)] for r in RECORDS)]


form("athena.csv")(lambda: as_csv(athena_table()))
form("athena_announced.csv")(lambda: b"sep=;\r\n" + as_csv(athena_table(), delimiter=";"))
form("athena_bars.csv")(lambda: as_csv(athena_table(), delimiter="|"))
form("athena_tabs.csv")(lambda: as_csv(athena_table(), delimiter="\t"))


@form("lake_drawn")
def lake_drawn() -> Written:
    """A table as terminals show it."""
    rows = [["eventID", "eventJson"], *([r["eventID"], dumped(r)] for r in RECORDS)]
    drawn = [" | ".join(cell.ljust(40) for cell in row) for row in rows]
    return "\n".join([drawn[0], "-" * 41 + "+" + "-" * 41, *drawn[1:]]) + "\n"


form("lake.csv")(lambda: as_csv([LAKE_COLUMNS, *([c or "" for c in lake_cells(r)] for r in RECORDS)], mark=True))


@form("athena.json")
def athena() -> Written:
    rows = [[{"VarCharValue": name} for name in COLUMNS]]
    rows += [[{"VarCharValue": cell} if cell is not None else {} for cell in athena_cells(r)] for r in RECORDS]
    return {"UpdateCount": 0, "ResultSet": {"Rows": [{"Data": row} for row in rows], "ResultSetMetadata": {}}}


def athena_page(records: list[dict[str, Any]], *, first: bool) -> dict[str, Any]:
    """A page of results as the API gives it: only the first has the row of names."""
    rows = [[{"VarCharValue": name} for name in COLUMNS]] if first else []
    rows += [[{"VarCharValue": cell} if cell is not None else {} for cell in athena_cells(r)] for r in records]
    columns = [{"Name": name, "Label": name, "Type": "varchar", "Nullable": "UNKNOWN"} for name in COLUMNS]
    return {
        "UpdateCount": 0,
        "ResultSet": {"Rows": [{"Data": row} for row in rows], "ResultSetMetadata": {"ColumnInfo": columns}},
    }


def athena_pages() -> list[dict[str, Any]]:
    return [
        athena_page(RECORDS[:2], first=True),
        athena_page(RECORDS[2:3], first=False),
        athena_page(RECORDS[3:], first=False),
    ]


form("athena_second_page.json")(lambda: athena_page(RECORDS, first=False))
form("athena_pages.json")(athena_pages)
form("athena_pages.jsonl")(lambda: lines(athena_pages()))
form("athena_pages")(lambda: "".join(dumped(page, indent=4) for page in athena_pages()))


@form("athena_unloaded.jsonl")
def athena_unloaded() -> Written:
    rows = []
    for record in RECORDS:
        row = dict(zip(COLUMNS, athena_cells(record), strict=True))
        row |= {"useridentity": lowered(identity(record)), "resources": lowered(record.get("resources"))}
        rows.append({**row, "tlsdetails": lowered(record.get("tlsDetails"))})
    return lines(rows)


@form("lake.json")
def lake() -> Written:
    rows = [[{name: c} for name, c in zip(LAKE_COLUMNS, lake_cells(r), strict=True) if c is not None] for r in RECORDS]
    return {"QueryStatus": "FINISHED", "QueryStatistics": {"ResultsCount": 4}, "QueryResultRows": rows}


form("lake_event_json.csv")(lambda: as_csv([["eventID", "eventJson"], *([r["eventID"], dumped(r)] for r in RECORDS)]))


@form("athena.parquet")
def athena_parquet() -> Written:
    import pyarrow as pa
    from pyarrow import parquet

    text = pa.string()
    issuer = pa.struct([(n, text) for n in ("type", "principalid", "arn", "accountid", "username")])
    attributes = pa.struct([("mfaauthenticated", text), ("creationdate", text)])
    session = pa.struct([("attributes", attributes), ("sessionissuer", issuer)])
    names = ("type", "principalid", "arn", "accountid", "invokedby", "accesskeyid", "username")
    resources = pa.list_(pa.struct([("arn", text), ("accountid", text), ("type", text)]))
    kinds = {
        "useridentity": pa.struct([*((n, text) for n in names), ("sessioncontext", session)]),
        "resources": resources,
        "eventtime": pa.timestamp("ns", "UTC"),
        "tlsdetails": pa.struct([(n, text) for n in ("tlsversion", "ciphersuite", "clientprovidedhostheader")]),
    }
    schema = pa.schema([(name, kinds.get(name, text)) for name in COLUMNS])
    rows = []
    for record in RECORDS:
        row = dict(zip(COLUMNS, athena_cells(record), strict=True))
        moment = pa.scalar(record["eventTime"]).cast(kinds["eventtime"])
        row |= {"useridentity": lowered(identity(record)), "resources": lowered(record.get("resources"))}
        rows.append({**row, "eventtime": moment, "tlsdetails": lowered(record.get("tlsDetails"))})
    target = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema), target)
    return target.getvalue()


# --- Security Lake ------------------------------------------------------------------------------------------


def ocsf(record: dict[str, Any]) -> dict[str, Any]:
    who = record["userIdentity"]
    session = who.get("sessionContext", {})
    address = record["sourceIPAddress"]
    event: dict[str, Any] = {
        "activity_id": 1,
        "activity_name": "Create",
        "class_uid": 6003,
        "class_name": "API Activity",
        "metadata": {
            "uid": record["eventID"],
            "event_code": record["eventType"],
            "version": "1.1.0",
            "product": {
                "name": "CloudTrail",
                "vendor_name": "AWS",
                "version": record["eventVersion"],
                "feature": {"name": record["eventCategory"]},
            },
        },
        "time": {"10:15:30": 1741083330000, "10:16:02": 1741083362000, "10:17:45": 1741083465000}.get(
            record["eventTime"][11:19], 1741083480000
        ),
        "cloud": {"provider": "AWS", "region": record["awsRegion"]},
        "api": {
            "operation": record["eventName"],
            "service": {"name": record["eventSource"]},
            "request": {"uid": record["requestID"], "data": dumped(record["requestParameters"])},
            "response": {
                "error": record.get("errorCode"),
                "message": record.get("errorMessage"),
                "data": dumped(record["responseElements"]) if record["responseElements"] else None,
            },
        },
        "actor": {
            "user": {
                "type": who["type"],
                "name": who.get("userName"),
                "uid": who["arn"],
                "uid_alt": who["principalId"],
                "account": {"uid": who["accountId"]},
                "credential_uid": who.get("accessKeyId"),
            }
        },
        "http_request": {"user_agent": record["userAgent"]},
        "src_endpoint": {"ip": address} if address[0].isdigit() else {"domain": address},
        "status": "Failure" if "errorCode" in record else "Success",
        "unmapped": {
            "recipientAccountId": record["recipientAccountId"],
            "readOnly": "false",
            "managementEvent": "true",
        },
    }
    if session:
        event["actor"]["session"] = {
            "issuer": session["sessionIssuer"]["arn"],
            "is_mfa": session["attributes"]["mfaAuthenticated"] == "true",
            "created_time_dt": session["attributes"]["creationDate"],
        }
    if "resources" in record:
        event["resources"] = [
            {"uid": r["ARN"], "type": r["type"], "owner": {"account": {"uid": r.get("accountId")}}}
            for r in record["resources"]
        ]
    return event


def ocsf_first(record: dict[str, Any]) -> dict[str, Any]:
    """As the first version of the schema has it: other names, and what is left in flat dotted names."""
    event = ocsf(record)
    user = event["actor"]["user"]
    user |= {"uid": user.pop("uid_alt"), "uuid": user["uid"], "account_uid": user.pop("account")["uid"]}
    event["metadata"]["version"] = "1.0.0-rc.2"
    flat: dict[str, Any] = event["unmapped"]
    for half in ("requestParameters", "responseElements"):
        for name, value in (record[half] or {}).items():
            flat |= {f"{half}.{name}": value} if isinstance(value, str) else {}
            flat |= {f"{half}.{name}.{n}": v for n, v in value.items()} if isinstance(value, dict) else {}
    del event["api"]["request"]["data"]
    del event["api"]["response"]["data"]
    return event


form("ocsf.jsonl")(
    lambda: lines([*map(ocsf, RECORDS), {"class_uid": 4001, "metadata": {"product": {"name": "Amazon VPC"}}}])
)
form("ocsf_first.json")(lambda: [ocsf_first(RECORDS[0]), ocsf_first(RECORDS[3])])
form("ocsf_raw.jsonl")(lambda: lines([{**ocsf(r), "raw_data": dumped(r)} for r in RECORDS]))


@form("ocsf.parquet")
def ocsf_parquet() -> Written:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [ocsf(record) for record in RECORDS]
    names = {name for row in rows for name in row}
    table = pa.table({name: [row.get(name) for row in rows] for name in sorted(names - {"unmapped"})})
    unmapped = pa.array([list(row["unmapped"].items()) for row in rows], pa.map_(pa.string(), pa.string()))
    table = table.append_column("unmapped", unmapped)
    target = io.BytesIO()
    parquet.write_table(table, target, compression="zstd")
    return target.getvalue()


# --- exports ------------------------------------------------------------------------------------------------


def ecs(record: dict[str, Any], *, original: bool) -> dict[str, Any]:
    who = record["userIdentity"]
    session = who.get("sessionContext")
    user_identity: dict[str, Any] = {"type": who["type"], "arn": who["arn"]}
    if "accessKeyId" in who:
        user_identity["access_key_id"] = who["accessKeyId"]
    if session:
        issuer = session["sessionIssuer"]
        user_identity["session_context"] = {
            "mfa_authenticated": session["attributes"]["mfaAuthenticated"],
            "creation_date": session["attributes"]["creationDate"].replace("Z", ".000Z"),
            "session_issuer": {"type": issuer["type"], "arn": issuer["arn"]},
        }
    trail: dict[str, Any] = {
        "event_version": record["eventVersion"],
        "event_type": record["eventType"],
        "event_category": record["eventCategory"],
        "request_id": record["requestID"],
        "read_only": record["readOnly"],
        "management_event": record["managementEvent"],
        "recipient_account_id": record["recipientAccountId"],
        "user_identity": user_identity,
        "request_parameters": struct(record["requestParameters"]),
    }
    if record["responseElements"]:
        trail["response_elements"] = struct(record["responseElements"])
    for ours, theirs in (("error_code", "errorCode"), ("error_message", "errorMessage")):
        if theirs in record:
            trail[ours] = record[theirs]
    if "resources" in record:
        trail["resources"] = [
            {"arn": r["ARN"], "type": r["type"], "account_id": r.get("accountId")} for r in record["resources"]
        ]
    event = {
        "action": record["eventName"],
        "provider": record["eventSource"],
        "id": record["eventID"],
        "outcome": "failure" if "errorCode" in record else "success",
        "type": ["info"],
    }
    return {
        "@timestamp": record["eventTime"].replace("Z", ".000Z"),
        "ecs": {"version": "8.11.0"},
        "event": {**event, **({"original": dumped(record)} if original else {})},
        "aws": {"cloudtrail": trail},
        "cloud": {"account": {"id": who["accountId"]}, "region": record["awsRegion"]},
        "source": {"address": record["sourceIPAddress"]},
        "user": {"id": who["principalId"], **({"name": who["userName"]} if "userName" in who else {})},
        "user_agent": {"original": record["userAgent"]},
        "message": "",
    }


def hit(source: dict[str, Any]) -> dict[str, Any]:
    return {"_index": "logs-aws.cloudtrail-default", "_id": "h", "_score": 1.0, "_source": source}


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            found |= flat(inner, f"{prefix}{name}.")
        else:
            found[prefix + name] = inner if isinstance(inner, list) else [inner]
    return found


form("elastic.json")(
    lambda: {
        "took": 3,
        "timed_out": False,
        "hits": {"total": {"value": 4}, "hits": [hit(ecs(r, original=True)) for r in RECORDS]},
    }
)
form("elastic_mapped.jsonl")(lambda: lines([hit(ecs(r, original=False)) for r in RECORDS]))
form("elastic_bulk.ndjson")(
    lambda: lines([part for r in RECORDS for part in ({"index": {"_index": "trail"}}, ecs(r, original=True))])
)
form("elastic_fields.jsonl")(
    lambda: lines([{"_index": "i", "_id": "h", "fields": flat(ecs(RECORDS[n], original=False))} for n in (0, 3)])
)
form("splunk.json")(
    lambda: lines(
        [{"preview": False, "offset": n, "result": {"_raw": dumped(r), "_time": "t"}} for n, r in enumerate(RECORDS)]
    )
)
form("splunk_results.json")(
    lambda: {"preview": False, "init_offset": 0, "messages": [], "results": [{"_raw": dumped(r)} for r in RECORDS]}
)
form("splunk.csv")(
    lambda: as_csv([["_time", "host", "_raw"], *([r["eventTime"], "s3", dumped(r)] for r in RECORDS)], mark=True)
)
form("splunk_collector.json")(
    lambda: "".join(dumped({"time": 1741083330, "sourcetype": "aws:cloudtrail", "event": r}) for r in RECORDS)
)


def without_time(record: dict[str, Any]) -> dict[str, Any]:
    shipped = {name: value for name, value in record.items() if name != "eventTime"}
    return {**shipped, "@timestamp": record["eventTime"].replace("Z", ".000Z"), "@version": "1"}


form("logstash.jsonl")(lambda: lines(list(map(without_time, RECORDS))))
form("logstash_message.jsonl")(
    lambda: lines([{"@timestamp": "t", "@version": "1", "message": dumped(r), "host": {"name": "h"}} for r in RECORDS])
)
form("wazuh.jsonl")(
    lambda: lines(
        [
            *(
                {
                    "timestamp": "2025-03-04T10:20:00.000+0000",
                    "rule": {"level": 3, "id": "80202"},
                    "agent": {"id": "000"},
                    "data": {"integration": "aws", "aws": {**r, "readOnly": "false", "source": "cloudtrail"}},
                }
                for r in RECORDS
            ),
            {"integration": "aws", "aws": {"source": "guardduty", "severity": "5", "log_info": {}}},
        ]
    )
)
form("wazuh_archives.jsonl")(
    lambda: lines(
        [
            archived(dumped({"integration": "aws", "aws": {**RECORDS[0], "source": "cloudtrail"}}), "Wazuh-AWS"),
            archived("Mar  4 10:20:00 h sshd[7]: Accepted publickey for jordan", "/var/log/auth.log"),
            archived('{"event_type": "dns"}', "/var/log/suricata/eve.json"),
            {**archived("File '/etc/hosts' modified", "syscheck"), "syscheck": {"path": "/etc/hosts"}},
            {**archived("x", "Wazuh-AWS"), "rule": {"level": 3, "id": "80202"}, "data": {"aws": {"source": "vpc"}}},
        ]
    )
)


def archived(log: str, location: str) -> dict[str, Any]:
    """A line of Wazuh's archives: what came from where."""
    return {
        "timestamp": "2025-03-04T10:20:00.000+0000",
        "agent": {"id": "000", "name": "manager"},
        "manager": {"name": "manager"},
        "id": "1741083600.1",
        "full_log": log,
        "decoder": {},
        "location": location,
    }


def panther(record: dict[str, Any]) -> dict[str, Any]:
    return {
        **record,
        "eventTime": record["eventTime"].replace("T", " ").replace("Z", ".000000000"),
        "p_log_type": "AWS.CloudTrail",
        "p_event_time": "2025-03-04 10:15:30.000000000",
        "p_row_id": "0",
    }


form("panther.jsonl")(lambda: lines(list(map(panther, RECORDS))))


@form("panther.csv")
def panther_table() -> Written:
    other = {"eventName": "REST.GET.OBJECT", "eventSource": "s3.amazonaws.com", "p_log_type": "AWS.S3ServerAccess"}
    rows: list[dict[str, Any]] = [*map(panther, RECORDS), {**other, "eventID": "x", "p_row_id": "1"}]
    columns = [*dict.fromkeys(name for row in rows for name in row)]
    texts = [
        [dumped(v) if isinstance(v, (dict, list, bool)) else v or "" for v in map(row.get, columns)] for row in rows
    ]
    return as_csv([columns, *texts])


def main() -> None:
    for name, writer in WRITERS.items():
        (HERE / name).write_bytes(as_bytes(writer()))
    left = {path.name for path in HERE.iterdir()} - {*WRITERS, "records.json", "expected.json", Path(__file__).name}
    print(f"{len(WRITERS)} forms", *sorted(left), file=sys.stderr)


if __name__ == "__main__":
    main()
