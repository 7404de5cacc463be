"""The configuration of notifications as a YAML file."""
