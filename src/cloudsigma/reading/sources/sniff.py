"""Detects CloudTrail logs by their first bytes, for files with unknown endings.

Files such as `trail.json.gz.bak`, `trail (1).json.gz.tmp` and `export.txt` are common in folders of evidence and often
contain records. The first few kilobytes are enough to recognize these.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from cloudsigma.reading.content import archive_formats, parquet, tables
from cloudsigma.reading.content.inflate import beginning

_LOOKED_AT = 1 << 16
"""A log must contain a known member name within this many bytes."""
_JSON = re.compile(
    r"[\"'\\](?:eventVersion|eventName|eventSource|userIdentity|awsRegion|CloudTrailEvent|awslogs|logEvents|Records"
    r"|class_uid|s3ObjectKey|queryresultrows)[\"'\\]",
    re.IGNORECASE,
)
"""A member of records, or of the envelopes around them."""
_WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def sniff(stream: BinaryIO) -> str | None:
    """`log` for a log, the reason why an archive is not read, or `None` for anything else. Raises `OSError`."""
    head = beginning(stream)[:_LOOKED_AT]
    if (refusal := archive_formats.refusal(head)) is not None:
        return refusal
    if head.startswith(parquet.MAGIC):
        return "log"
    text = head.decode(_WIDE.get(head[:2], "utf-8"), "replace")
    if _JSON.search(text) and ("{" in text or "[" in text):
        return "log"
    layout = tables.layout(head)
    return "log" if layout is not None and layout.known else None
