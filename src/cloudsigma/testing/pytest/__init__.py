"""Rules and their cases as pytest items."""
