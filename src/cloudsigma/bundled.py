"""The bundled rules, and `evaluate` and `scan` with them as the default."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO

from cloudsigma.engine.match import Match
from cloudsigma.ruleset import RuleSet
from cloudsigma.scanner import Scan


def bundled_rules(*, correlations: bool = False) -> RuleSet:
    """The four detections: IAM groups created and deleted, Roles Anywhere profiles and external trust anchors.

    Args:
        correlations: Add the bundled correlations, with rules of their own that they refer to and that give no matches
            themselves.
    """
    return _compiled(correlations)


@lru_cache(maxsize=2)
def _compiled(correlations: bool) -> RuleSet:  # noqa: FBT001  # the key of the cache
    from cloudsigma.compiler import compile_rules
    from cloudsigma.compiler.packaged import packaged_correlations

    return compile_rules(*([packaged_correlations()] if correlations else []), bundled=True)


def evaluate(
    records: Iterable[Mapping[str, Any]], *, rules: RuleSet | None = None, lateness: dt.timedelta | None = None
) -> Iterator[Match]:
    """The matches of records under the bundled rules, or under `rules`; see `RuleSet.evaluate`."""
    return (bundled_rules() if rules is None else rules).evaluate(records, lateness=lateness)


def scan(
    *paths: str | os.PathLike[str],
    rules: RuleSet | None = None,
    dedup: bool = True,
    progress: Callable[..., None] | None = None,
    stdin: BinaryIO | None = None,
) -> Scan:
    """The matches of files and folders of CloudTrail logs: iterate the result; `result.ledger` says what was read.

    Args:
        paths: Files and folders; `-` is standard input.
        rules: Default: the bundled rules.
        dedup: Give one match where the same event matches the same rule more than once.
        progress: Called as files are read; see `read_records`.
        stdin: What `-` stands for; default: the process's standard input.
    """
    return Scan(paths, bundled_rules() if rules is None else rules, dedup=dedup, progress=progress, stdin=stdin)
