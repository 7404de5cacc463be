"""A scan as a service: its metrics, and the server of its health."""
