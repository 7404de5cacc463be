"""SigmaHQ's regression data as it is: `info.yml` beside the events, which names the rule and counts its matches.

    regression_data/rules/…/NAME/info.yml
    regression_data/rules/…/NAME/<rule ID>.json   the events; beside it often the .evtx file that they come from

Paths in `info.yml` count from the folder that `regression_data` lies in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudsigma.errors import CaseError
from cloudsigma.testing.cases.case import Case, CaseFile
from cloudsigma.testing.cases.nodes import Node, read_node

TYPES: Mapping[str, tuple[str, ...]] = {"evtx": ("evtx_json",), "json": ()}
"""For each type of test the pipelines that lead from the names in rules to those in its events."""


def read_regression(path: str | os.PathLike[str]) -> dict[str, CaseFile]:
    """Read an `info.yml`: its cases by the type of the test (`TYPES`). Errors are in the files, none is raised.

    Each event counts for itself: where the test says how many match, the case has that as its `count`.
    """
    name = os.fspath(path)
    files: dict[str, tuple[list[Case], list[CaseError]]] = {}
    try:
        top = dict(read_node(Path(path)).entries())
        if not isinstance(top.get("regression_tests_info"), Node) or top["regression_tests_info"].value is None:
            return {}
        for node in top["regression_tests_info"].elements():
            kind = "json"
            cases, errors = [], []
            try:
                kind, case = _case(node, top, Path(name))
                cases.append(case)
            except CaseError as error:
                errors.append(error)
            held = files.setdefault(kind, ([], []))
            held[0].extend(cases)
            held[1].extend(errors)
    except CaseError as error:
        files.setdefault("json", ([], []))[1].append(error)
    return {kind: CaseFile(name, tuple(cases), tuple(errors)) for kind, (cases, errors) in files.items()}


def _case(node: Node, top: Mapping[str, Node], info: Path) -> tuple[str, Case]:
    test = dict(node.entries())
    for key in ("name", "type", "path"):
        if key not in test:
            raise node.error(f"the test has no {key}", "See SigmaHQ's other regression data.")
    kind = test["type"].text()
    if kind not in TYPES:
        raise test["type"].error(f"there is no way to read tests of type {kind!r}", f"There are: {', '.join(TYPES)}.")
    rule = _rule(node, top)
    count = test["match_count"].number() if "match_count" in test else None
    events = _events(test["path"], info)
    place, rule_place = node.location, rule.location
    described = top["description"].value if "description" in top else None
    return kind, Case(
        f"{test['name'].text()} ({Path(test['path'].text()).name})",
        tuple(events),
        count is None or count > 0,
        described if isinstance(described, str) and described != "N/A" else "",
        rule=rule.text(),
        count=count,
        path=str(info),
        line=place.line,
        column=place.column,
        rule_location=rule_place,
    )


def _rule(node: Node, top: Mapping[str, Node]) -> Node:
    if "rule_metadata" not in top:
        raise node.error("the file names no rule", "Add rule_metadata: [{id: …, title: …}].")
    rules = top["rule_metadata"].elements()
    if len(rules) != 1:
        raise top["rule_metadata"].error(f"the file names {len(rules)} rules", "Name one.")
    [rule] = rules
    members = dict(rule.entries())
    if "id" not in members:
        raise rule.error("the rule has no id", "Add its ID.")
    return members["id"]


def _events(node: Node, info: Path) -> list[dict[str, Any]]:
    """The events of a test; those of an .evtx file are in the .json file of the same name."""
    named = Path(node.text())
    path = _root(named, info).joinpath(named).with_suffix(".json")
    try:
        events = list(_documents(path.read_text(encoding="utf-8")))
    except OSError as error:
        reason = f"its events cannot be read ({path}: {error.strerror})"
        raise node.error(reason, "Add the JSON of the events.") from error
    except ValueError as error:
        reason = f"its events are no JSON ({path}: {error})"
        raise node.error(reason, "Write one JSON object after the other.") from error
    flat = [event for each in events for event in (each if isinstance(each, list) else [each])]
    if not flat or not all(isinstance(event, dict) for event in flat):
        raise node.error(f"{path} holds no events, or something that is none", "Write JSON objects.")
    return flat


def _root(named: Path, info: Path) -> Path:
    """The folder from which the path counts: the one above that holds its first part."""
    for folder in info.resolve().parents:
        if named.parts and (folder / named.parts[0]).is_dir() and folder / named.parts[0] in info.resolve().parents:
            return folder
    return info.parent


def _documents(text: str) -> Any:
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        if text[position].isspace() or text[position] == "\ufeff":
            position += 1
            continue
        value, position = decoder.raw_decode(text, position)
        yield value
