"""The validators of pySigma and SigmaHQ as findings, for the profile `sigmahq`; none that opens the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from sigma.collection import SigmaCollection
from sigma.plugins import InstalledSigmaPlugins
from sigma.validation import SigmaValidator

from cloudsigma.linting.checks import checks
from cloudsigma.linting.finding import Finding
from cloudsigma.linting.rule_text import RuleText

_ONLINE = frozenset(
    {"attacktag", "d3_fendtag", "sigmahq_logsource_unknown", "sigmahq_category_event_id",
     "sigmahq_category_windows_provider_name", "sigmahq_fieldname_cast", "sigmahq_invalid_fieldname",
     "sigmahq_redundant_field"}
)  # fmt: skip
"""Validators that load data from servers."""


def validator_findings(texts: Mapping[str | None, RuleText]) -> Iterator[Finding]:
    """The objections of each offline validator that is installed, at the beginning of the rule's file."""
    found: Mapping[str, Any] = InstalledSigmaPlugins.autodiscover().validators
    validators = {name: each for name, each in found.items() if name not in _ONLINE}
    check = checks()["sigmahq-validator"]
    for path in texts:
        if path is None:
            continue
        rules = SigmaCollection.load_ruleset([path], collect_errors=True)
        for name, validator in sorted(validators.items()):
            try:
                issues = SigmaValidator({validator}).validate_rules(cast("Any", iter(rules.rules)))
            except Exception:  # noqa: BLE001, S112  # a validator that raises says nothing; the others go on
                continue
            for issue in issues:
                rule = next(iter(issue.rules), None)
                line = getattr(getattr(rule, "source", None), "line", None) or 1
                yield Finding(
                    "sigmahq-validator", check.severity, check.confidence, path, line, 1, *texts[path].end(line, 1),
                    str(rule.id or rule.title) if rule is not None else None, f"{name}: {issue.description}",
                    "See pySigma's documentation of its validators.",
                )  # fmt: skip
