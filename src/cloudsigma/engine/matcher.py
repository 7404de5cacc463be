"""Which detection rules match one record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudsigma.engine.rule import Rule


class Matcher:
    """Runs the predicates of rules whose log source has been found to cover the records."""

    __slots__ = ("_predicates",)

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._predicates = [(rule.predicate, rule) for rule in rules if rule.predicate is not None]

    def matching(self, record: Mapping[str, Any]) -> Iterator[Rule]:
        """The rules that match, in the order of the rules; nothing that is no mapping ever matches."""
        if isinstance(record, Mapping):
            for predicate, rule in self._predicates:
                if predicate(record):
                    yield rule
