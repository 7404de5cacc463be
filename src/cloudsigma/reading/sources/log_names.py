"""Decides by their endings which files of a folder or prefix may be logs."""

from __future__ import annotations

import re
from pathlib import PurePath

from cloudsigma.reading.content.archive_formats import refusal_of_ending

LOG_ENDINGS = frozenset(
    {".json", ".jsonl", ".ndjson", ".jsonlines", ".gz", ".gzip", ".csv", ".tsv", ".parquet", ".log", ""}
)
"""Endings of files to read, compared in lower case."""


_ENDING = re.compile(r"\.[a-z0-9_~-]{1,12}")
"""An ending. Names of Firehose streams may contain a dot that a date and an ID follow; that is not an ending."""


def ending_of(name: str) -> str:
    """The ending of a name, in lower case; ignores the number of a rotated log (`cloudtrail.log.1`)."""
    path = PurePath(name)
    ending = path.suffix.lower()
    if not _ENDING.fullmatch(ending):
        return ""
    if ending[1:].isdecimal() and len(ending) <= 4:
        return PurePath(path.stem).suffix.lower() or ending
    return ending


def is_log(name: str) -> bool:
    """Whether to read a file in a folder, by its name."""
    return ending_of(name) in LOG_ENDINGS


def packed(name: str) -> str | None:
    """Why an archive is not read, and what to do; `None` if the name is not that of an archive."""
    return refusal_of_ending(PurePath(name).suffix.lower())
