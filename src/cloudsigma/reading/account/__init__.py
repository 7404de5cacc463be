"""The account of the input: ledger of reads and losses, coverage, repeated deliveries."""
