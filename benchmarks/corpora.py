"""Corpora in the work folder: built once, found again by a later run that keeps the folder."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BYTES_STORED = 250
"""Of a record in a gzipped log file, about."""
BYTES_PLAIN = 1_400
"""Of a record as a line of JSON, about."""


class NoSpaceError(Exception):
    """The disk is too small for a corpus."""


@dataclass(frozen=True)
class Corpus:
    """Log files in the layout of S3, and what was planted in them."""

    folder: Path
    records: int
    label: str
    """How results name it."""

    @property
    def trail(self) -> Path:
        """The folder of the log files."""
        return self.folder / "AWSLogs"

    @property
    def manifest(self) -> Path:
        """Which events were planted."""
        return self.folder / "manifest.json"


@dataclass(frozen=True)
class Corpora:
    """Where corpora are built, and from what."""

    folder: Path
    shared: Path | None
    """The folder with the generator over real records; `None` if it is absent."""

    def main(self, records: int, *, planted: bool = True) -> Corpus:
        """Made from real records if they are available, else from the project's own."""
        return self.real(records, planted=planted) if self.shared else self.own(records, planted=planted)

    def own(self, records: int, *, planted: bool = True) -> Corpus:
        """From this project's own records."""
        rates = () if planted else ("--attacks", "0", "--look-alikes", "0")
        return self._built("own", records, planted, [str(HERE / "generate.py"), "{folder}", *rates])

    def real(self, records: int, *, planted: bool = True) -> Corpus:
        """From the 3,210 real records of the shared corpus, expanded with new principals, times and addresses."""
        if self.shared is None:
            raise FileNotFoundError("the shared corpus is absent; name its folder in CLOUDSIGMA_SHARED")
        rates = () if planted else ("--attack-rate", "0", "--decoy-rate", "0")
        tool = str(self.shared / "tools" / "make_corpus.py")
        return self._built("real", records, planted, [tool, "--out", "{folder}", *rates])

    def _built(self, kind: str, records: int, planted: bool, command: list[str]) -> Corpus:  # noqa: FBT001
        name = f"{kind}-{records}{'' if planted else '-empty'}"
        label = f"{records:,} {kind} records{'' if planted else ' without a candidate'}"
        folder = self.folder / "corpora" / name
        if not (folder / "manifest.json").exists():
            self._check_space(records * BYTES_STORED)
            shutil.rmtree(folder, ignore_errors=True)
            filled = [str(folder) if part == "{folder}" else part for part in command]
            print(f"building {label}", file=sys.stderr)
            subprocess.run(  # noqa: S603  # the generators above
                [sys.executable, *filled, "--records", str(records)], check=True, stdout=subprocess.DEVNULL
            )
        return Corpus(folder, records, label)

    def json_lines(self, corpus: Corpus, records: int | None = None) -> Path:
        """The records of a corpus, or the first of them, as JSON lines: for those who cannot read log files."""
        count = corpus.records if records is None else min(records, corpus.records)
        path = corpus.folder / f"first-{count}.jsonl"
        if not path.exists():
            self._check_space(count * BYTES_PLAIN)
            unfinished = path.with_suffix(".part")
            with unfinished.open("w", encoding="utf-8") as file:
                file.writelines(itertools.islice(_lines(corpus), count))
            unfinished.rename(path)
        return path

    def repeated(self, corpus: Corpus, times: int) -> Path:
        """The log files of a corpus many times over, as hard links: they take no space."""
        folder = corpus.folder.with_name(f"{corpus.folder.name}-times-{times}")
        done = folder / "done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            for number in range(times):
                shutil.copytree(corpus.trail, folder / "AWSLogs" / f"{number:03}", copy_function=os.link)
            done.touch()
        return folder / "AWSLogs"

    def _check_space(self, needed: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if free < 2 * needed:
            raise NoSpaceError(
                f"{self.folder} has {free / 1e9:.1f} GB free, and {2 * needed / 1e9:.1f} GB would be safe; "
                "name another folder with --work, or fewer records with --big"
            )


def _lines(corpus: Corpus) -> Iterator[str]:
    for path in sorted(corpus.trail.rglob("*.json.gz")):
        for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
            yield json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n"
