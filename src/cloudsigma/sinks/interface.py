"""The interface of sinks: `begin` with the rules, `write` for each match, `finish` with the outcome."""

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
    them, `finish`, `close`. Each raises `OSError` if the output cannot be written.
    """

    resumable: ClassVar[bool] = False
    """Whether a resumed scan can truncate the output after any match and append to it; checkpoints need this."""

    @property
    def left_out(self) -> Sequence[str]:
        """Matches that the format cannot hold, each with the reason; complete once the sink is closed."""
        return ()

    @property
    def serialization(self) -> Serialization | None:
        """The serialization that `write_serialized` needs; `None`: the sink takes `Match` values only.

        Worker processes can serialize matches. A sink gets serialized matches only if all sinks of the scan ask for the
        same serialization, so every sink must also take `Match` values.
        """
        return None

    def begin(self, rules: RuleSet) -> None:  # noqa: B027  # optional
        """Take the rules, before the first match. A scan that resumes calls it again; see `LineOutput.is_empty`."""

    @abstractmethod
    def write(self, match: Match) -> None:
        """Take one match."""

    def write_serialized(self, match: SerializedMatch) -> None:
        """Take one match, serialized according to `serialization`."""
        raise NotImplementedError(type(self).__name__)

    def flush(self) -> None:  # noqa: B027  # unbuffered sinks have nothing to flush
        """Write all buffered output; called while a scan waits for new files."""

    def finish(self, outcome: ScanOutcome) -> None:  # noqa: B027  # optional
        """Take the outcome, after the last match; also called if the scan was interrupted (see `outcome.complete`)."""

    def close(self) -> None:  # noqa: B027  # unbuffered sinks have nothing to write
        """Write all buffered matches, even after an error or interruption; the stream stays open."""
