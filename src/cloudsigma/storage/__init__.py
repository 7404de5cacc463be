"""Files that outlive a process: SQLite databases, atomic writes, the cache directory."""
