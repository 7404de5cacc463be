"""The techniques of rules, with the strength of their tests, and groups of calls of which some are not watched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cloudsigma.catalogue import Catalogue
from cloudsigma.catalogue.siblings import SIBLINGS
from cloudsigma.engine.prefilter.reachability import could_have_matched
from cloudsigma.engine.rule import Rule
from cloudsigma.rulesets.levels import LEVELS
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.cases.suite import Suite
from cloudsigma.testing.coverage.measure import measure_coverage

_TAG = re.compile(r"attack\.(t[0-9]{4}(?:\.[0-9]{3})?)", re.IGNORECASE)


class Watching(msgspec.Struct, frozen=True):
    """A rule that is for a technique."""

    rule: Rule
    cases: int
    """The cases that run it."""
    coverage: float | None
    """The share of its clauses that its cases cover, in percent; `None` without cases."""

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return {
            "id": self.rule.id, "title": self.rule.title, "level": self.rule.level, "cases": self.cases,
            "coverage": self.coverage,
        }  # fmt: skip


class Technique(msgspec.Struct, frozen=True):
    """A technique, and the rules for it."""

    id: str
    """`T1098` or, of a sub-technique, `T1098.003`."""
    rules: tuple[Watching, ...]

    @property
    def level(self) -> str:
        """The gravest level of its rules; `""` if none has one."""
        found = [each.rule.level for each in self.rules if each.rule.level in LEVELS]
        return max(found, key=LEVELS.index, default="")

    @property
    def tested(self) -> int:
        """Rules with cases that cover all of their clauses."""
        return sum(each.coverage == 100 for each in self.rules)

    def to_dict(self) -> dict[str, Any]:
        """The technique as JSON values."""
        return {"id": self.id, "level": self.level or None, "rules": [each.to_dict() for each in self.rules]}


class Unwatched(msgspec.Struct, frozen=True):
    """A group of calls with the same effect, some of which no rule watches."""

    watched: tuple[str, ...]
    missing: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The group as JSON values."""
        return {"watched": list(self.watched), "missing": list(self.missing)}


class Survey(msgspec.Struct, frozen=True):
    """The techniques of some rules."""

    techniques: tuple[Technique, ...]
    """By ID."""
    untagged: tuple[Rule, ...]
    """Rules without a technique."""
    unwatched: tuple[Unwatched, ...]
    """Groups of which at least one call is watched, and at least one is not."""

    def to_dict(self) -> dict[str, Any]:
        """The survey as JSON values."""
        return {
            "techniques": [each.to_dict() for each in self.techniques],
            "untagged": [{"id": rule.id, "title": rule.title} for rule in self.untagged],
            "unwatched": [each.to_dict() for each in self.unwatched],
        }


def survey_rules(suite: Suite, catalogue: Catalogue | None = None) -> Survey:
    """The techniques of the rules of a suite. Rules that only correlations show count for the correlation."""
    rules = [rule for rule in suite.rules if rule.id not in suite.rules.hidden]
    measured = {each.rule_id: each for each in measure_coverage(suite).rules}
    by_technique: dict[str, list[Watching]] = {}
    untagged = []
    for rule in rules:
        covered = measured.get(rule.id)
        cases = len(covered.cases) if covered is not None else 0
        watching = Watching(rule, cases, round(covered.percent, 1) if covered is not None and cases else None)
        tagged = sorted({found[1].upper() for tag in rule.tags if (found := _TAG.fullmatch(tag))})
        for technique in tagged:
            by_technique.setdefault(technique, []).append(watching)
        if not tagged:
            untagged.append(rule)
    techniques = tuple(Technique(name, tuple(by_technique[name])) for name in sorted(by_technique))
    return Survey(techniques, tuple(untagged), tuple(_unwatched(suite.rules, catalogue or Catalogue.load())))


def _unwatched(rules: RuleSet, catalogue: Catalogue) -> Iterable[Unwatched]:
    for group in SIBLINGS:
        watched = tuple(name for name in group if _is_watched(rules, name, catalogue))
        missing = tuple(name for name in group if name not in watched)
        if watched and missing:
            yield Unwatched(watched, missing)


def _is_watched(rules: RuleSet, name: str, catalogue: Catalogue) -> bool:
    """Whether a rule asks for the event by its name; a rule that could match any event watches none."""
    events = [(source, name) for source in catalogue.sources_of(name)]
    asking = [rule for rule in rules if rules.found_by.get(rule.id) == "eventName"]
    return bool(could_have_matched(asking, events))


def navigator_layer(survey: Survey, name: str) -> Mapping[str, Any]:
    """The survey as a layer of the ATT&CK Navigator, format 4.5: the score of a technique is its number of rules."""
    techniques = [
        {
            "techniqueID": each.id,
            "score": len(each.rules),
            "comment": "; ".join(f"{watching.rule.title} ({_strength(watching)})" for watching in each.rules)[:1000],
            "enabled": True,
            "metadata": [
                {"name": "highest level", "value": each.level or "none"},
                {"name": "rules with all clauses covered", "value": f"{each.tested} of {len(each.rules)}"},
            ],
            "showSubtechniques": "." in each.id,
        }
        for each in survey.techniques
    ]
    most = max((len(each.rules) for each in survey.techniques), default=1)
    return {
        "name": name,
        "versions": {"layer": "4.5", "navigator": "5.1.0", "attack": "17"},
        "domain": "enterprise-attack",
        "description": "Rules by technique; written by cloudsigma",
        "filters": {"platforms": ["IaaS", "Identity Provider"]},
        "techniques": techniques,
        "gradient": {"colors": ["#dbeafe", "#1d4ed8"], "minValue": 0, "maxValue": max(most, 1)},
        "legendItems": [],
        "hideDisabled": False,
    }


def _strength(watching: Watching) -> str:
    if not watching.cases:
        return "no cases"
    return f"{watching.cases} {'case' if watching.cases == 1 else 'cases'}, {watching.coverage:g} % covered"
