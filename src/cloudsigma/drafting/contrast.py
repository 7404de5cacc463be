"""Find the fields that example records share and that other records do not have.

A field is used only if its value is likely to be the same next time: never an ID, a time, a token or a session's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudsigma.drafting.draft import Draft, Value
from cloudsigma.errors import UsageError

_USED = (
    *("errorCode", "userIdentity.type", "userIdentity.invokedBy", "readOnly", "eventType", "userIdentity.userName"),
    *("userIdentity.sessionContext.attributes.mfaAuthenticated", "userIdentity.sessionContext.sessionIssuer.userName"),
)
"""Fields outside the parts of a call that may be used, the preferred first."""
_PARTS = ("requestParameters.", "additionalEventData.", "responseElements.", "serviceEventDetails.")
"""The parts of a call, in the order in which their fields are used."""
_UNSTABLE_NAME = re.compile(
    r"(id|identifier|arn|token|time|date|expiration|sessionname|signature|marker|host|key|digest|hash|etag)s?$",
    re.IGNORECASE,
)
_UNSTABLE_VALUE = re.compile(
    r"\d{8}|[0-9a-f]{16}|\d{4}-\d\d-\d\d|[0-9a-f]{8}-[0-9a-f]{4}-|\b(AKIA|ASIA|AROA|AIDA)|HIDDEN_DUE|\*{3}|sensitiveDataRem",
    re.IGNORECASE,
)
_LONGEST = 100
"""Characters of a value that may be used."""
_DEEPEST = 12
"""Levels of members that are looked at."""
_MISSING = object()


def tell_from(examples: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]] = ()) -> Draft:
    """A draft that matches every example and none of the others, with as few fields as it finds.

    A draft of calls that change something and succeeded is about successful calls alone.

    Args:
        examples: Records that the rule must match; at least one.
        others: Records that it must not match.

    Raises:
        UsageError: There is no example, an example lacks `eventSource` or `eventName`, or no stable field tells the
            examples from some other record.
    """
    if not examples:
        raise UsageError("there is no example record, so there is nothing to draft a rule from")
    sources, names = _texts(examples, "eventSource"), _texts(examples, "eventName")
    left = [other for other in others if other.get("eventSource") in sources and other.get("eventName") in names]
    changing = any(each.get("readOnly") is False for each in examples)
    successful = all(each.get("errorCode") is None for each in examples)
    chosen: dict[str, Value] = {"errorCode": None} if changing and successful else {}
    left = [other for other in left if all(_same(value_of(other, name), value) for name, value in chosen.items())]
    added, left = telling_fields(examples, left)
    if left:
        raise UsageError(
            f"no stable field tells the examples from {len(left)} of the other records, such as "
            f"eventID {left[0].get('eventID')!r}. Give other examples, or write the rule by hand"
        )
    return Draft(sources, names, chosen | added)


def telling_fields(
    examples: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Value], list[Mapping[str, Any]]]:
    """Stable fields that all examples share and others lack, as few as it finds; and the records that still have them.

    Each field tells at least one more of the other records from the examples.
    """
    left = list(others)
    chosen: dict[str, Value] = {}
    candidates = dict(_candidates(examples, left))
    while left:
        kept = {
            name: [other for other in left if _same(value_of(other, name), value)] for name, value in candidates.items()
        }
        best = min(
            kept, key=lambda name: (len(kept[name]), name.lower().endswith("name")), default=None
        )  # the first of equals is the preferred
        if best is None or len(kept[best]) == len(left):
            break
        chosen[best] = candidates.pop(best)
        left = kept[best]
    return chosen, left


def _texts(records: Sequence[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    found = [record.get(name) for record in records]
    texts = [value for value in found if isinstance(value, str) and value]
    if len(texts) < len(found):
        raise UsageError(f"an example record has no {name}, so it is no event of CloudTrail")
    return tuple(sorted(set(texts)))


def _candidates(
    examples: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Value]]:
    """Fields with one stable value in all examples; `None` for one that they all lack and another record has."""
    names = dict.fromkeys(_USED)
    leaves = [name for record in (*examples, *others) for name in _leaves(record)]
    for part in _PARTS:
        names.update(dict.fromkeys(name for name in leaves if name.startswith(part)))
    for name in names:
        first = value_of(examples[0], name)
        if not all(_same(value_of(each, name), first) for each in examples[1:]) or _UNSTABLE_NAME.search(name):
            continue
        if (
            first is None
            or isinstance(first, bool | int)
            or (isinstance(first, str) and 0 < len(first) <= _LONGEST and not _UNSTABLE_VALUE.search(first))
        ):
            yield name, first


def _leaves(value: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[str]:
    for key, inner in value.items():
        if not isinstance(key, str) or not re.fullmatch(r"\w+", key):
            continue
        if isinstance(inner, Mapping) and depth < _DEEPEST:
            yield from _leaves(inner, f"{before}{key}.", depth + 1)
        elif not isinstance(inner, Mapping | list):
            yield f"{before}{key}"


def value_of(record: Mapping[str, Any], name: str) -> Any:
    """The value of a field; `None` if it is missing, `_MISSING` if it is no single value."""
    found: Any = record
    for key in name.split("."):
        if isinstance(found, list):
            return _MISSING
        found = found.get(key) if isinstance(found, Mapping) else None
    return _MISSING if isinstance(found, Mapping | list | float) else found


def _same(one: Any, other: Any) -> bool:
    """Whether the values are equal as a rule compares them: texts without regard to letter case."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return type(one) is type(other) and one == other
