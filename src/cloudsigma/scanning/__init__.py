"""Files to matches: sources, workers, state, checkpoint."""
