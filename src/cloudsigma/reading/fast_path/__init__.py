"""Reads a few fields of every record and decodes only the records that could match."""
