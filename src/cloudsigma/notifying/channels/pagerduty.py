"""PagerDuty, by the Events API v2. A group is one incident: its messages share a `dedup_key`.

Source: PagerDuty's reference "Send an alert event", with its limits.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudsigma.notifying.alert import cut
from cloudsigma.notifying.attempt import Attempt, Sent
from cloudsigma.notifying.channel import Channel
from cloudsigma.notifying.message import Message
from cloudsigma.notifying.post import check_address, post

ENDPOINT = "https://events.pagerduty.com/v2/enqueue"
_SUMMARY = 1024
_SEVERITIES = {"critical": "critical", "high": "error", "medium": "warning", "low": "info", "informational": "info"}


def body_of(message: Message, key: str) -> dict[str, Any]:
    """The event of a message."""
    alert = message.alert
    payload: dict[str, Any] = {
        "summary": cut(message.title, _SUMMARY),
        "source": (alert.account if alert is not None else "") or "cloudsigma",
        "severity": _SEVERITIES.get(alert.level if alert is not None else "", "warning"),
        "custom_details": {label: cut(text) for label, text in message.facts},
    }
    if alert is not None and alert.time:
        payload["timestamp"] = alert.time
    return {"routing_key": key, "event_action": "trigger", "dedup_key": f"cloudsigma/{message.group or message.id}",
            "payload": payload}  # fmt: skip


def send(channel: Channel, message: Message) -> Attempt:
    """Send a message; a heartbeat is no incident, and is not sent."""
    if message.kind == "heartbeat":
        return Sent()
    url = str(channel.options.get("endpoint", ENDPOINT))
    check_address(url)
    body = msgspec.json.encode(body_of(message, channel.secret("key")))
    return post(url, body, {"Content-Type": "application/json"})
