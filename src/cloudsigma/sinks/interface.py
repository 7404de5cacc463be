"""The interface of sinks: the beginning with the rules, each match, and the end with the outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from cloudsigma.engine.match import Match
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.batch import Serialization, SerializedMatch
from cloudsigma.scanning.outcome import ScanOutcome


class Sink(ABC):
    """Takes the matches of a scan one by one.

    The calls come in this order: `begin`, then `write` (or `write_serialized`) for each match with `flush` between
    them, `finish`, `close`. All of them raise `OSError` where the output cannot be written.
    """

    resumable: ClassVar[bool] = False
    """Whether a later scan can truncate the output behind any match and append to it, as a checkpoint needs."""

    @property
    def left_out(self) -> Sequence[str]:
        """Matches that the format cannot hold, and why; told once the sink is closed."""
        return ()

    @property
    def serialization(self) -> Serialization | None:
        """How the sink wishes matches to be serialized for `write_serialized`; `None`: it takes `Match` values only.

        Serialized matches can be made by worker processes. A sink gets them only if all sinks of a scan have the same
        wish, so it has to take `Match` values, too.
        """
        return None

    def begin(self, rules: RuleSet) -> None:  # noqa: B027  # most sinks have no beginning
        """Take the rules, before the first match. A scan that resumes calls it again; see `LineOutput.is_empty`."""

    @abstractmethod
    def write(self, match: Match) -> None:
        """Take one match."""

    def write_serialized(self, match: SerializedMatch) -> None:
        """Take one match that was serialized as `serialization` says."""
        raise NotImplementedError(type(self).__name__)

    def flush(self) -> None:  # noqa: B027  # a sink that holds nothing back has nothing to flush
        """Let the reader of the output see everything so far; called while a scan waits for new files."""

    def finish(self, outcome: ScanOutcome) -> None:  # noqa: B027  # most sinks have no end
        """Take the outcome, after the last match; also of a scan that was interrupted (`outcome.complete`)."""

    def close(self) -> None:  # noqa: B027  # most sinks hold nothing back
        """Write what was held back, however the scan has ended; the stream stays open."""
