"""Structs that were printed as text: what comes out of them, as docs/reference/forms.md says it."""

from __future__ import annotations

from typing import Any

import pytest

from cloudsigma.reading.envelope.struct_text import decoded

STRUCTS: dict[str, tuple[str, Any]] = {
    "members": ("{type=Root, arn=a:b/c, userName=null}", {"type": "Root", "arn": "a:b/c"}),
    "an array": ("{ids=[1, 2], name=x}", {"ids": ["1", "2"], "name": "x"}),
    "a struct within": ("{a={b=c, d=e}, f=g}", {"a": {"b": "c", "d": "e"}, "f": "g"}),
    "JSON within": ('{a={"b": 1}, c=d}', {"a": {"b": 1}, "c": "d"}),
    "a comma that separates nothing": ("{agent=x (y, z), b=c}", {"agent": "x (y, z)", "b": "c"}),
    "commas between brackets": ("{agent=x {y, z=1} w, b=c}", {"agent": "x {y, z=1} w", "b": "c"}),
    "a bracket that begins no struct": ("{tag={y}, b=c}", {"tag": "{y}", "b": "c"}),
    "a value with a name in it reads as two members": ("{arn=a/s, x={y}, b=c}", {"arn": "a/s", "x": "{y}", "b": "c"}),
}
TEXTS = {
    "no struct": "{damaged",
    "a bracket that is left open": "{arn=a{s, b=c}",
    "a bracket too many": "{arn=a}s, b=c}",
    "a member twice": "{type=SAMLUser, userName=a, type=Root}",
    "a member twice, once null": "{type=null, userName=a, type=Root}",
    "words": "{hello}",
}


@pytest.mark.parametrize(("text", "value"), STRUCTS.values(), ids=STRUCTS)
def test_text_of_a_struct_is_read(text: str, value: Any) -> None:
    assert decoded(text) == value


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_no_struct_stays_text(text: str) -> None:
    assert decoded(text) == text


def test_a_struct_within_that_has_a_member_twice_stays_text_alone() -> None:
    assert decoded("{a={b=c, b=d}, e=f}") == {"a": "{b=c, b=d}", "e": "f"}
