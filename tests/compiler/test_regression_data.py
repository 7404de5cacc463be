"""SigmaHQ's own regression data: Windows events and the rules that find them, through the pipeline `evtx_json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import cloudsigma

MISCOUNTED = {
    "0b9ad457-2554-44c1-82c2-d56a99c42377": 3,
    "8fbf3271-1ef6-4e94-8210-03c2317947f6": 3,
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393": 3,
}
"""Files of several events, three of which hold what the rule asks for, while `info.yml` says 1; read by hand."""


def documents(text: str) -> Iterator[Any]:
    """JSON documents one after the other, each over many lines."""
    decoder = json.JSONDecoder()
    text = text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:].lstrip()


def test_windows_rules_find_their_events(shared_corpus: Path) -> None:
    """Each of the 101 cases has as many matches as its `info.yml` says, or at least one where it says nothing.

    For three files the number there is wrong.
    """
    folder = shared_corpus / "sigmahq_regression"
    rules = cloudsigma.compile_rules(
        *sorted(folder.glob("rules*")), pipelines=["evtx_json"], logsource={"product": "windows"}
    )
    wrong: list[tuple[str, int, int | None]] = []
    cases = 0
    for info in sorted((folder / "regression_data").rglob("info.yml")):
        about = yaml.safe_load(info.read_text(encoding="utf-8"))
        for case in about.get("regression_tests_info", ()):
            cases += 1
            [named] = about["rule_metadata"]
            predicate = rules[named["id"]].predicate
            assert predicate is not None
            events = documents((folder / case["path"]).with_suffix(".json").read_text(encoding="utf-8"))
            found, wanted = sum(map(predicate, events)), MISCOUNTED.get(named["id"], case.get("match_count"))
            if found != wanted if wanted is not None else not found:
                wrong.append((case["path"], found, wanted))
    assert wrong == []
    assert cases == 101


def test_other_events_are_not_found(shared_corpus: Path) -> None:
    """The rules of one category leave the events of the others alone: few pairs match beside those that should."""
    folder = shared_corpus / "sigmahq_regression"
    rules = cloudsigma.compile_rules(
        folder / "rules" / "windows" / "registry", pipelines=["evtx_json"], logsource={"product": "windows"}
    )
    created = [
        event
        for path in sorted((folder / "regression_data").rglob("*.json"))
        for event in documents(path.read_text(encoding="utf-8"))
        if event["Event"]["System"]["EventID"] == 1
    ]
    assert len(created) == 68
    assert [rule.title for rule in rules for event in created if rule.predicate and rule.predicate(event)] == []
