"""How much the tests try: property tests and fuzzers have a small default, and `CLOUDSIGMA_FUZZ=N` multiplies it.

CLOUDSIGMA_FUZZ=20 .venv/bin/python -m pytest -n auto -m fuzz
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import settings

FACTOR = float(os.environ.get("CLOUDSIGMA_FUZZ", "1"))

_Test = TypeVar("_Test", bound=Callable[..., Any])


def effort(examples: int) -> int:
    """The number of examples in this run, at least one."""
    return max(1, round(examples * FACTOR))


def fuzz(examples: int, **options: Any) -> Callable[[_Test], _Test]:
    """Mark a property test as `fuzz` and set its number of examples; `options` are those of Hypothesis."""

    def decorate(test: _Test) -> _Test:
        return pytest.mark.fuzz(settings(max_examples=effort(examples), deadline=None, **options)(test))

    return decorate
