"""Matches meet a correlation: from matches of rules to matches of correlation rules."""

from cloudsigma.correlation.correlator import MAX_ENTRIES, Correlator, check_lateness

__all__ = ["MAX_ENTRIES", "Correlator", "check_lateness"]
