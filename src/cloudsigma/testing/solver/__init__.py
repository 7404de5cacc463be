"""Finds field values that satisfy a rule, or proves that none exist."""
