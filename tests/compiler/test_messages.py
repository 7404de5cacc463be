"""The messages of the commonest mistakes, as a golden file: every change of a message shows in a review."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import cloudsigma

MESSAGES = yaml.safe_load((Path(__file__).parents[1] / "golden" / "messages.yml").read_text(encoding="utf-8"))
BY_NAME = {each["mistake"]: each for each in MESSAGES}


def told(text: str) -> list[str]:
    rules = cloudsigma.compile_text(text, on_error="skip")
    return [str(each) for each in (*rules.errors, *rules.warnings)]


@pytest.mark.parametrize("mistake", BY_NAME)
def test_message(mistake: str) -> None:
    """Compiling the rule tells what the golden file says, line by line."""
    assert told(BY_NAME[mistake]["rule"]) == BY_NAME[mistake]["after"]


def test_messages_are_for_people() -> None:
    """No message names a class, shows bytes or an address, or leaves out what to do; each has its line."""
    assert len(BY_NAME) == len(MESSAGES) >= 40
    for each in MESSAGES:
        assert each["after"], each["mistake"]
        for message in each["after"]:
            assert not re.search(r"Sigma[A-Z]\w+|\bb'|0x[0-9a-f]{6}|<class|Error\(|\bNone\b", message), message
            assert re.match(r"<text>:\d+:\d+: \w+ (?:error|warning): ", message), message
            assert re.search(r"\. .+[.?]$", message), message


def test_most_messages_are_new() -> None:
    """Before, most of these mistakes were not told, or not with the remedy."""
    assert sum(each["before"] != each["after"] for each in MESSAGES) >= 40
