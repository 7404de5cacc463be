"""A register as a YAML file."""
