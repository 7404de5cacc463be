"""The HTML report of a scan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from cloudsigma.engine.match import Match
from cloudsigma.report import Account, Digest, Section, render
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.made_at import made_at
from cloudsigma.sinks.output import LineOutput


class HtmlSink(Sink):
    """Sums matches up, and writes the page when the scan has ended.

    Args:
        stream: The output for the page.
        matches_file: The file that the same scan writes all matches to, if there is one.
        sections: Called when the scan has ended; the page shows its sections before the list of all matches.
    """

    def __init__(
        self, stream: LineOutput, *, matches_file: str | None = None, sections: Callable[[], Sequence[Section]] = tuple
    ) -> None:
        self._stream = stream
        self._sections = sections
        self._matches_file = matches_file
        self._digest = Digest()
        self._rules = RuleSet(())

    def begin(self, rules: RuleSet) -> None:
        """Note the rules, for the page."""
        self._rules = rules

    def write(self, match: Match) -> None:
        """Count one match."""
        self._digest.add(match)

    def finish(self, outcome: ScanOutcome) -> None:
        """Write the page."""
        account = Account(
            outcome.ledger,
            len(self._rules),
            rules_digest=digest_of_rules(self._rules),
            rule_errors=[str(error) for error in self._rules.errors],
            notes=notes_of(outcome),
            approvals=outcome.approvals.uses if outcome.approvals is not None else None,
            approvals_digest=outcome.approvals.digest if outcome.approvals is not None else "",
            matches_file=self._matches_file,
            sections=self._sections(),
        )
        self._stream.write(render(self._digest, account, made=made_at()))


def digest_of_rules(rules: RuleSet) -> str:
    """A digest of the rules; the names of their files do not affect it."""
    identities = sorted(rule.identity for rule in rules)
    return hashlib.sha256("\n".join(identities).encode()).hexdigest()[:16]


def notes_of(outcome: ScanOutcome) -> list[str]:
    """Lines for the report about correlations and an early stop; losses have their own list."""
    lost = outcome.ledger.correlations
    told = [
        (lost.late, "matches came too late for correlations"),
        (lost.undated, "matches without a time took no part in correlations"),
        (lost.closed_early, "frames of correlations were closed early"),
    ]
    notes = [f"{count:,} {text}" for count, text in told if count]
    return [*notes, "the scan was stopped before its end"] if not outcome.finished else notes
