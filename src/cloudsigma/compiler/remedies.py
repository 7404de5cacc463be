"""Remedies: the second half of every error message, and how values are shown in the first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_REMEDIES = {
    "title": "Give the rule a title of at most 256 characters.",
    "id": "Use a UUID (version 4), or leave the id out.",
    "level": "Use one of informational, low, medium, high, critical.",
    "status": "Use one of stable, test, experimental, deprecated, unsupported.",
    "date": "Write it as yyyy-mm-dd.",
    "modified": "Write it as yyyy-mm-dd.",
    "tags": "Write tags as namespace.name, for example attack.t1098.",
    "related": "Write each entry as a map: {id: UUID, type: derived}.",
    "taxonomy": "Leave it out, or write taxonomy: sigma.",
    "logsource": "Add a map with product, service or category: product: aws, service: cloudtrail.",
    "detection": "Add a map of selections and a condition.",
    "condition": "Add condition: selection.",
    "empty selection": "Add at least one field: value, or remove the selection.",
}
CORRELATION_KEYS = {
    **dict.fromkeys(("timeframe", "window", "within", "period", "interval", "maxspan"), "Did you mean 'timespan'?"),
    "field": "Move it into the condition: {gte: 2, field: …}.",
    "percentile": "Move it into the condition: {gte: 2, field: …, percentile: 95}.",
    **dict.fromkeys(("having", "threshold", "count"), "Did you mean 'condition'?"),
    **dict.fromkeys(
        ("level", "name", "id", "title", "status", "tags"), "Move it beside correlation, to the top level."
    ),
    "ordered": "Write type: temporal_ordered, and remove ordered.",
    **dict.fromkeys(("logsource", "detection", "filter"), "Remove it: it belongs to the rules that are named."),
}
"""Key that a correlation does not have → what to write."""
CORRELATION_TYPES = {
    **dict.fromkeys(("count", "event", "events", "frequency", "threshold"), "event_count"),
    **dict.fromkeys(("distinct", "distinct_count", "cardinality", "unique", "unique_count"), "value_count"),
    **dict.fromkeys(("sequence", "ordered", "sequential"), "temporal_ordered"),
    **dict.fromkeys(("sum", "total"), "value_sum"),
    **dict.fromkeys(("avg", "average", "mean"), "value_avg"),
    "percentile": "value_percentile",
    "median": "value_median",
    "near": "temporal",
}
"""Name of a correlation type elsewhere → the type of Sigma."""
_LONGEST = 80
"""Most characters of a name or value in a message."""
_COMPARED = 1_000
"""Most names searched for the nearest one."""


def remedy_for(subject: str) -> str | None:
    """The general remedy for an attribute, if any."""
    return _REMEDIES.get(subject)


def nearest(word: str, names: Iterable[str]) -> str:
    """A remedy with the name that the author probably meant, otherwise with all names."""
    names = list(names)
    if close := closest(word, names):
        return f"Did you mean {quoted(close)}?"
    return f"There are: {', '.join(map(quoted, names[:8]))}{', …' if len(names) > 8 else ''}."


def closest(word: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name that looks most like the word, whatever the case of its letters."""
    if len(word) > _LONGEST:
        return None
    folded = {name.lower(): name for name in list(names)[:_COMPARED] if len(name) <= _LONGEST}
    reordered = "_".join(sorted(word.lower().split("_")))  # ordered_temporal
    for lowered, name in folded.items():
        if "_" in lowered and "_".join(sorted(lowered.split("_"))) == reordered:
            return name
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def shortened(text: str) -> str:
    """The text, truncated to fit in a message."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def quoted(value: object) -> str:
    """A name or value as a message shows it: in quotation marks, control characters escaped, truncated."""
    return repr(shortened(value if isinstance(value, str) else spelled(value)))


def spelled(value: object) -> str:
    """A value as YAML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
