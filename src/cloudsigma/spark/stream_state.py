"""The state of a stream on the driver: known matches, open frames and the number of the batch, in one transaction.

It is the checkpoint of a scan that follows, with one more table. Spark repeats the last batch after a kill. What was
decided about a batch is therefore stored with its number: which matches are repeated deliveries, and which matches of
correlations it completed. A batch that comes again is written with the same decisions.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cloudsigma.engine.match import Match
from cloudsigma.errors import UsageError
from cloudsigma.origin import Origin
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.scanning.config import Follow
from cloudsigma.scanning.correlating import ScanCorrelations
from cloudsigma.scanning.scan_state import ScanState
from cloudsigma.spark.correlating import correlation_loss, together
from cloudsigma.spark.row_schema import MATCH, Row, match_row

_log = logging.getLogger("cloudsigma")
_TABLE = """CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY, repeated BLOB NOT NULL, given BLOB NOT NULL)"""


class FoundMatch(msgspec.Struct, frozen=True):
    """A match of a batch, as the driver gets it."""

    kind: str
    path: str | None
    position: int | None
    rule_id: str
    key: str
    event_id: str | None
    match: str | None
    """Its JSON, if correlations refer to its rule."""


Place = tuple[str, str, str | None, int | None]
"""Rule, key, path and position of a match, which identify its row."""


class Decision(msgspec.Struct, frozen=True):
    """What is written for a batch, beside its own rows."""

    repeated: list[Place]
    """Matches that are left out, since the same event matched the same rule before."""
    given: list[Row]
    """Rows of correlations: matches, and losses."""


class StreamState:
    """The state of a stream, in a file that no other stream can open meanwhile.

    Args:
        path: The file; created if it is missing.
        rules: The rules.
        digest: Their digest.
        settings: Settings that must be equal to resume.
        lateness: How much later than its time an event may come and still count in correlations.
        dedup: Whether to leave repeated matches out.
        correlates: Whether the driver correlates.

    Raises:
        CloudSigmaError: The file is damaged, in use, or belongs to a stream with other settings.
    """

    def __init__(
        self,
        path: str,
        rules: RuleSet,
        digest: str,
        settings: dict[str, Any],
        lateness: dt.timedelta,
        *,
        dedup: bool,
        correlates: bool,
    ) -> None:
        self._rules = rules
        self._digest = digest
        self._correlates = correlates and any(rule.correlation is not None for rule in rules)
        self._checkpoint = Checkpoint(path, settings)
        try:
            changed = self._checkpoint.changed_rules(rules)
            if changed:
                _log.warning("the rules are not those of the stream until now: %s", changed)
            self._checkpoint.note_rules(rules)
            self._checkpoint.database.execute(_TABLE)
            self._state = ScanState(dedup=dedup, on_new=self._checkpoint.note_match)
            self._checkpoint.restore(self._state)
            follow = Follow(threading.Event(), 1.0, lateness)
            self._correlations = ScanCorrelations(rules, self._state, follow, self._checkpoint.database)
        except BaseException:
            self._checkpoint.close()
            raise

    @property
    def last(self) -> int | None:
        """The number of the last batch that was decided; `None` before the first."""
        (number,) = self._checkpoint.database.execute("SELECT max(number) FROM batches").fetchone()
        return None if number is None else int(number)

    def known(self, number: int) -> Decision | None:
        """The decision about a batch that came before.

        Raises:
            UsageError: Later batches were decided already: the state belongs to another checkpoint.
        """
        last = self.last
        if last is None or number > last:
            return None
        found = self._checkpoint.database.execute(
            "SELECT repeated, given FROM batches WHERE number = ?", (number,)
        ).fetchone()
        if found is None:
            raise UsageError(
                f"the stream begins with batch {number}, but its state knows batch {last}: it belongs to another "
                "checkpoint. Delete both, or name the checkpoint that belongs to it."
            )
        repeated, given = found
        return Decision(
            msgspec.msgpack.decode(repeated, type=list[Place]),
            [tuple(each) for each in msgspec.msgpack.decode(given)],
        )

    def decide(self, number: int, found: Iterable[FoundMatch], files: Iterable[str], losses: Sequence[Row]) -> Decision:
        """Take the matches of a new batch; the decision is stored, with the state, before it is returned.

        Args:
            number: The number of the batch.
            found: Its matches, those of one record together.
            files: The paths of its files; the times in their names advance the correlations, too.
            losses: Rows that are written with the decision.
        """
        try:
            return self._decided(number, found, files, losses)
        except BaseException:
            self.close()  # what is in memory no longer agrees with the file
            raise

    def _decided(
        self, number: int, found: Iterable[FoundMatch], files: Iterable[str], losses: Sequence[Row]
    ) -> Decision:
        matches = list(found)
        repeated = [
            (each.rule_id, each.key, each.path, each.position)
            for each in matches
            if each.kind == MATCH and not self._is_new(each.rule_id, each.key, each.event_id, each.path, each.position)
        ]
        given = list(losses)
        if self._correlates:
            before = self._correlations.losses
            completed: list[Match] = []
            lines = ((each.path or "", each.position or 0, each.match) for each in matches if each.match is not None)
            for record in together(lines):
                completed += self._correlations.matches_of(record)
            for path in files:
                self._correlations.note_delivery(path)
            completed += self._correlations.end_of_pass()
            given += [self._row(match) for match in completed if match.matches and self._is_new_match(match)]
            now = self._correlations.losses
            for count, reason in (
                (now.late - before.late, "matches came later than the lateness"),
                (now.undated - before.undated, "matches have no time that can be read"),
                (now.closed_early - before.closed_early, "matches were in frames that were closed early"),
            ):
                if count:
                    given.append(correlation_loss(count, reason, self._digest))
        database = self._checkpoint.database
        database.execute("DELETE FROM batches")
        database.execute(
            "INSERT INTO batches VALUES (?, ?, ?)",
            (number, msgspec.msgpack.encode(repeated), msgspec.msgpack.encode(given)),
        )
        self._state.correlations = self._correlations.losses
        self._checkpoint.save(self._state)
        return Decision(repeated, given)

    def _is_new(self, rule_id: str, key: str, event_id: str | None, path: str | None, position: int | None) -> bool:
        origin = Origin(path, position, "") if path is not None and position is not None else None
        return self._state.is_new(rule_id, key, event_id, origin)

    def _is_new_match(self, match: Match) -> bool:
        return self._state.is_new(match.rule_id, match.key, match.context.event_id, match.origin)

    def _row(self, match: Match) -> Row:
        return match_row(match, MATCH, self._digest)

    def close(self) -> None:
        """Close the file, so that another stream can resume from it."""
        self._checkpoint.close()
