"""Rule sets: in memory, in a file, and the bundled ones."""
