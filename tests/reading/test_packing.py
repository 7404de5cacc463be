"""Compression and archives that are not read: each is named, and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Literal

import pytest

import cloudsigma
from cloudsigma.reading import read_records

RECORDS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "forms" / "records.json").read_text("utf-8"))
RECORD = json.dumps(RECORDS[0]).encode()


def zipped(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.json", content)
    return target.getvalue()


def tarred(content: bytes, mode: Literal["w:", "w:gz"]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:
        member = tarfile.TarInfo("a.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


PACKED = {
    "gzip twice": (gzip.compress(gzip.compress(RECORD)), "compressed with gzip twice", "decompress it once", "zcat"),
    "xz": (lzma.compress(RECORD), "compressed with xz", "decompress it", "xzcat"),
    "bzip2": (bz2.compress(RECORD), "compressed with bzip2", "decompress it", "bzcat"),
    "bzip2 of nothing": (bz2.compress(b""), "compressed with bzip2", "decompress it", "bzcat"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x58" + RECORD, "compressed with zstd", "decompress it", "zstdcat"),
    "zip": (zipped(RECORD), "a zip archive", "unpack it", "unzip -p"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4" + RECORD, "a 7z archive", "unpack it", "7z x -so"),
    "tar": (tarred(RECORD, "w:"), "a tar archive", "unpack it", "tar -xOf"),
    "tar.gz": (tarred(RECORD, "w:gz"), "a tar archive", "unpack it", "tar -xOf"),
}


@pytest.mark.parametrize(("content", "what", "remedy", "command"), PACKED.values(), ids=PACKED)
def test_what_is_packed_otherwise_is_named_with_its_remedy(
    content: bytes, what: str, remedy: str, command: str, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    for reader in (read_records(tmp_path / "a.json"), cloudsigma.scan(tmp_path / "a.json")):
        assert list(reader) == []
        (loss,) = reader.ledger.losses
        told = f"it is {what}, which is not read: {remedy} first, or pipe it: {command} FILE | cloudsigma scan -"
        assert loss.reason == told


def test_text_that_begins_like_an_archive_is_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("BZh9 and PK\n")
    reader = read_records(tmp_path)
    assert list(reader) == []
    assert [loss.reason for loss in reader.ledger.losses] == ["the text is not JSON"]
