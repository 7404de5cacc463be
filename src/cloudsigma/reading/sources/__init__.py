"""Sources of bytes: files, standard input, S3 objects and values."""
