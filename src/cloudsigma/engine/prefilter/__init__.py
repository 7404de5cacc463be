"""Which rules could match a record, decided from few of its fields."""
