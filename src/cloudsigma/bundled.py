"""The bundled rules, and `evaluate` with them as the default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from cloudsigma.engine.match import Match
from cloudsigma.ruleset import RuleSet


@lru_cache(maxsize=1)
def bundled_rules() -> RuleSet:
    """The four detections: IAM groups created and deleted, Roles Anywhere profiles and external trust anchors."""
    from cloudsigma.compiler import compile_rules
    from cloudsigma.compiler.packaged import packaged_rules

    return compile_rules(packaged_rules())


def evaluate(records: Iterable[Mapping[str, Any]], *, rules: RuleSet | None = None) -> Iterator[Match]:
    """The matches of records under the bundled rules, or under `rules`; see `RuleSet.evaluate`."""
    return (bundled_rules() if rules is None else rules).evaluate(records)
