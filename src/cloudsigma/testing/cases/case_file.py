"""Read case files: `NAME.cases.yml` beside the rule `NAME.yml`. Their reference is `docs/reference/case-files.md`.

A bad case is an error with its place in the file; the other cases are still read.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudsigma.compiler.misread import misread_booleans
from cloudsigma.errors import CaseError, UsageError
from cloudsigma.testing.cases.case import Case, CaseFile, CaseWarning, EquivalentMutant
from cloudsigma.testing.cases.expectations import read_expected
from cloudsigma.testing.cases.record_files import is_allowed, read_regular
from cloudsigma.testing.cases.yaml_nodes import YamlNode, read_node
from cloudsigma.testing.records.changes import ChangeError, changed, value_at
from cloudsigma.testing.records.record import DEFAULT_TIME, record
from cloudsigma.testing.records.sequence import in_sequence

_SOURCES = ("record", "record_file", "template")
_CHANGES = ("remove", "null", "set", "append")
_EXPECTED = ("context", "group", "members", "matches")
_FILE_KEYS = ("rule", *_SOURCES, "bases", "start", "cases", "equivalent_mutants")
_CASE_KEYS = ("name", "reason", "match", "rule", "base", *_SOURCES, *_CHANGES, "records", *_EXPECTED)
_SEQUENCE_KEYS = ("after", "base", *_SOURCES, *_CHANGES)
_EQUIVALENT_KEYS = ("mutant", "rule", "reason")
_TEMPLATE_KEYS = ("call", "principal", "outcome", "caller", "region", "account", "time", "request")

_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_case_file(path: str | os.PathLike[str], record_folders: Sequence[str | os.PathLike[str]] = ()) -> CaseFile:
    """Read a case file. Nothing is raised: errors in the file or in a case are in `errors`.

    Args:
        path: The file.
        record_folders: Folders that `record_file` may lead to, besides the folder of the case file.
    """
    try:
        top = read_node(Path(path))
        return _Reader(top, os.fspath(path), record_folders).read()
    except CaseError as error:
        return CaseFile(os.fspath(path), errors=(error,))


class _StartRecord:
    """A record that cases are made from, and the arguments of its template if it has one."""

    def __init__(self, value: dict[str, Any], template: dict[str, Any] | None = None) -> None:
        self.value = value
        self.template = template


class _Reader:
    """Reads one file."""

    def __init__(self, top: YamlNode, path: str, record_folders: Sequence[str | os.PathLike[str]]) -> None:
        self._top = top
        self._path = path
        self._record_folders = (Path(path).parent, *record_folders)
        self._errors: list[CaseError] = []
        self._bases: dict[str | None, _StartRecord | YamlNode] = {}
        """For a base that cannot be used, its node."""
        self._rule: YamlNode | None = None
        self._start = dt.datetime.fromisoformat(DEFAULT_TIME)
        self._not_text: list[YamlNode] = []
        """Changes of the present case that put a boolean in place of text."""

    def read(self) -> CaseFile:
        top = dict(self._top.entries())
        self._try(self._top.members, _FILE_KEYS)
        if rule := top.get("rule"):
            self._try(rule.text)
            self._rule = rule if isinstance(rule.value, str) else None
        if "start" in top:
            self._start = self._try(_time, top["start"]) or self._start
        self._read_bases(top)
        if "cases" not in top:
            raise self._errors[0] if self._errors else self._top.error("the file has no cases", "Add cases: [...].")
        read = [self._try(self._case, node) for node in top["cases"].elements()]
        cases = tuple(self._unique([case for case in read if case is not None]))
        listed = self._try(top["equivalent_mutants"].elements) or () if "equivalent_mutants" in top else ()
        equivalent = [self._try(_equivalent, node) for node in listed]
        return CaseFile(
            self._path,
            cases,
            tuple(sorted(self._errors, key=lambda error: (error.line or 0, error.column or 0))),
            self._rule.text() if self._rule is not None else None,
            {name: base.value for name, base in self._bases.items() if isinstance(base, _StartRecord)},
            tuple(each for each in equivalent if each is not None),
        )

    def _try(self, function: Any, *arguments: Any) -> Any:
        """Call a function; on `CaseError` keep the error and return `None`."""
        try:
            return function(*arguments)
        except CaseError as error:
            self._errors.append(error)
            return None

    # --- bases ------------------------------------------------------------------------------------------------

    def _read_bases(self, top: Mapping[str, YamlNode]) -> None:
        own = {key: top[key] for key in _SOURCES if key in top}
        if own:
            self._bases[None] = self._try(self._source, own, None) or next(iter(own.values()))
        if "bases" in top:
            for name, node in self._try(lambda: list(top["bases"].entries())) or ():
                self._bases[name] = self._try(self._named_base, node) or node

    def _named_base(self, node: YamlNode) -> _StartRecord:
        found = self._source(node.members(_SOURCES), None)
        if found is None:
            raise node.error(f"the base {node.label!r} has no record", f"Give it one of {', '.join(_SOURCES)}.")
        return found

    def _source(self, members: Mapping[str, YamlNode], base: _StartRecord | None) -> _StartRecord | None:
        """The record given by `record`, `record_file` or `template`; `None` without any of these."""
        given = [members[key] for key in _SOURCES if key in members]
        if len(given) > 1:
            raise given[1].error(f"both {given[1].label} and {given[0].label} are given", "Keep one of them.")
        if not given:
            return None
        node = given[0]
        match node.label:
            case "record":
                list(node.entries())
                return _StartRecord(node.json())
            case "record_file":
                return _StartRecord(self._record_in_file(node))
            case _:
                return _from_template(node, base)

    def _record_in_file(self, node: YamlNode) -> dict[str, Any]:
        from cloudsigma.reading import read_records  # few files need it

        path = Path(self._path).parent / node.text()
        if not is_allowed(path, self._record_folders):
            raise node.error(
                f"{node.text()} leads out of the folder of the case file",
                "Move the record there, or allow its folder.",
            )
        try:
            read_regular(path)
        except OSError as error:
            reason = f"the record cannot be read ({path}: {error.strerror or error})"
            raise node.error(reason, "Check the path.") from error
        reader = read_records(path)
        found = list(reader)
        if reader.ledger.losses:
            raise node.error(f"the record cannot be read: {reader.ledger.losses[0]}", "Check path and content.")
        if len(found) != 1:
            raise node.error(f"{path} has {len(found)} records", "It must have one.")
        return found[0]

    # --- cases ------------------------------------------------------------------------------------------------

    def _case(self, node: YamlNode) -> Case:
        try:
            return self._read_case(node)
        except CaseError as error:
            named = node.value.get("name") if isinstance(node.value, dict) else None
            error.case = named if isinstance(named, str) else None
            raise

    def _read_case(self, node: YamlNode) -> Case:
        members = node.members(_CASE_KEYS)
        for key, hint in _REQUIRED.items():
            if key not in members:
                raise node.error(f"the case has no {key}", hint)
        name, reason, match = members["name"].text(), members["reason"].text(), members["match"].flag()
        self._not_text = []
        rule = members.get("rule", self._rule)
        if "records" in members:
            made = self._sequence(members)
        else:
            for key in ("group", "members", "matches"):
                if key in members:
                    raise members[key].error(f"{key} is for correlations", "Give the case records, a sequence of them.")
            made = [self._made(node, members, None)]
        count, expected = read_expected(members, len(made), match=match)
        place = node.location
        return Case(
            name,
            tuple(each for each, _ in made),
            match,
            reason,
            rule.text() if rule is not None else None,
            "records" in members,
            count,
            expected,
            tuple(base for _, base in made),
            self._path,
            place.line,
            place.column,
            rule.location if rule is not None else place,
            tuple(_not_text(each, name) for each in self._not_text),
        )

    def _sequence(self, members: Mapping[str, YamlNode]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        for key in ("base", *_SOURCES, *_CHANGES):
            if key in members:
                raise members[key].error(f"both {key} and records are given", "Move it into one of the records.")
        elements = members["records"].elements()
        if not elements:
            raise members["records"].error("the sequence is empty", "Add records.")
        made = []
        for position, element in enumerate(elements):
            inner = element.members(_SEQUENCE_KEYS)
            if "after" not in inner:
                raise element.error("the record has no time", "Add after: 5m, counted from start.")
            time = self._start + _duration(inner["after"])
            made.append(self._made(element, inner, in_sequence(time, position)))
        return made

    def _made(
        self, node: YamlNode, members: Mapping[str, YamlNode], place: Mapping[str, str] | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The record of a case or of a place in a sequence, and the base that it was made from."""
        base = self._base_of(node, members)
        own = self._source(members, base)
        if own is not None and (base is None or "template" not in members or "call" in members["template"].value):
            base = own
        start = own or base
        if base is None or start is None:
            raise node.error("there is no record to start from", "Give the file a record, record_file or template.")
        before = {**base.value, **(place or {})}
        changes = self._changes(members)
        if own is not None and start is not base and json.dumps(own.value) == json.dumps(base.value):
            raise members["template"].error("the template's arguments change nothing", "Remove them.")
        try:
            made = changed({**start.value, **(place or {})}, **changes)
        except ChangeError as error:
            raise _place_of(error, members).error(error.reason, error.remedy) from error
        self._not_text += [
            each
            for name, each in (members["set"].entries() if "set" in members else ())
            if isinstance(each.value, bool) and isinstance(value_at(start.value, name), str)
        ]
        return made, before

    def _base_of(self, node: YamlNode, members: Mapping[str, YamlNode]) -> _StartRecord | None:
        if "record" in members or "record_file" in members:
            if "base" in members:
                raise members["base"].error("both base and a whole record are given", "Keep one of them.")
            return None
        name = members["base"].text() if "base" in members else None
        if name is not None and name not in self._bases:
            known = ", ".join(repr(each) for each in self._bases if each) or "none"
            raise members["base"].error(f"there is no base {name!r}", f"Bases: {known}.")
        base = self._bases.get(name)
        if isinstance(base, YamlNode):
            raise node.error(f"its base cannot be used (line {base.location.line})")
        return base

    def _changes(self, members: Mapping[str, YamlNode]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for key in _CHANGES:
            if (node := members.get(key)) is None:
                continue
            if not node.value:
                raise node.error(f"{key} is empty, so the override changes nothing", "Remove it.")
            if key in ("remove", "null"):
                changes[key] = [element.text() for element in node.elements()]
            else:
                changes[key] = {name: value.json() for name, value in node.entries()}
        return changes

    def _unique(self, cases: list[Case]) -> Iterator[Case]:
        names: dict[str, Case] = {}
        records: dict[tuple[str | None, str], Case] = {}
        for case in cases:
            content = (case.rule, json.dumps(case.records, sort_keys=True))
            if first := names.get(case.name):
                self._errors.append(
                    case.error(f"another case has this name (line {first.line})", "Give each a unique name.")
                )
            elif first := records.get(content):
                reason = f"it has the same records as the case {first.name!r} (line {first.line})"
                self._errors.append(case.error(reason, "Remove or change one of the two."))
            else:
                yield case
            names.setdefault(case.name, case)
            records.setdefault(content, case)


_REQUIRED = {
    "name": "Add name: what the case tries, in a few words.",
    "reason": "Add reason: why this verdict is right.",
    "match": "Add match: true or match: false.",
}


def _not_text(node: YamlNode, case: str) -> CaseWarning:
    """The warning that `set` replaces text by a boolean: YAML reads No, yes and on as booleans."""
    value = str(node.value).lower()
    written = misread_booleans(node.document).get(node.way, value)
    reason = f"{node.label} is text in the record, but YAML reads {written} as the boolean {value}"
    return CaseWarning(reason, "Put the value in quotation marks.", case, node.location)


def _equivalent(node: YamlNode) -> EquivalentMutant:
    members = node.members(_EQUIVALENT_KEYS)
    for key in ("mutant", "reason"):
        if key not in members:
            raise node.error(f"the entry has no {key}", "It needs mutant (its ID) and reason.")
    rule = members["rule"].text() if "rule" in members else None
    return EquivalentMutant(members["mutant"].text(), members["reason"].text(), rule)


def _from_template(node: YamlNode, base: _StartRecord | None) -> _StartRecord:
    """The record of a template; without `call`, the base's template with other arguments."""
    members = node.members(_TEMPLATE_KEYS)
    arguments = {key: each.value if key == "time" else each.json() for key, each in members.items()}
    if "call" not in arguments:
        if base is None or base.template is None:
            raise node.error("the template has no call", "Add one, such as call: iam:CreateGroup.")
        arguments = {**base.template, **arguments}
    if "request" in members:
        list(members["request"].entries())
    call = arguments["call"]
    if not isinstance(call, str):
        raise members["call"].error("call is not text", "Write it like iam:CreateGroup.")
    try:
        made = record(call, **{key: value for key, value in arguments.items() if key != "call"})
    except UsageError as error:
        message = str(error)
        argument = next((each for key, each in members.items() if repr(each.value) in message), node)
        reason, _, remedy = message.partition(". ")
        raise argument.error(reason, remedy or None) from error
    return _StartRecord(made, arguments)


def _place_of(error: ChangeError, members: Mapping[str, YamlNode]) -> YamlNode:
    node = members[error.operation]
    for name, inner in node.entries() if isinstance(node.value, dict) else ():
        if name == error.name:
            return inner
    for element in node.elements() if isinstance(node.value, list) else ():
        if element.value == error.name:
            return element
    return node


def _time(node: YamlNode) -> dt.datetime:
    value = node.value
    try:
        time = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
        return time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise node.error(f"{node.label} is not a time", f"Write it like {DEFAULT_TIME}.") from error


def _duration(node: YamlNode) -> dt.timedelta:
    found = _DURATION.fullmatch(node.value) if isinstance(node.value, str) else None
    if found is None:
        raise node.error(f"{node.value!r} is not a duration", "Write a number and a unit: 0s, 5m, 2h, 1d.")
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
