"""Files of cases, `NAME.cases.yml` beside `NAME.yml`: YAML → cases. `docs/reference/case-files.md` is their reference.

Whatever is wrong with a case is an error with its place in the file, and the other cases are read all the same.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloudsigma.errors import CaseError, UsageError
from cloudsigma.testing.cases.case import Case, CaseFile, EquivalentMutant
from cloudsigma.testing.cases.changes import ChangeError, changed
from cloudsigma.testing.cases.expectations import read_expected
from cloudsigma.testing.cases.nodes import Node, read_node
from cloudsigma.testing.records.records import DEFAULT_TIME, record

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


def read_case_file(path: str | os.PathLike[str]) -> CaseFile:
    """Read a file of cases. It does not raise: what is wrong with the file or a case is in `errors`."""
    try:
        top = read_node(Path(path))
        return _Reader(top, os.fspath(path)).read()
    except CaseError as error:
        return CaseFile(os.fspath(path), errors=(error,))


class _Origin:
    """What cases are made from: a record, and the arguments of its template if it has one."""

    def __init__(self, value: dict[str, Any], template: dict[str, Any] | None = None) -> None:
        self.value = value
        self.template = template


class _Reader:
    """Reads one file."""

    def __init__(self, top: Node, path: str) -> None:
        self._top = top
        self._path = path
        self._errors: list[CaseError] = []
        self._bases: dict[str | None, _Origin | Node] = {}
        """A node stands in the place of a base that cannot be used."""
        self._rule: Node | None = None
        self._start = dt.datetime.fromisoformat(DEFAULT_TIME)

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
        cases = tuple(self._without_repetitions([case for case in read if case is not None]))
        listed = self._try(top["equivalent_mutants"].elements) or () if "equivalent_mutants" in top else ()
        equivalent = [self._try(_equivalent, node) for node in listed]
        return CaseFile(
            self._path,
            cases,
            tuple(sorted(self._errors, key=lambda error: (error.line or 0, error.column or 0))),
            self._rule.text() if self._rule is not None else None,
            {name: base.value for name, base in self._bases.items() if isinstance(base, _Origin)},
            tuple(each for each in equivalent if each is not None),
        )

    def _try(self, function: Any, *arguments: Any) -> Any:
        """What the function gives, or `None` where it finds an error, which is kept."""
        try:
            return function(*arguments)
        except CaseError as error:
            self._errors.append(error)
            return None

    # --- bases ------------------------------------------------------------------------------------------------

    def _read_bases(self, top: Mapping[str, Node]) -> None:
        own = {key: top[key] for key in _SOURCES if key in top}
        if own:
            self._bases[None] = self._try(self._source, own, None) or next(iter(own.values()))
        if "bases" in top:
            for name, node in self._try(lambda: list(top["bases"].entries())) or ():
                self._bases[name] = self._try(self._named_base, node) or node

    def _named_base(self, node: Node) -> _Origin:
        found = self._source(node.members(_SOURCES), None)
        if found is None:
            raise node.error(f"the base {node.label!r} has no record", f"Give it one of {', '.join(_SOURCES)}.")
        return found

    def _source(self, members: Mapping[str, Node], base: _Origin | None) -> _Origin | None:
        """The record that is written out, in a file or made from a template; `None` where there is none of these."""
        given = [members[key] for key in _SOURCES if key in members]
        if len(given) > 1:
            raise given[1].error(f"{given[1].label} stands beside {given[0].label}", "Keep one of them.")
        if not given:
            return None
        node = given[0]
        match node.label:
            case "record":
                list(node.entries())
                return _Origin(node.json())
            case "record_file":
                return _Origin(self._record_in_file(node))
            case _:
                return _from_template(node, base)

    def _record_in_file(self, node: Node) -> dict[str, Any]:
        from cloudsigma.reading import read_records  # few files need it

        path = Path(self._path).parent / node.text()
        reader = read_records(path)
        found = list(reader)
        if reader.ledger.losses:
            raise node.error(f"the record cannot be read: {reader.ledger.losses[0]}", "Check path and content.")
        if len(found) != 1:
            raise node.error(f"{path} holds {len(found)} records", "It must hold one.")
        return found[0]

    # --- cases ------------------------------------------------------------------------------------------------

    def _case(self, node: Node) -> Case:
        try:
            return self._read_case(node)
        except CaseError as error:
            named = node.value.get("name") if isinstance(node.value, dict) else None
            error.case = named if isinstance(named, str) else None
            raise

    def _read_case(self, node: Node) -> Case:
        members = node.members(_CASE_KEYS)
        for key, hint in _REQUIRED.items():
            if key not in members:
                raise node.error(f"the case has no {key}", hint)
        name, reason, match = members["name"].text(), members["reason"].text(), members["match"].flag()
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
        )

    def _sequence(self, members: Mapping[str, Node]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        for key in ("base", *_SOURCES, *_CHANGES):
            if key in members:
                raise members[key].error(f"{key} stands beside records", "Move it into one of the records.")
        elements = members["records"].elements()
        if not elements:
            raise members["records"].error("the sequence is empty", "Add records.")
        made = []
        for position, element in enumerate(elements):
            inner = element.members(_SEQUENCE_KEYS)
            if "after" not in inner:
                raise element.error("the record has no time", "Add after: 5m, counted from start.")
            time = self._start + _duration(inner["after"])
            # Records of one base are different events: an event that came twice would count once.
            place = {
                "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "eventID": f"00000000-0000-4000-8000-{position:012}",
            }
            made.append(self._made(element, inner, place))
        return made

    def _made(
        self, node: Node, members: Mapping[str, Node], place: Mapping[str, str] | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The record of a case or of a place in a sequence, and the one that it differs from."""
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
            return changed({**start.value, **(place or {})}, **changes), before
        except ChangeError as error:
            raise _place_of(error, members).error(error.reason, error.remedy) from error

    def _base_of(self, node: Node, members: Mapping[str, Node]) -> _Origin | None:
        if "record" in members or "record_file" in members:
            if "base" in members:
                raise members["base"].error("base stands beside a whole record", "Keep one of them.")
            return None
        name = members["base"].text() if "base" in members else None
        if name is not None and name not in self._bases:
            known = ", ".join(repr(each) for each in self._bases if each) or "none"
            raise members["base"].error(f"there is no base {name!r}", f"There are: {known}.")
        base = self._bases.get(name)
        if isinstance(base, Node):
            raise node.error(f"the record that it is made from cannot be used (line {base.location.line})")
        return base

    def _changes(self, members: Mapping[str, Node]) -> dict[str, Any]:
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

    def _without_repetitions(self, cases: list[Case]) -> Iterator[Case]:
        names: dict[str, Case] = {}
        records: dict[tuple[str | None, str], Case] = {}
        for case in cases:
            content = (case.rule, json.dumps(case.records, sort_keys=True))
            if first := names.get(case.name):
                self._errors.append(
                    case.error(f"another case has this name (line {first.line})", "Name what each of them tries.")
                )
            elif first := records.get(content):
                reason = f"its records are those of the case {first.name!r} (line {first.line})"
                self._errors.append(case.error(reason, "Remove one of the two, or change what it tries."))
            else:
                yield case
            names.setdefault(case.name, case)
            records.setdefault(content, case)


