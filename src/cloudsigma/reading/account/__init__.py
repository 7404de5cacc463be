"""What was read, what was not and why: ledger, coverage, repeated deliveries."""
