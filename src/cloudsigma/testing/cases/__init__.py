"""Cases: files of them, running them, and the report."""
