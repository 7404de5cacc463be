"""The options for reading a queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from cloudsigma.cli.option_groups import Decorator, option, option_value
from cloudsigma.cli.path_types import OUTPUT_FILE
from cloudsigma.reading.sources.sqs.location import is_queue
from cloudsigma.reading.sources.sqs.options import LONGEST_POLL, QueueOptions

_OPTIONS = (
    option("--once", is_flag=True, help="Stop when the queue is empty; with --idle-close, once its frames are closed."),
    option(
        "--idle-close",
        is_flag=True,
        help="When the queue has been empty for longer than --lateness, count that as time passed in correlations.",
    ),
    option(
        "--bucket", "buckets", metavar="NAME", multiple=True,
        help="Read only files in this bucket. Repeatable. Default: any bucket that a message names.",
    ),
    option(
        "--dead",
        metavar="FILE",
        type=OUTPUT_FILE,
        help="Without a redrive policy: move messages that cannot be read to FILE after 5 receives.",
    ),
)  # fmt: skip


def queue_options() -> Decorator:
    """Add the options to a command, which is given `queue`."""
    return option_value("Queues (sqs://NAME, its URL or ARN)", "queue", QueueChoice, *_OPTIONS)


@dataclass(frozen=True, slots=True)
class QueueChoice:
    """How to read a queue."""

    once: bool
    idle_close: bool
    buckets: tuple[str, ...]
    dead: Path | None

    def check(self, paths: Sequence[str]) -> None:
        """Refuse the options without a queue; raises `click.UsageError`."""
        given = {"--once": self.once, "--idle-close": self.idle_close, "--bucket": self.buckets, "--dead": self.dead}
        for name, value in given.items():
            if value and not any(map(is_queue, paths)):
                raise click.UsageError(f"{name} is for queues: sqs://NAME, its URL or ARN.")

    def options(self, interval: float | None) -> QueueOptions:
        """The options, with `interval` as the longest wait for messages, in seconds."""
        poll = LONGEST_POLL if interval is None else max(1, min(round(interval), LONGEST_POLL))
        return QueueOptions(frozenset(self.buckets), self.dead, self.once, self.idle_close, poll)
