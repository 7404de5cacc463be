"""Selects the rules that could match a record, from a few of its fields."""
