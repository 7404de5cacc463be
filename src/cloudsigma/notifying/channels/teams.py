"""Microsoft Teams, by a workflow's webhook: an Adaptive Card of text runs, which know no Markdown.

Source: the schema of Adaptive Cards (RichTextBlock, TextRun) and Microsoft's page on workflows that post to a channel.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudsigma.notifying.alert import cut
from cloudsigma.notifying.attempt import Attempt
from cloudsigma.notifying.channel import Channel
from cloudsigma.notifying.message import Message
from cloudsigma.notifying.post import check_address, post

_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


def body_of(message: Message) -> dict[str, Any]:
    """The card of a message."""
    rows: list[dict[str, Any]] = [_run(cut(message.title), weight="Bolder")]
    rows += [_run(f"{label}: {cut(text)}") for label, text in message.facts]
    card = {"$schema": _SCHEMA, "type": "AdaptiveCard", "version": "1.4", "body": rows}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def send(channel: Channel, message: Message) -> Attempt:
    """Send a message."""
    url = channel.secret("url")
    check_address(url)
    return post(url, msgspec.json.encode(body_of(message)), {"Content-Type": "application/json"})
