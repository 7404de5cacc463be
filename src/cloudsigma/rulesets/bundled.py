"""The bundled rules, read from the compiled files that ship with the package."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path, PurePosixPath

from msgspec import structs

from cloudsigma.arguments import check_flag
from cloudsigma.rulesets.resources import packaged_rules
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.rulesets.saved import from_artifact, load_trusted, to_artifact


def bundled_rules(*, correlations: bool = False) -> RuleSet:
    """The four detections: IAM groups created and deleted, Roles Anywhere profiles and external trust anchors.

    Args:
        correlations: Add the bundled correlations, and the rules that they refer to, which are not reported.
    """
    check_flag("correlations", correlations)
    return _compiled(correlations)


@lru_cache(maxsize=2)
def _compiled(correlations: bool) -> RuleSet:  # noqa: FBT001  # the key of the cache
    """Read the precompiled rules: a process that only evaluates needs neither pySigma nor YAML."""
    rules = load_trusted(bundled_file(correlations=correlations))
    return with_paths(rules, lambda path: str(packaged_rules().parent.joinpath(*PurePosixPath(path).parts)))


def bundled_file(*, correlations: bool) -> Path:
    """The compiled file in the package; `scripts/compile_bundled.py` writes it."""
    return Path(__file__).with_name("bundled_correlations.json" if correlations else "bundled_rules.json")


def with_paths(rules: RuleSet, changed: Callable[[str], str]) -> RuleSet:
    """The same rules, with each rule's path replaced by `changed(path)`."""
    definitions = [rule.definition for rule in rules]
    return from_artifact(
        structs.replace(
            to_artifact(rules),
            rules=tuple(
                structs.replace(rule, metadata=structs.replace(rule.metadata, path=changed(rule.metadata.path or "")))
                for rule in definitions
            ),
        )
    )
