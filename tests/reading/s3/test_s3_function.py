"""A function of Lambda reads the files that its messages name, and gives back the messages whose files are gone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import cloudsigma
from cloudsigma.aws_lambda import handler


@pytest.mark.usefixtures("client")
def test_files_that_messages_name_are_read(
    put: Callable[[dict[str, bytes]], str], log_file: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = put({f"{at}.json.gz": log_file(f"f{at}") for at in range(10)})
    messages = [
        {
            "messageId": str(at),
            "eventSource": "aws:sqs",
            "body": json.dumps({
                "Records": [
                    {
                        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                        "s3": {"bucket": {"name": bucket}, "object": {"key": f"{at}.json.gz"}},
                    }
                ]
            }),
        }
        for at in range(11)
    ]  # fmt: skip
    calls: list[int] = []
    function = handler(cloudsigma.bundled_rules(), lambda matches: calls.append(len(matches)))
    assert function({"Records": messages}) == {"batchItemFailures": [{"itemIdentifier": "10"}]}
    [line] = capsys.readouterr().out.splitlines()
    log = json.loads(line)
    assert log["losses_named"][0].startswith(f"s3://{bucket}/10.json.gz: ")
    assert (log["parts"], log["records"], log["losses"]) == (11, 20, 1)
    assert calls == [log["matches"]]
    assert log["matches"] > 0