_REQUIRED = {
    "name": "Add name: what is tried, in a few words.",
    "reason": "Add reason: why this is the right verdict.",
    "match": "Add match: true or match: false.",
}


def _equivalent(node: Node) -> EquivalentMutant:
    members = node.members(_EQUIVALENT_KEYS)
    for key in ("mutant", "reason"):
        if key not in members:
            raise node.error(f"the entry has no {key}", "Give mutant, its ID, and reason.")
    rule = members["rule"].text() if "rule" in members else None
    return EquivalentMutant(members["mutant"].text(), members["reason"].text(), rule)


def _from_template(node: Node, base: _Origin | None) -> _Origin:
    """The record of a template; without `call` the arguments change those of the base's template."""
    members = node.members(_TEMPLATE_KEYS)
    arguments = {key: each.value if key == "time" else each.json() for key, each in members.items()}
    if "call" not in arguments:
        if base is None or base.template is None:
            raise node.error("the template has no call", "Add call: iam:CreateGroup, say.")
        arguments = {**base.template, **arguments}
    if "request" in members:
        list(members["request"].entries())
    call = arguments["call"]
    if not isinstance(call, str):
        raise members["call"].error("call is no text", "Write it like iam:CreateGroup.")
    try:
        made = record(call, **{key: value for key, value in arguments.items() if key != "call"})
    except UsageError as error:
        said = str(error)
        guilty = next((each for key, each in members.items() if repr(each.value) in said), node)
        reason, _, remedy = said.partition(". ")
        raise guilty.error(reason, remedy or None) from error
    return _Origin(made, arguments)


def _place_of(error: ChangeError, members: Mapping[str, Node]) -> Node:
    node = members[error.operation]
    for name, inner in node.entries() if isinstance(node.value, dict) else ():
        if name == error.name:
            return inner
    for element in node.elements() if isinstance(node.value, list) else ():
        if element.value == error.name:
            return element
    return node


def _time(node: Node) -> dt.datetime:
    value = node.value
    try:
        time = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
        return time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise node.error(f"{node.label} is no time", f"Write it like {DEFAULT_TIME}.") from error


def _duration(node: Node) -> dt.timedelta:
    found = _DURATION.fullmatch(node.value) if isinstance(node.value, str) else None
    if found is None:
        raise node.error(f"{node.value!r} is no duration", "Write a number and a unit: 0s, 5m, 2h, 1d.")
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
