"""Builds a corpus of any size: `python benchmarks/generate.py FOLDER [--records N]`.

The records are this project's own, made as those of the sample trail in `examples/` are: calls to a few hundred APIs by
a few hundred principals in several accounts and regions, in gzipped log files laid out as in S3. Among them are planted
calls that the bundled rules must find and look-alikes that they must not; `manifest.json` lists both. The same options
give the same records. Memory does not grow with the number of records.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import json
import random
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planted import ATTACKS, LOOK_ALIKES
from record_templates import Slots, Template, templates

START = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
DAYS = 7
RECORDS_PER_FILE = 500
REGIONS = ("us-east-1", "eu-central-1", "eu-west-1", "us-west-2", "ap-southeast-2")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Options:
    """The size and contents of a corpus."""

    records: int = 200_000
    attacks: float = 0.0005
    """Share of calls that a bundled rule must find."""
    look_alikes: float = 0.0005
    accounts: int = 4
    seed: int = 1


@dataclass
class Manifest:
    """What was written."""

    options: Options
    files: int = 0
    bytes: int = 0
    attacks: list[dict[str, str]] = field(default_factory=list)
    look_alikes: list[dict[str, str]] = field(default_factory=list)

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        form = {
            "records": self.options.records,
            "files": self.files,
            "bytes": self.bytes,
            "attacks": self.attacks,
            "decoys": self.look_alikes,
        }
        return json.dumps(form, indent=1) + "\n"


class _LogFiles:
    """Open log files, one for each account and region, each written when it is full."""

    def __init__(self, folder: Path, manifest: Manifest, dice: random.Random) -> None:
        self._folder = folder
        self._manifest = manifest
        self._dice = dice
        self._open: dict[tuple[str, str], list[str]] = {}

    def add(self, text: str, account: str, region: str, when: dt.datetime) -> None:
        lines = self._open.setdefault((account, region), [])
        lines.append(text)
        if len(lines) >= RECORDS_PER_FILE:
            self._write(account, region, when)

    def close(self, when: dt.datetime) -> None:
        for account, region in sorted(self._open):
            self._write(account, region, when)

    def _write(self, account: str, region: str, when: dt.datetime) -> None:
        content = ('{"Records":[' + ",".join(self._open.pop((account, region))) + "]}").encode()
        ending = "".join(self._dice.choice(LETTERS) for _ in range(16))
        name = f"{account}_CloudTrail_{region}_{when:%Y%m%dT%H%MZ}_{ending}.json.gz"
        path = self._folder / "AWSLogs" / account / "CloudTrail" / region / f"{when:%Y/%m/%d}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, 6, mtime=0))
        self._manifest.files += 1
        self._manifest.bytes += len(content)


def build(folder: Path, options: Options) -> Manifest:
    """Write the corpus and its manifest; raises `FileExistsError` where the folder holds something already."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; name a new folder")
    manifest = Manifest(options)
    files = _LogFiles(folder, manifest, random.Random(options.seed + 1))  # noqa: S311  # repeatable, no secret
    when = START
    for text, account, region, when in _records(options, manifest):
        files.add(text, account, region, when)
    files.close(when)
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def _records(options: Options, manifest: Manifest) -> Iterator[tuple[str, str, str, dt.datetime]]:
    """The text of each record with account, region and time, which never goes back."""
    dice = random.Random(options.seed)  # noqa: S311  # repeatable, no secret
    accounts = [f"{111122223333 + 1111 * number:012}" for number in range(options.accounts)]
    background = templates(dice)
    wanted = [round(options.records * share) for share in (options.attacks, options.look_alikes)]
    places = dice.sample(range(options.records), sum(wanted))
    attacks = {place: number for number, place in enumerate(places[: wanted[0]])}
    look_alikes = {place: number for number, place in enumerate(places[wanted[0] :])}
    step = DAYS * 86400 / max(options.records, 1)
    for number in range(options.records):
        when = START + dt.timedelta(seconds=int((number + dice.random()) * step))
        slots = _slots(dice, accounts, when)
        if number in attacks:
            rule, call = ATTACKS[attacks[number] % len(ATTACKS)]
            template = Template.of(call(dice))
            manifest.attacks.append({"rule": rule, **_entry(template, slots)})
        elif number in look_alikes:
            template = Template.of(LOOK_ALIKES[look_alikes[number] % len(LOOK_ALIKES)](dice))
            manifest.look_alikes.append(_entry(template, slots))
        else:
            template = dice.choice(background)
        yield template.fill(slots), slots["account"], template.region or slots["region"], when


def _slots(dice: random.Random, accounts: list[str], when: dt.datetime) -> Slots:
    bits = dice.getrandbits(32)
    return {
        "event": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "request": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "time": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "account": accounts[bits % len(accounts)],
        "region": REGIONS[(bits >> 8) % len(REGIONS)],
        "address": f"{('203.0.113', '198.51.100', '192.0.2')[(bits >> 16) % 3]}.{bits >> 24}",
    }


def _entry(template: Template, slots: Slots) -> dict[str, str]:
    record: dict[str, Any] = json.loads(template.fill(slots))
    return {key: record[key] for key in ("eventID", "eventSource", "eventName", "eventTime")}


def main() -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    parser.add_argument("--records", type=int, default=Options.records)
    parser.add_argument("--attacks", type=float, default=Options.attacks, help="share of calls that must be found")
    parser.add_argument("--look-alikes", type=float, default=Options.look_alikes, help="share that must not be found")
    parser.add_argument("--accounts", type=int, default=Options.accounts)
    parser.add_argument("--seed", type=int, default=Options.seed)
    chosen = vars(parser.parse_args())
    folder = chosen.pop("folder")
    manifest = build(folder, Options(**chosen))
    print(f"{manifest.options.records:,} records in {manifest.files:,} files, {manifest.bytes / 1e6:,.1f} MB of JSON")
    return 0


if __name__ == "__main__":
    sys.exit(main())
