"""Takes alerts, writes them to the outbox, and sends what it holds; the receivers never hold up a scan."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path

import msgspec

from cloudsigma.errors import CloudSigmaError, FileAccessError, UsageError
from cloudsigma.notifying.alert import Alert
from cloudsigma.notifying.attempt import Again, Attempt, Refused, Sent, wait_before
from cloudsigma.notifying.channel import Channel, ChannelKind, Settings
from cloudsigma.notifying.message import Message
from cloudsigma.notifying.outbox import Outbox, Waiting

_EVERY = 2.0
"""Seconds between two looks at the outbox while a scan follows."""
_MODULES: Mapping[ChannelKind, str] = {
    "webhook": "webhook", "slack": "slack", "teams": "teams", "pagerduty": "pagerduty", "smtp": "smtp",
    "sns": "aws", "eventbridge": "aws", "ses": "aws", "securityhub": "aws",
}  # fmt: skip


class Delivery(msgspec.Struct, frozen=True):
    """What became of the messages of a run."""

    taken: int = 0
    """Alerts that went to at least one channel for the first time."""
    sent: Mapping[str, int] = {}
    """Channel → messages that it took."""
    waiting: Mapping[str, int] = {}
    """Channel → messages that stay in the outbox for the next run, since it did not take them."""
    dead: Mapping[str, int] = {}
    """Channel → messages that it refused; they are among the dead letters."""
    held: Mapping[str, int] = {}
    """Channel → matches that wait for the pause of their group."""
    reasons: Mapping[str, str] = {}
    """Channel → why the last attempt failed."""

    @property
    def complete(self) -> bool:
        """Whether every message was taken."""
        return not any(self.waiting.values()) and not any(self.dead.values())

    @property
    def lines(self) -> list[str]:
        """The delivery for people, a line for each channel."""
        names = dict.fromkeys((*self.sent, *self.waiting, *self.dead, *self.held))
        found = []
        for name in names:
            parts = [f"{self.sent.get(name, 0):,} sent"]
            parts += [f"{count:,} WAITING" for count in (self.waiting.get(name, 0),) if count]
            parts += [f"{count:,} REFUSED" for count in (self.dead.get(name, 0),) if count]
            parts += [f"{count:,} matches held for the pause" for count in (self.held.get(name, 0),) if count]
            reason = f" ({self.reasons[name]})" if name in self.reasons else ""
            found.append(f"{name}: {', '.join(parts)}{reason}")
        return found


class Notifier:
    """Sends alerts to channels.

    Args:
        settings: The channels.
        durable: Commit each alert at once: a scan with a checkpoint does not read it again.
        wait: Waits between attempts; for tests.
    """

    def __init__(
        self, settings: Settings, *, durable: bool = False, wait: Callable[[float], object] | None = None
    ) -> None:
        self.settings = settings
        self._outbox = Outbox(settings.outbox, settings)
        self._durable = durable
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._thread: threading.Thread | None = None
        self._problem: CloudSigmaError | None = None
        self._closed = False
        self._taken = 0
        self._sent: Counter[str] = Counter()
        self._dead: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}

    @property
    def needs_findings(self) -> bool:
        """Whether a channel needs findings of Security Hub."""
        return any(channel.kind == "securityhub" for channel in self.settings.channels)

    def add(self, alert: Alert) -> None:
        """Take an alert; one that a channel had before is left out."""
        with self._lock:
            took = [self._outbox.add(channel, alert) for channel in self.settings.channels]
            self._taken += any(took)
            if self._durable and any(took):
                self._outbox.commit()

    def restore(self, channel: str, message: Message) -> None:
        """Put a dead letter back; raises `UsageError` if there is no such channel."""
        found = next((each for each in self.settings.channels if each.name == channel), None)
        if found is None:
            raise UsageError(f"there is no channel {channel!r} for a dead letter")
        with self._lock:
            self._outbox.restore(found, message)

    def close(self) -> None:
        """Commit, and close the outbox, if the run has not finished; the next run sends its messages."""
        if self._closed:
            return
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._closed = True
        self._outbox.close()

    # --- sending --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Send in the background, while a scan follows."""
        self._thread = threading.Thread(target=self._send_regularly, name="cloudsigma-notify", daemon=True)
        self._thread.start()

    def _send_regularly(self) -> None:
        while not self._stopping.wait(_EVERY):
            try:
                self._round(final=False, patient=False)
            except CloudSigmaError as error:  # told at the end
                self._problem = error
                return

    def finish(self, heartbeat: str | None = None) -> Delivery:
        """Send everything, with some attempts at each message, and close the outbox.

        Args:
            heartbeat: The text for channels that got nothing within the interval; `None`: no heartbeat.

        Raises:
            CloudSigmaError: The outbox cannot be used, or a secret is missing.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._stopping.clear()
        try:
            if self._problem is not None:
                raise self._problem
            if heartbeat is not None and self.settings.heartbeat:
                for channel in self.settings.channels:
                    self._outbox.add_heartbeat(channel, heartbeat)
            self._round(final=True, patient=True)
            channels = self.settings.channels
            waiting = {each.name: len(self._outbox.waiting(each)) for each in channels}
            held = {each.name: self._outbox.held(each) for each in channels}
        finally:
            self._closed = True
            self._outbox.close()
        sent = {each.name: self._sent[each.name] for each in channels}
        return Delivery(self._taken, sent, _some(waiting), _some(self._dead), _some(held), dict(self._reasons))

    def _round(self, *, final: bool, patient: bool) -> None:
        for channel in self.settings.channels:
            with self._lock:
                self._outbox.compose(channel, final=final)
                waiting = self._outbox.waiting(channel)
            self._send_all(channel, waiting, patient=patient)

    def _send_all(self, channel: Channel, waiting: Iterable[Waiting], *, patient: bool) -> None:
        for each in waiting:
            if not patient and each.due > time.time():
                return  # later messages wait behind it, in order
            if not self._send(channel, each, patient=patient):
                return

    def _send(self, channel: Channel, waiting: Waiting, *, patient: bool) -> bool:
        """Send a message; false if the channel does not take any now."""
        for number in range(1, self.settings.attempts + 1 if patient else 2):
            outcome = attempt(channel, waiting.message)
            with self._lock:
                if isinstance(outcome, Sent):
                    self._sent[channel.name] += 1
                    self._outbox.done(waiting.place)
                    return True
                self._reasons[channel.name] = outcome.reason
                if isinstance(outcome, Refused):
                    self._bury(channel, waiting.message, outcome.reason)
                    self._outbox.done(waiting.place)
                    self._dead[channel.name] += 1
                    return True
                pause = wait_before(number if patient else waiting.attempts + 1, outcome.after)
                self._outbox.failed(waiting.place, time.time() + pause)
            if not patient or number == self.settings.attempts or self._wait(pause):
                return False
        return False

    def _bury(self, channel: Channel, message: Message, reason: str) -> None:
        """Write a dead letter: it is written before it leaves the outbox."""
        letter = {"channel": channel.name, "reason": reason, "message": msgspec.to_builtins(message)}
        try:
            with Path(self.settings.dead).open("ab") as file:
                file.write(json.dumps(letter).encode() + b"\n")
        except OSError as error:
            raise FileAccessError(self.settings.dead, error) from error


def attempt(channel: Channel, message: Message) -> Attempt:
    """One attempt to send a message; a secret that is missing, or a wrong address, is a reason to try again later."""
    module = import_module(f"cloudsigma.notifying.channels.{_MODULES[channel.kind]}")
    try:
        found: Attempt = module.send(channel, message)
    except UsageError as error:
        return Again(str(error))
    return found


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
