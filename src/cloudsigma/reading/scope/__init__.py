"""Which files and records to read: time, accounts, regions, limits."""
