"""The one record that tests of the command are made of: a call that a bundled rule matches."""

from __future__ import annotations

from typing import Any


def create_group(event_id: str, **changes: Any) -> dict[str, Any]:
    """Alice creates a group, with other or more members where `changes` say so."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
        "eventTime": "2025-03-04T10:15:30Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateGroup",
        "awsRegion": "us-east-1",
        "requestParameters": {"groupName": "admins"},
        "eventID": event_id,
        **changes,
    }
