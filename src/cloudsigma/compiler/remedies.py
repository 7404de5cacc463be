"""What to do about a rule error: the second half of every message."""

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
    "logsource": "Add a map with product, service or category: product: aws, service: cloudtrail.",
    "detection": "Add a map of selections and a condition.",
    "condition": "Add condition: selection.",
    "empty selection": "Add at least one field: value, or remove the selection.",
    "not modifier": "Negation stands in the condition: selection and not filter (or use the modifier neq).",
    "modifier": "See the rule reference for the values that each modifier takes.",
    "value": "Correct the value, or put it in quotation marks if it is meant as text.",
}


def remedy_for(subject: str) -> str | None:
    """The remedy that goes with an attribute or a category, if there is a general one."""
    return _REMEDIES.get(subject)


def nearest(word: str, names: Iterable[str]) -> str:
    """A remedy that names what the author may have meant, else what there is."""
    names = list(names)
    if close := difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6):
        return f"Did you mean {close[0]!r}?"
    return f"There are: {', '.join(map(repr, names[:8]))}{', …' if len(names) > 8 else ''}."
