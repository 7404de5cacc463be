"""Rules of the cases are data: many of them are wrong on purpose, so none is collected as a rule of this project."""

collect_ignore = ["cases"]
