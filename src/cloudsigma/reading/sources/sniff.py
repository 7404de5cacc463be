"""Files with a name that says nothing: does their beginning look like a log of CloudTrail's?

`trail.json.gz.bak`, `trail (1).json.gz.tmp` and `export.txt` hold records as often as not, and a folder of evidence is
full of them. A look at the first few kilobytes tells.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from cloudsigma.reading.content import archive_formats, parquet, tables
from cloudsigma.reading.content.inflate import beginning

_LOOKED_AT = 1 << 16
"""Bytes of content in which a log names one of its members."""
_JSON = re.compile(
    r"[\"'\\](?:eventVersion|eventName|eventSource|userIdentity|awsRegion|CloudTrailEvent|awslogs|logEvents|Records"
    r"|class_uid|s3ObjectKey|queryresultrows)[\"'\\]",
    re.IGNORECASE,
)
"""A member of records, or of the envelopes around them."""
_WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def sniff(stream: BinaryIO) -> str | None:
    """What a file holds: `log`, why an archive is not read, or `None` for anything else. Raises `OSError`."""
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
