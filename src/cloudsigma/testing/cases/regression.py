"""Read SigmaHQ's regression data: `info.yml` names the rule and its number of matches, the events lie beside it.

    regression_data/rules/…/NAME/info.yml
    regression_data/rules/…/NAME/<rule ID>.json   the events, often beside the .evtx file they were exported from

Paths in `info.yml` are relative to the folder that contains `regression_data`, and may not leave `regression_data`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudsigma.errors import CaseError
from cloudsigma.testing.cases.case import Case, CaseFile
from cloudsigma.testing.cases.record_files import is_allowed, read_regular
from cloudsigma.testing.cases.yaml_nodes import YamlNode, read_node

TYPES: Mapping[str, tuple[str, ...]] = {"evtx": ("evtx_json",), "json": ()}
"""Test type → pipelines that map field names of rules to field names of its events."""


def read_regression(
    path: str | os.PathLike[str], record_folders: Sequence[str | os.PathLike[str]] = ()
) -> dict[str, CaseFile]:
    """Read an `info.yml`: its cases by test type (`TYPES`). Errors are in the case files, none is raised.

    The rule is tried on each event on its own; a test's `match_count` becomes the case's `count`. Events are read from
    `regression_data` (or the folder of `info.yml`, where it has no such parent) and from `record_folders`.
    """
    name = os.fspath(path)
    files: dict[str, tuple[list[Case], list[CaseError]]] = {}
    try:
        top = dict(read_node(Path(path)).entries())
        if not isinstance(top.get("regression_tests_info"), YamlNode) or top["regression_tests_info"].value is None:
            return {}
        for node in top["regression_tests_info"].elements():
            kind = "json"
            cases, errors = [], []
            try:
                kind, case = _case(node, top, Path(name), record_folders)
                cases.append(case)
            except CaseError as error:
                errors.append(error)
            read, wrong = files.setdefault(kind, ([], []))
            read.extend(cases)
            wrong.extend(errors)
    except CaseError as error:
        files.setdefault("json", ([], []))[1].append(error)
    return {kind: CaseFile(name, tuple(cases), tuple(errors)) for kind, (cases, errors) in files.items()}


def _case(
    node: YamlNode, top: Mapping[str, YamlNode], info: Path, record_folders: Sequence[str | os.PathLike[str]]
) -> tuple[str, Case]:
    test = dict(node.entries())
    for key in ("name", "type", "path"):
        if key not in test:
            raise node.error(f"the test has no {key}", "See SigmaHQ's other regression data.")
    kind = test["type"].text()
    if kind not in TYPES:
        raise test["type"].error(f"unknown test type {kind!r}", f"Known types: {', '.join(TYPES)}.")
    rule = _rule(node, top)
    count = test["match_count"].number() if "match_count" in test else None
    events = _events(test["path"], info, record_folders)
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


def _rule(node: YamlNode, top: Mapping[str, YamlNode]) -> YamlNode:
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


def _events(node: YamlNode, info: Path, record_folders: Sequence[str | os.PathLike[str]]) -> list[dict[str, Any]]:
    """The events of a test; for an .evtx file, those of the .json file of the same name."""
    named = Path(node.text())
    root, folder = _folders(info)
    path = root.joinpath(named).with_suffix(".json")
    if not is_allowed(path, (folder, *record_folders)):
        raise node.error(f"the path leads out of {folder}", "Move the events there, or allow their folder.")
    try:
        events = list(_documents(read_regular(path).decode("utf-8")))
    except OSError as error:
        reason = f"its events cannot be read ({path}: {error.strerror or error})"
        raise node.error(reason, "Add the JSON of the events.") from error
    except (ValueError, RecursionError) as error:
        reason = f"its events are not valid JSON ({path}: {error})"
        raise node.error(reason, "Write one JSON object after the other.") from error
    flat = [event for each in events for event in (each if isinstance(each, list) else [each])]
    if not flat or not all(isinstance(event, dict) for event in flat):
        raise node.error(f"{path} has no events, or values that are not objects", "Write JSON objects.")
    return flat


def _folders(info: Path) -> tuple[Path, Path]:
    """The folder that paths in an `info.yml` are relative to, and the folder that they may not leave."""
    real = info.resolve()
    top = next((folder for folder in real.parents if folder.name == "regression_data"), None)
    return (top.parent, top) if top is not None else (info.parent, info.parent)


def _documents(text: str) -> Any:
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        if text[position].isspace() or text[position] == "\ufeff":
            position += 1
            continue
        value, position = decoder.raw_decode(text, position)
        yield value
