"""Filters and bounds for reading: time, accounts, regions, limits."""
