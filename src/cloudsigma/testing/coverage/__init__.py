"""Condition coverage (MC/DC) of rules by their cases."""
