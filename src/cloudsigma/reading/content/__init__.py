"""Stored bytes to documents: decompress, decode, repair, tables."""
