"""Deduplication: which matches are new, in bounded memory; what is no longer remembered is counted."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from cloudsigma.origin import Origin
from cloudsigma.reading.account.repeats import Repeats
from cloudsigma.scanning import dedup as module
from cloudsigma.scanning.dedup import KnownMatch, MatchDedup
from cloudsigma.scanning.match_keys import KeyTable, digest_of


def test_a_table_has_what_was_added() -> None:
    """It agrees with a dictionary, also for digests that fall into the same slot."""
    choice = random.Random(7)  # noqa: S311  # any numbers do
    table, judge = KeyTable(), {}
    for number in range(20_000):
        digest = choice.getrandbits(128) if number % 100 else (number << 64) | 5
        if digest not in judge:
            judge[digest] = (1 + number, number)
            assert table.get_or_add(digest, *judge[digest]) is None
    assert len(table) == len(judge)
    assert all(table.get(digest) == table.get_or_add(digest, 9, 9) == place for digest, place in judge.items())
    assert not any(table.get(digest) for digest in (choice.getrandbits(128) for _ in range(20_000)))


def test_matches_without_a_place_are_told_apart_by_their_keys() -> None:
    dedup = MatchDedup()
    assert dedup.is_new("k", "r", None, None)
    assert not dedup.is_new("k", "r", None, None)
    assert dedup.is_new("other", "r", None, None)
    assert dedup.repeats.matches == 1
    assert "an unknown place" in str(dedup.repeats)


def test_a_generation_is_forgotten_as_a_whole_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GENERATION", 50)
    monkeypatch.setattr(module, "LISTED", 10)
    monkeypatch.setattr(module, "PLACES", 5)
    dedup = MatchDedup()
    for number in range(150):
        assert dedup.is_new(f"k{number}", "r", f"e{number}", Origin("a", number, "lines"))
    assert dedup.repeats == Repeats(forgotten=100)
    assert dedup.is_new("k0", "r", "e0", Origin("b", 0, "lines"))  # no longer remembered, and so given again
    for number in range(110, 130):
        assert not dedup.is_new(f"k{number}", "r", f"e{number}", Origin("b", number, "lines"))
    for at in range(20):
        assert not dedup.is_new("k149", "r", "e149", Origin("c", at, "lines"))
        assert not dedup.is_new("k110", "r", "e110", Origin("c", at, "lines"))
    found = dedup.repeats
    assert found.matches == 60
    assert len(found.events) == 10
    assert found.not_listed == 10 + 20
    assert found.forgotten == 100
    first = found.events[0]
    assert (first.event_id, len(first.places), first.more) == ("e110", 5, 17)
    text = str(found)
    assert "and 17 more" in text
    assert "30 repeated matches of further events" in text
    assert "100 matches are no longer remembered; later deliveries were given again" in text


def test_a_resumed_one_goes_on_as_the_first_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GENERATION", 20)
    saved: list[KnownMatch] = []
    whole, first = MatchDedup(), MatchDedup(saved.append)
    calls = [
        (f"k{number % 37}", "r", f"e{number % 37}", Origin(f"f{number // 9}", number, "lines")) for number in range(150)
    ]
    given = [whole.is_new(*call) for call in calls]
    before = [first.is_new(*call) for call in calls[:90]]
    second = MatchDedup()
    second.resume(saved[max(0, len(saved) // 20 - 1) * 20 :], first.repeats, first.repeated)
    assert before + [second.is_new(*call) for call in calls[90:]] == given
    assert second.repeats == whole.repeats
    assert second.repeated == whole.repeated


PATHS = {"one file": "a.json.gz", "a file each": "AWSLogs/" + 180 * "x" + "/{}.json.gz"}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_size_is_what_the_memory_is(path: str) -> None:
    tracemalloc.start()
    try:
        dedup = MatchDedup()
        for number in range(20_000):
            dedup.is_new(f"{number:032x}", "r", "e", Origin(path.format(number), number, "lines"))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 1.1 * dedup.size


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_400000_matches_take_less_than_45_megabytes(path: str) -> None:
    """They took 156 MB."""
    dedup = MatchDedup()
    for number in range(400_000):
        dedup.is_new(f"{number:032x}", "r", "e", Origin(path.format(number), number, "lines"))
    assert dedup.size < 45_000_000
    assert not dedup.is_new(f"{0:032x}", "r", "e", Origin("again", 0, "lines"))  # all keys are remembered


def test_the_list_of_repeated_events_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LISTED_BYTES", 100_000)
    dedup = MatchDedup()
    long = 1000 * "x"
    for number in range(400):
        for place in range(2):
            dedup.is_new(f"k{number}", "r", f"e{number}", Origin(f"{long}{place}", number, "lines"))
    found = dedup.repeats
    assert 20 < len(found.events) < 100
    assert found.not_listed == 400 - len(found.events)


def test_digests_of_any_text() -> None:
    assert digest_of("a") != digest_of("b")
    assert digest_of("\ud800") < 1 << 128
