"""Doubts about the attributes of a rule: keys that look like others, its log source, old dates."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cloudsigma import ir
from cloudsigma.compiler.attributes import LOGSOURCE_KEYS
from cloudsigma.compiler.document import Located
from cloudsigma.compiler.remedies import closest, quoted
from cloudsigma.errors import RuleError

_KNOWN = frozenset(
    {
        "title", "id", "related", "name", "taxonomy", "status", "description", "references", "author", "date",
        "modified", "tags", "fields", "falsepositives", "level", "license", "scope", "logsource", "detection",
        "correlation", "filter", "action", "generate",
    }
)  # fmt: skip
_BELONGS = {
    **dict.fromkeys(("category", "product", "service", "definition"), "logsource"),
    **dict.fromkeys(("condition", "selection", "selections", "keywords"), "detection"),
    **dict.fromkeys(("group-by", "timespan", "aliases"), "correlation"),
}
"""Keys of a section that were written at the top of the document by mistake."""
_CUSTOM = frozenset({"simulation", "regression_tests_path", "custom", "notes", "version", "tests", "sources"})


def attribute_doubts(value: dict[Any, Any], located: Located) -> Iterator[RuleError]:
    """Warnings about the top of a rule, correlation or filter."""
    for key in value:
        if key not in _KNOWN and (doubt := _key_doubt(str(key))) is not None:
            reason, remedy = doubt
            yield located.warning("schema", reason, (key,), remedy)
    for key in ("date", "modified"):
        date = value.get(key)
        if isinstance(date, str) and "/" in date:
            year, month, day = f"{date}//".split("/")[:3]
            reason = f"{quoted(date)} is a date in the old format"
            remedy = f"Write {year}-{month:0>2}-{day:0>2}."
            yield located.warning("schema", reason, (key,), remedy)
    if value.get("taxonomy", "sigma") not in ("sigma", None):
        reason = f"the taxonomy {quoted(value['taxonomy'])} is not applied: fields keep the names that are written"
        yield located.warning("schema", reason, ("taxonomy",), "Write the fields as CloudTrail names them.")
    source = value.get("logsource")
    if isinstance(source, dict) and "correlation" not in value:
        for key in source:
            if key not in LOGSOURCE_KEYS:
                found = closest(str(key), LOGSOURCE_KEYS)
                remedy = f"Did you mean {quoted(found)}?" if found else "Remove it, or move it to the top of the rule."
                reason = f"{quoted(key)} in logsource has no effect"
                yield located.warning("schema", reason, ("logsource", key), remedy)


@lru_cache(maxsize=1_000)
def _key_doubt(key: str) -> tuple[str, str] | None:
    """Reason and remedy for a key at the top of a document that Sigma does not know."""
    if key in _CUSTOM:
        return None
    if key == "timeframe":
        return "'timeframe' has no effect", "Write a correlation rule with timespan, or remove it."
    if section := _BELONGS.get(key):
        return f"{quoted(key)} has no effect at the top of a rule", f"Indent it: it belongs inside {section}."
    if found := closest(key, _KNOWN, 0.8):
        return f"{quoted(key)} is not a key of Sigma, and has no effect", f"Did you mean {quoted(found)}?"
    if found := closest(key, _BELONGS, 0.8):
        reason = f"{quoted(key)} is not a key of Sigma, and has no effect"
        return reason, f"Did you mean {quoted(found)}, inside {_BELONGS[found]}?"
    return None


@lru_cache(maxsize=1_000)
def logsource_doubt(source: ir.LogSource, declared: ir.LogSource) -> tuple[str, str, str] | None:
    """Part, reason and remedy of a log source that differs from the records' and probably should not."""
    parts = ("category", "product", "service")
    names = {part: getattr(declared, part) for part in parts if getattr(declared, part) is not None}
    remedy = f"Write logsource: {{{', '.join(f'{key}: {name}' for key, name in names.items())}}}."
    for part in parts:
        written = getattr(source, part)
        if written is None or written.lower() == names.get(part, "").lower():
            continue
        elsewhere = next((key for key, name in names.items() if key != part and _alike(written, name)), None)
        if elsewhere is not None:
            return part, f"{quoted(written)} is the {elsewhere} of the records, not their {part}", remedy
        if part in names and _alike(written, names[part]):
            return part, f"the {part} of the records is {quoted(names[part])}, not {quoted(written)}", remedy
        if part == "product" and part in names and _same(source.service, declared.service):
            return part, f"the product of the records is {quoted(names[part])}, not {quoted(written)}", remedy
        if part not in names and all(
            (getattr(source, key) or "").lower() == name.lower() for key, name in names.items()
        ):
            return part, f"the records have no {part}, so that the rule never applies", remedy
    return None


def _same(written: str | None, name: str | None) -> bool:
    return written is not None and name is not None and written.lower() == name.lower()


def _alike(written: str, name: str) -> bool:
    return closest(written, [name], 0.88) is not None
