"""The SQS client with boto3, the only module of this room that imports it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
import botocore.exceptions as wrong
import msgspec
from botocore.config import Config

from cloudsigma.reading.sources.s3.boto3_client import botocore_fault
from cloudsigma.reading.sources.s3.object_store import Fault
from cloudsigma.reading.sources.sqs.location import QueueLocation
from cloudsigma.reading.sources.sqs.options import LONGEST_POLL

BATCH = 10
"""Most messages in one request, a limit of SQS."""
GONE = "ReceiptHandleIsInvalid"
"""The code for a message whose visibility has ended, or which was deleted."""


class Message(msgspec.Struct, frozen=True):
    """A message as received."""

    id: str
    """The same in each delivery."""
    handle: str
    """The receipt handle of this delivery."""
    body: str
    receives: int
    """How often it has been received, including this time."""


class QueueFacts(msgspec.Struct, frozen=True):
    """The attributes of a queue."""

    visibility: float
    """Seconds for which a received message is hidden from other receivers."""
    redrives: bool
    """Whether a redrive policy moves messages that are received too often to a dead-letter queue."""
    waiting: int = 0
    """Messages that can be received, about."""
    in_flight: int = 0
    """Messages that some consumer has received and not deleted, about."""


class QueueClient:
    """One queue. Thread-safe. Each method raises `Fault`."""

    def __init__(self, location: QueueLocation) -> None:
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=LONGEST_POLL + 15,
        )
        try:
            self._client = boto3.session.Session().client("sqs", region_name=location.region, config=config)
            self._url = location.url or self._find(location)
        except wrong.NoRegionError:
            raise Fault("other", "no region is configured; set AWS_REGION or give the queue's URL or ARN") from None
        except ValueError:  # a malformed endpoint, which the exception's text would reveal
            raise Fault("other", "the endpoint is no URL; check AWS_ENDPOINT_URL_SQS") from None
        except (wrong.BotoCoreError, wrong.ClientError) as error:
            raise botocore_fault(error) from None

    def _find(self, location: QueueLocation) -> str:
        owner = {"QueueOwnerAWSAccountId": location.account} if location.account else {}
        url: str = self._client.get_queue_url(QueueName=location.name, **owner)["QueueUrl"]
        return url

    def facts(self) -> QueueFacts:
        """The attributes of the queue."""
        found = self._ask("get_queue_attributes", AttributeNames=["All"]).get("Attributes", {})
        return QueueFacts(
            visibility=float(found.get("VisibilityTimeout", 30)),
            redrives="RedrivePolicy" in found,
            waiting=int(found.get("ApproximateNumberOfMessages", 0)),
            in_flight=int(found.get("ApproximateNumberOfMessagesNotVisible", 0)),
        )

    def receive(self, most: int, wait: int) -> list[Message]:
        """Receive up to `most` messages (at most `BATCH`), waiting up to `wait` seconds for the first."""
        answer = self._ask(
            "receive_message",
            MaxNumberOfMessages=min(most, BATCH),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Message(
                found["MessageId"],
                found["ReceiptHandle"],
                found.get("Body", ""),
                int(found.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
            )
            for found in answer.get("Messages", ())
        ]

    def delete(self, messages: Sequence[Message]) -> dict[str, str]:
        """Delete messages; returns message ID → error code of those that were not deleted."""
        return self._ask_for_each("delete_message_batch", messages, {})

    def set_visibility(self, messages: Sequence[Message], seconds: float) -> dict[str, str]:
        """Hide messages for some more seconds; 0 makes them visible. Returns message ID → error code of failures."""
        return self._ask_for_each(
            "change_message_visibility_batch", messages, {"VisibilityTimeout": max(0, round(seconds))}
        )

    def _ask_for_each(self, operation: str, messages: Sequence[Message], more: dict[str, Any]) -> dict[str, str]:
        failed: dict[str, str] = {}
        for start in range(0, len(messages), BATCH):
            batch = messages[start : start + BATCH]
            entries = [
                {"Id": str(number), "ReceiptHandle": message.handle, **more} for number, message in enumerate(batch)
            ]
            answer = self._ask(operation, Entries=entries)
            for entry in answer.get("Failed", ()):  # a success of the request, with failures in it
                failed[batch[int(entry["Id"])].id] = str(entry.get("Code", "unknown"))
        return failed

    def _ask(self, operation: str, **asked: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(QueueUrl=self._url, **asked)
        except Exception as error:  # noqa: BLE001  # its parsers and urllib3 raise other errors
            raise botocore_fault(error) from None
        return answer

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()
