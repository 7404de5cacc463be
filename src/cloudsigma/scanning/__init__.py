"""Scans: from files to matches, with worker processes, checkpoints and correlations."""
