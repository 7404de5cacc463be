"""SNS, EventBridge, SES and Security Hub, by boto3, which retries on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudsigma.errors import MissingPackageError
from cloudsigma.notifying.alert import cut
from cloudsigma.notifying.attempt import Again, Attempt, Refused, Sent
from cloudsigma.notifying.channel import Channel
from cloudsigma.notifying.channels.webhook import body_of
from cloudsigma.notifying.message import Message

_SUBJECT = 99
"""Characters of a subject of SNS, in ASCII."""
_PASSING = frozenset(
    {
        "InternalException", "InternalFailure", "LimitExceededException", "RequestTimeout", "ServiceUnavailable",
        "Throttling", "ThrottlingException", "TooManyRequestsException",
    }
)  # fmt: skip
"""Errors that pass, by the lists of common errors in the references."""


def send(channel: Channel, message: Message) -> Attempt:
    """Send a message."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise MissingPackageError("notifications by AWS need boto3: pip install 'cloudsigma-rules[aws]'") from error
    region = channel.options.get("region")
    try:
        client = boto3.client(_SERVICES[channel.kind], **({"region_name": str(region)} if region else {}))
        return _SENDERS[channel.kind](client, channel, message)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        reason = f"it answered {code or status}"
        return Again(reason) if code in _PASSING or status >= 500 or status == 429 else Refused(reason)
    except BotoCoreError as error:
        return Again(f"it cannot be reached ({type(error).__name__})")


def _sns(client: Any, channel: Channel, message: Message) -> Attempt:
    subject = cut(message.title, _SUBJECT).encode("ascii", "replace").decode()
    client.publish(
        TopicArn=str(channel.options["topic"]), Subject=subject[:_SUBJECT], Message="\n".join(message.lines),
        MessageAttributes={"id": {"DataType": "String", "StringValue": message.id}},
    )  # fmt: skip
    return Sent()


def _eventbridge(client: Any, channel: Channel, message: Message) -> Attempt:
    entry = {
        "Source": "cloudsigma",
        "DetailType": f"cloudsigma {message.kind}",
        "Detail": body_of(message).decode(),
        "EventBusName": str(channel.options.get("bus", "default")),
    }
    answer = client.put_events(Entries=[entry])
    if answer.get("FailedEntryCount"):  # a failure inside an answer of 200
        failed = answer["Entries"][0]
        code = str(failed.get("ErrorCode", ""))
        reason = f"it answered {code}"
        return Again(reason) if code in _PASSING else Refused(reason)
    return Sent()


def _ses(client: Any, channel: Channel, message: Message) -> Attempt:
    client.send_email(
        FromEmailAddress=str(channel.options["from"]),
        Destination={"ToAddresses": list(channel.options["to"])},
        Content={
            "Simple": {
                "Subject": {"Data": cut(message.title), "Charset": "UTF-8"},
                "Body": {"Text": {"Data": "\n".join(message.lines), "Charset": "UTF-8"}},
            }
        },
    )
    return Sent()


def _securityhub(client: Any, _: Channel, message: Message) -> Attempt:
    finding = message.alert.finding if message.alert is not None else None
    if finding is None:
        return Sent() if message.kind == "heartbeat" else Refused("it is no finding: its record names no account")
    answer = client.batch_import_findings(Findings=[finding])
    if answer.get("FailedCount"):
        return Refused(f"it answered {answer['FailedFindings'][0].get('ErrorCode', '')}")
    return Sent()


_SERVICES = {"sns": "sns", "eventbridge": "events", "ses": "sesv2", "securityhub": "securityhub"}
_SENDERS: dict[str, Callable[[Any, Channel, Message], Attempt]] = {
    "sns": _sns,
    "eventbridge": _eventbridge,
    "ses": _ses,
    "securityhub": _securityhub,
}
