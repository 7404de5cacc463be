"""Matches meet a correlation: from matches of rules to matches of correlation rules."""

from cloudsigma.correlation.correlator import Correlator

__all__ = ["Correlator"]
