"""Realistic CloudTrail records, made from templates."""
