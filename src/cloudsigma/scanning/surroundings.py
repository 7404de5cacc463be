"""Gathers the present state of the parts of a scan, for its monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cloudsigma.reading.account.ledger import CorrelationLosses
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.scanning.config import Follow
from cloudsigma.scanning.correlating import ScanCorrelations
from cloudsigma.scanning.monitor import Surroundings
from cloudsigma.scanning.scan_state import ScanState

if TYPE_CHECKING:  # imports the S3 clients
    from cloudsigma.reading.sources.named_files import NamedFiles
    from cloudsigma.scanning.queue_rounds import QueueRounds


def surroundings(
    rules: RuleSet,
    digest: str,
    state: ScanState,
    follow: Follow | None,
    *,
    rounds: QueueRounds | None,
    named: NamedFiles | None,
    correlations: ScanCorrelations | None,
    checkpoint: Checkpoint | None,
) -> Surroundings:
    """The state of the parts of a scan; `None` for a part that it does not have. `digest` is that of the rules."""
    reloader = follow.reloader if follow is not None else None
    return Surroundings(
        rules=len(rules),
        rules_digest=digest,
        reloads=dict(reloader.counts) if reloader is not None else {},
        last_reload=reloader.last_success if reloader is not None else None,
        messages=msgspec.structs.replace(rounds.messages.counts) if rounds is not None else None,
        is_ready=rounds is None or rounds.messages.has_received,
        repeated_files=named.repeated if named is not None else 0,
        paused_buckets=named.paused_buckets if named is not None else 0,
        correlation_entries=correlations.open_entries if correlations is not None else 0,
        correlation_losses=correlations.losses if correlations is not None else CorrelationLosses(),
        watermark=state.watermark.latest,
        checkpoint_bytes=checkpoint.size if checkpoint is not None else 0,
    )
