"""Approvals files: the only part of the room that reads YAML (by `compiler/document.py`, which keeps every place)."""
