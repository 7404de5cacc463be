"""The notifications of a scan: its sink, and what became of the messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cloudsigma.cli.checkpoint_options import LongWork
from cloudsigma.cli.notify import load_settings, tell_delivery

if TYPE_CHECKING:
    from cloudsigma.notifying.sink import NotifySink


def notify_sink(file: Path, work: LongWork, *, durable: bool) -> NotifySink:
    """The sink for the channels of a file.

    Args:
        file: The configuration of notifications.
        work: Whether the scan follows.
        durable: Whether the scan has a checkpoint, and reads no match twice.
    """
    from cloudsigma.notifying.notifier import Notifier
    from cloudsigma.notifying.sink import NotifySink

    return NotifySink(Notifier(load_settings(file), durable=durable), follows=work.follow)


def told_undelivered(sink: NotifySink) -> bool:
    """Tell what became of the messages; whether some are not delivered."""
    if sink.delivery is None:
        return True
    tell_delivery(sink.delivery)
    return not sink.delivery.complete
