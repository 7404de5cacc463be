"""A webhook, signed as Standard Webhooks says: ID, time and body, by HMAC-SHA256.

Source: the specification of Standard Webhooks, version 1. Each attempt has the same ID, a new time and signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time

import msgspec

from cloudsigma.errors import UsageError
from cloudsigma.notifying.attempt import Attempt
from cloudsigma.notifying.channel import Channel
from cloudsigma.notifying.message import Message
from cloudsigma.notifying.post import check_address, post

_PREFIX = "whsec_"


def body_of(message: Message) -> bytes:
    """The message as JSON."""
    return msgspec.json.encode(
        {
            "type": f"cloudsigma.{message.kind}",
            "id": message.id,
            "group": message.group or None,
            "title": message.title,
            "matches": message.count if message.kind != "heartbeat" else 0,
            "groups": message.groups if message.kind != "heartbeat" else 0,
            "new": list(message.fresh),
            "alert": message.alert,
        }
    )


def signature_of(secret: str, identifier: str, timestamp: int, body: bytes) -> str:
    """The signature of an attempt; raises `UsageError` if the secret is not base64."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError("the secret of a webhook is base64, perhaps behind whsec_") from error
    if len(key) < 16:
        raise UsageError("the secret of a webhook has fewer than 16 bytes")
    signed = hmac.new(key, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def send(channel: Channel, message: Message) -> Attempt:
    """Send a message."""
    url, body = channel.secret("url") or str(channel.options.get("url", "")), body_of(message)
    check_address(url)
    headers = {"Content-Type": "application/json", "webhook-id": message.id}
    if secret := channel.secret("secret"):
        now = int(time.time())
        headers |= {
            "webhook-timestamp": str(now),
            "webhook-signature": signature_of(secret, message.id, now, body),
        }
    return post(url, body, headers)
