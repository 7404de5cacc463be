"""Records and files for the tests of reading."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """Five small records."""
    return [
        {
            "eventVersion": "1.11",
            "eventID": f"id-{n}",
            "eventName": "CreateGroup",
            "eventSource": "iam.amazonaws.com",
        }
        for n in range(5)
    ]
