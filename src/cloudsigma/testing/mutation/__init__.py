"""Mutation testing of rules."""
