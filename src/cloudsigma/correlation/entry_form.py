"""The stored form of an entry: JSON values with a version. It holds data only, from which matches are rebuilt.

    {"form": 2, "time": 1741082400.0, "rules": ["…"], "matches": [MATCH, …], "texts": [["…"]], "numbers": ["1"]}

`MATCH` is `{"rules": [ID, …], "record": RECORD, "origin": ORIGIN}` for the matches of one record, which is stored once
however many rules it matched, or `{"rule": ID, "group": {…}, "matches": [MATCH, …]}` for a match of a correlation.
Members that are empty are left out. Form 1, which had a record for each match and no `form`, can still be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from cloudsigma.correlation.entry import Entry
from cloudsigma.correlation.match import correlation_match
from cloudsigma.engine.evaluate import operators
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.match import Match, make_matches
from cloudsigma.engine.rule import Rule
from cloudsigma.origin import Origin

FORM = 2
"""The version that is written; each lower one can be read."""

Form = dict[str, Any]
Hold = Callable[[Any], Any]
"""Writes a record into a form, or reads it from there: a state may store each record once."""

_Known = dict[tuple[str, int, str], Any]
"""Records of one entry, by origin and content."""


def _itself(record: Any) -> Any:
    return record


def entry_form(rule: Rule, time: float, entry: Entry, hold: Hold = json_ready) -> Form:
    """The form of an entry of a correlation."""
    form: Form = {
        "form": FORM,
        "time": float(time),
        "rules": sorted(entry.rules),
        "matches": _match_forms(entry.matches, hold),
    }
    if not entry.measured:
        return form
    if rule.correlation is not None and rule.correlation.type == "value_count":
        form["texts"] = [value if isinstance(value, tuple) else (value,) for value in entry.measured]
    else:
        form["numbers"] = [_number_form(number) for number in entry.measured]
    return form


def read_entry(form: Form, rules: Mapping[str, Rule], hold: Hold = _itself) -> tuple[float, Entry] | None:
    """The time and the entry; `None` if a rule that it refers to is missing now.

    Raises:
        ValueError: It was written by a newer version, or is malformed (also `KeyError` and `TypeError`).
    """
    if form.get("form", 1) > FORM:
        raise ValueError(f"an entry has the form {form['form']}, which a newer version of cloudsigma wrote")
    known: _Known = {}
    matches: list[Match] = []
    for each in form["matches"]:
        read = _read_matches(each, rules, known, hold)
        if read is None:
            return None
        matches += read
    texts = (texts[0] if len(texts) == 1 else tuple(texts) for texts in form.get("texts", ()))
    measured = (*texts, *map(_read_number, form.get("numbers", ())))
    entry = Entry(match=matches[0], rules=tuple(form["rules"]), measured=measured, others=tuple(matches[1:]))
    return float(form["time"]), entry


def _match_forms(matches: Iterable[Match], hold: Hold) -> list[Form]:
    """The forms of matches in their order; those of one record, one after the other, are one form."""
    forms: list[Form] = []
    last: Match | None = None
    for match in matches:
        if match.matches:
            forms.append({"rule": match.rule_id, "group": match.group, "matches": _match_forms(match.matches, hold)})
            last = None
        elif last is not None and match.record is last.record and match.origin == last.origin:
            forms[-1]["rules"].append(match.rule_id)
        else:
            form: Form = {"rules": [match.rule_id], "record": hold(match.record)}
            if match.origin is not None:
                form["origin"] = msgspec.structs.asdict(match.origin)
            forms.append(form)
            last = match
    return forms


def _read_matches(form: Form, rules: Mapping[str, Rule], known: _Known, hold: Hold) -> list[Match] | None:
    """The matches of a form; `None` if one of their rules is missing."""
    if "matches" in form:
        rule = rules.get(form["rule"])
        matches: list[Match] = []
        for each in form["matches"]:
            matches += _read_matches(each, rules, known, hold) or ()
        return [correlation_match(rule, form["group"], tuple(matches))] if rule is not None and matches else None
    found = [rules.get(rule_id) for rule_id in form.get("rules") or [form["rule"]]]
    there = [rule for rule in found if rule is not None]
    if len(there) < len(found):
        return None
    origin = msgspec.convert(form["origin"], Origin) if form.get("origin") is not None else None
    record = hold(form["record"])
    if origin is not None:  # a record without an ID is identified by its object, which several matches may share
        place = (origin.path, origin.position, json.dumps(record, sort_keys=True))
        record = known.setdefault(place, record)
    return list(make_matches(there, record, origin))


def _number_form(number: int | float) -> str:
    return repr(number) if isinstance(number, float) else operators.text(number) or ""


def _read_number(form: str) -> int | float:
    number = operators.number(form)
    if number is None:
        return float(form)  # infinity or NaN
    return int(number) if isinstance(number, Decimal) else number
