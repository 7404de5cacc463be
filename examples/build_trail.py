"""Builds the sample trail: `python examples/build_trail.py [FOLDER]`.

Everything in it is made up for this project, and its content is the same on every run. README.md beside this file
tells the story.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trail_background import BACKGROUND
from trail_records import Call, Dice
from trail_story import STORY

START = datetime(2026, 11, 17, 12, tzinfo=UTC)
HOURS = 3
BACKGROUND_CALLS = 320
FILE_SPAN = timedelta(minutes=30)
DELIVERY = 240  # seconds that a record takes to arrive, at most: CloudTrail's files are not in the order of time

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def calls(dice: Dice) -> list[tuple[datetime, Call]]:
    """All calls with the time at which they were made."""
    background = [
        (START + timedelta(seconds=dice.below(HOURS * 3600 - DELIVERY)), BACKGROUND[dice.below(len(BACKGROUND))])
        for _ in range(BACKGROUND_CALLS)
    ]
    story = [(datetime.fromisoformat(f"2026-11-17T{clock}+00:00"), call) for clock, call in STORY]
    return sorted([*background, *story], key=lambda timed: timed[0])


def build(folder: Path) -> None:
    """Write the files in the layout of a trail's bucket."""
    dice = Dice("cloudsigma sample trail")
    arrived: dict[tuple[str, str, datetime], list[tuple[datetime, dict[str, Any]]]] = defaultdict(list)
    for when, call in calls(dice):
        record = call.record(when, dice)
        delivered = when + timedelta(seconds=dice.below(DELIVERY))
        end = START + ((delivered - START) // FILE_SPAN + 1) * FILE_SPAN
        arrived[call.account, record["awsRegion"], end].append((delivered, record))

    for (account, region, end), records in sorted(arrived.items()):
        ending = "".join(LETTERS[byte % len(LETTERS)] for byte in dice.digest()[:16])
        name = f"{account}_CloudTrail_{region}_{end:%Y%m%dT%H%MZ}_{ending}.json.gz"
        path = folder / "AWSLogs" / account / "CloudTrail" / region / f"{end:%Y/%m/%d}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"Records": [record for _, record in sorted(records, key=lambda arrival: arrival[0])]}
        path.write_bytes(gzip.compress(json.dumps(content, separators=(",", ":")).encode(), mtime=0))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "trail")
