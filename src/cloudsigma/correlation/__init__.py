"""Correlations: matches of rules in, matches of correlation rules out."""

from cloudsigma.correlation.correlator import MAX_ENTRIES, Correlator, check_lateness

__all__ = ["MAX_ENTRIES", "Correlator", "check_lateness"]
