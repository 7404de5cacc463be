"""Notifications as a sink of a scan: each match becomes an alert, and the end of the scan sends what is left."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

from msgspec import structs

from cloudsigma.engine.match import Match
from cloudsigma.notifying.alert import Alert, alert_of
from cloudsigma.notifying.notifier import Delivery, Notifier
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.sinks.asff import UnsendableError, finding
from cloudsigma.sinks.interface import Sink

_log = logging.getLogger("cloudsigma")


class NotifySink(Sink):
    """Sends the matches of a scan to channels.

    Args:
        notifier: The channels and their outbox.
        follows: Send while the scan waits for new files, not only at its end.
    """

    def __init__(self, notifier: Notifier, *, follows: bool = False) -> None:
        self._notifier = notifier
        self._follows = follows
        self.delivery: Delivery | None = None
        """What became of the messages; known at the end."""

    @property
    def left_out(self) -> Sequence[str]:
        """The messages that a channel has not taken."""
        if self.delivery is None or self.delivery.complete:
            return ()
        found, reasons = [], self.delivery.reasons
        for what, counts in (("wait in the outbox", self.delivery.waiting), ("were refused", self.delivery.dead)):
            found += [f"{count:,} messages to {name} {what}: {reasons.get(name, '')}" for name, count in counts.items()]
        return found

    def begin(self, rules: RuleSet) -> None:  # noqa: ARG002  # the interface
        """Start to send, if the scan follows."""
        if self._follows:
            self._notifier.start()

    def write(self, match: Match) -> None:
        """Take a match."""
        self._notifier.add(self._alert(match))

    def _alert(self, match: Match) -> Alert:
        alert = alert_of(match.to_dict(record=False))
        if self._notifier.needs_findings:
            try:
                made = finding(match, dt.datetime.now(dt.UTC))
            except UnsendableError as error:
                _log.warning("%s", error)
            else:
                alert = structs.replace(alert, finding=made)
        return alert

    def close(self) -> None:
        """Close the outbox, if the scan did not end well; the next run sends its messages."""
        self._notifier.close()

    def finish(self, outcome: ScanOutcome) -> None:
        """Send the messages that are left, and a heartbeat where one is due."""
        ledger = outcome.ledger
        text = f"{ledger.records:,} records were scanned, {outcome.unapproved:,} matches are not approved"
        if not ledger.complete:
            text += "; NOT EVERYTHING COULD BE READ"
        self.delivery = self._notifier.finish(text)
