"""Who did what to what, where and when, read from a record."""
