"""The name of a queue: `sqs://NAME`, its URL, or its ARN."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from cloudsigma.errors import UsageError

_SCHEME = "sqs:/"  # with one slash: `pathlib` merges two
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ARN = re.compile(r"arn:aws[a-z-]*:sqs:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):(?P<name>[^:/]+)")
_URL = re.compile(r"https?://(?P<host>[^/?#]+)/(?P<account>[0-9]{12})/(?P<name>[^/?#]+)")
_REGION = re.compile(r"sqs(?:-fips)?\.(?P<new>[a-z0-9-]+)\.|(?P<old>[a-z0-9-]+)\.queue\.")
_FIFO = ".fifo"


class QueueLocation(msgspec.Struct, frozen=True):
    """A queue."""

    name: str
    account: str | None = None
    """The account that owns it; `None`: the caller's."""
    region: str | None = None
    """Its region; `None`: the configured one."""
    url: str | None = None
    """Its URL, if known."""

    def __str__(self) -> str:
        return f"sqs://{self.name}"


def is_queue(path: object) -> bool:
    """Whether an argument names a queue, perhaps a malformed one, rather than a file."""
    return isinstance(path, str) and (
        path[: len(_SCHEME)].lower() == _SCHEME or ":sqs:" in path[:40] or path.startswith(("https://", "http://"))
    )


def parse_queue(path: str) -> QueueLocation:
    """Parse the name, URL or ARN of a queue.

    Raises:
        UsageError: It is malformed, or the name is that of a FIFO queue, to which S3 cannot send.
    """
    if found := _ARN.fullmatch(path):
        location = QueueLocation(found["name"], found["account"], found["region"])
    elif found := _URL.fullmatch(path):
        region = _REGION.match(found["host"])
        location = QueueLocation(
            found["name"], found["account"], (region["new"] or region["old"]) if region else None, path
        )
    elif path[: len(_SCHEME)].lower() == _SCHEME:
        location = QueueLocation(path[len(_SCHEME) :].lstrip("/"))
    else:
        raise UsageError(
            f"{path!r} is no queue: give sqs://NAME, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME or its ARN"
        )
    if location.name.endswith(_FIFO):
        raise UsageError(f"{path!r} is a FIFO queue; S3 and EventBridge deliver notifications to standard queues")
    if not _NAME.fullmatch(location.name):
        raise UsageError(f"{path!r}: the name of a queue has up to 80 letters, digits, - and _")
    return location


def queue_of(paths: Sequence[Any], *, resumable: bool) -> QueueLocation | None:
    """The queue that the paths of a scan name, if they do.

    Raises:
        UsageError: It is malformed, not the only path, or the scan is not `resumable`.
    """
    queues = [path for path in paths if is_queue(path)]
    if not queues:
        return None
    location = parse_queue(queues[0])
    if len(paths) > 1:
        raise UsageError(f"{location} must be the only path: a scan reads one queue, and nothing beside it")
    if not resumable:
        raise UsageError(f"{location} is a queue: it needs --follow, --checkpoint FILE and --output FILE")
    return location
