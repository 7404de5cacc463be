"""The levels of Sigma."""

LEVELS = ("informational", "low", "medium", "high", "critical")
"""In ascending order."""
