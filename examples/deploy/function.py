"""The function of `consumer.yml`: publishes each match to an SNS topic."""

import json
import os
from collections.abc import Sequence

import boto3

import cloudsigma
from cloudsigma.aws_lambda import handler

LONGEST = 256 * 1024  # bytes of a message of SNS
topic = os.environ["TOPIC_ARN"]
sns = boto3.client("sns")


def publish(matches: Sequence[cloudsigma.Match]) -> None:
    """Send each match without its record, which may be long."""
    for match in matches:
        subject = f"{(match.rule.level or 'match').upper()} {match.rule.title}"
        text = match.to_json(record=False)
        if len(text.encode()) > LONGEST:
            text = json.dumps({"rule_id": match.rule_id, "key": match.key, "event_id": match.context.event_id})
        sns.publish(TopicArn=topic, Subject=subject.encode("ascii", "replace").decode()[:100], Message=text)


lambda_handler = handler("rules.json", publish)
