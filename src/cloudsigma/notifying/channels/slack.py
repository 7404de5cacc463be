"""Slack, by an incoming webhook. Texts of records are `plain_text`: no mention, no link, no mark-up.

Source: Slack's references of Block Kit (text objects, section and context blocks) and of incoming webhooks.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudsigma.notifying.alert import cut
from cloudsigma.notifying.attempt import Attempt
from cloudsigma.notifying.channel import Channel
from cloudsigma.notifying.message import Message
from cloudsigma.notifying.post import check_address, post

_TITLE, _FIELD, _FIELDS = 150, 2000, 10
"""Characters of a header and of a field; fields of a section."""


def body_of(message: Message) -> dict[str, Any]:
    """The blocks of a message."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(cut(message.title, _TITLE))}]
    facts = message.facts
    for start in range(0, len(facts), _FIELDS):
        fields = [_plain(cut(f"{label}: {text}", _FIELD)) for label, text in facts[start : start + _FIELDS]]
        blocks.append({"type": "section", "fields": fields})
    return {"text": escaped(cut(message.title)), "blocks": blocks, "unfurl_links": False, "unfurl_media": False,
            "link_names": False}  # fmt: skip


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or " ", "emoji": False}


def escaped(text: str) -> str:
    """The text for notifications, where `&`, `<` and `>` are the only control characters, and `@` is a plain letter."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def send(channel: Channel, message: Message) -> Attempt:
    """Send a message."""
    url = channel.secret("url")
    check_address(url)
    return post(url, msgspec.json.encode(body_of(message)), {"Content-Type": "application/json"})
