"""A rule's `fields`: the quick way straight down shows what `fields.select` shows."""

from __future__ import annotations

from typing import Any

from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma import ir
from cloudsigma.engine.evaluate import fields

KEYS = st.sampled_from(["a", "b", "c", "a.b", "b.c", "a.b.c"])
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "x", "y"]))
NODES = st.recursive(
    LEAVES,
    lambda inner: (
        st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3) | st.lists(inner, max_size=2).map(tuple)
    ),
    max_leaves=12,
)


@fuzz(300)
@given(st.dictionaries(KEYS, NODES, max_size=4), st.sampled_from(["a", "a.b", "a.b.c", "b.c", "c.a.b.a"]))
def test_straight_down_is_select(record: dict[str, Any], name: str) -> None:
    path = ir.FieldPath(name)
    assert fields.selector(path)(record) == fields.select(record, path)
