"""Which records tell of one event, and that a key is the same in any process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from cloudsigma.engine.identity import event_identity, match_key, same_event

CALL: dict[str, Any] = {
    "eventID": "e-1",
    "eventTime": "2025-03-04T10:15:30Z",
    "eventName": "ScheduleKeyDeletion",
    "recipientAccountId": "111122223333",
}
SHARED = {**CALL, "sharedEventID": "s-1"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (CALL, {**CALL, "userAgent": "another delivery"}, True),
        (CALL, {**CALL, "eventID": "e-2"}, False),
        (CALL, {**CALL, "eventTime": "2025-03-04T10:15:31Z"}, False),
        (CALL, {**CALL, "recipientAccountId": "444455556666"}, False),
        (CALL, {**CALL, "eventTime": "a\x1fb", "eventName": "c"}, False),
        (SHARED, {**SHARED, "eventID": "e-2", "eventType": "AwsVpceEvent", "eventCategory": "NetworkActivity"}, True),
        (SHARED, {**SHARED, "eventID": "e-2", "recipientAccountId": "444455556666"}, True),
        (SHARED, {**SHARED, "sharedEventID": "s-2"}, False),
        (SHARED, {**SHARED, "eventName": "Decrypt"}, False),
        (SHARED, {**SHARED, "eventTime": "2025-03-04T10:15:31Z"}, False),
        (CALL, {**CALL, "sharedEventID": ""}, True),
        (CALL, {**CALL, "sharedEventID": None}, True),
        ({"eventName": "A"}, {"eventName": "A"}, True),
        ({"eventName": "A"}, {"eventName": "B"}, False),
    ],
)
def test_records_of_one_event_have_one_identity(one: dict[str, Any], other: dict[str, Any], *, same: bool) -> None:
    assert (event_identity(one) == event_identity(other)) is same
    assert (match_key("r", one) == match_key("r", other)) is same


def test_equal_records_without_an_id_may_be_two_events() -> None:
    one, other = {"eventName": "A"}, {"eventName": "A"}
    assert same_event(one) == same_event(one) != same_event(other)
    assert same_event(CALL) == same_event(dict(CALL))


def test_a_record_that_holds_a_set_or_an_object_has_one_key_in_any_process() -> None:
    program = (
        "from cloudsigma.engine.identity import match_key\n"
        "class Odd: pass\n"
        "print(match_key('r', {'names': {f'name {n}' for n in range(50)}, 'odd': Odd(), 'mixed': {1, 'a', None}}))\n"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in "123"
    }  # fmt: skip
    assert len(keys) == 1
