"""Check A8: the register of files forgets after 30 days, so the checkpoint stays below 200 MB at 10,000 files a day."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from cloudsigma.reading.sources.register import Register
from cloudsigma.reading.sources.value import ContentSource
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.scanning.queue_rounds import KEPT

DAILY = int(os.environ.get("CLOUDSIGMA_DAILY_FILES", "200"))
"""Files a day; 10,000 with the environment variable for the check at full size."""
KEY = (
    "s3://trail/AWSLogs/o-example/111122223333/CloudTrail/eu-central-1/2025/03/01/111122223333_CloudTrail_{}_{}.json.gz"
)
DAY = 86_400.0


def test_looking_for_named_files_does_not_slow_down_with_those_read() -> None:
    """A service looks after every ten files, and remembers a month of them."""
    database = sqlite3.connect(":memory:")
    register = Register(database)
    for number in range(5_000):
        name = KEY.format(0, number)
        register.is_first_named(name)
        register.await_named(name)
        register.note(ContentSource(name, b""), failed=number == 3)
    steps: list[None] = []
    database.set_progress_handler(lambda: steps.append(None), 100)  # called after each 100 instructions of SQLite
    assert list(register.awaited()) == [KEY.format(0, 3)]
    assert len(steps) < 10
    assert register.named_state(KEY.format(0, 3)) == "waits"
    register.note(ContentSource(KEY.format(0, 3), b""))
    assert list(register.awaited()) == []
    assert register.named_state(KEY.format(0, 3)) == "done"


def test_a8_the_register_stays_below_a_size(tmp_path: Path) -> None:
    now = 0.0
    checkpoint = Checkpoint(tmp_path / "state", {})
    register = Register(checkpoint.database, clock=lambda: now)
    sizes = []
    for day in range(40):
        now = day * DAY
        for number in range(DAILY):
            name = KEY.format(day, number)
            assert register.is_first_named(name)
            register.await_named(name)
            register.note(ContentSource(name, b""))
        register.forget(KEPT)
        checkpoint.database.commit()
        checkpoint.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append((tmp_path / "state").stat().st_size)
    assert 30 * DAILY <= len(register) <= 31 * DAILY
    assert register.named_state(KEY.format(39, 0)) == "done"
    assert sizes[-1] <= sizes[32] * 1.1
    assert sizes[-1] / DAILY * 10_000 < 200_000_000 + 10_000 / DAILY * 100_000  # the empty file has about 100 KB
    checkpoint.close()
