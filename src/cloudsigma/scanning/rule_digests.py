"""Digests of the rules of a scan, by which two runs are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from cloudsigma.rulesets.rule_set import RuleSet


def digests(rules: RuleSet) -> dict[str, str]:
    """Title and ID of each rule → digest of its whole content."""
    return {
        f"{rule.title} ({rule.id})": hashlib.sha256(
            msgspec.json.encode([rule.definition, rule.id in rules.hidden, rules.declared])
        ).hexdigest()[:16]
        for rule in rules
    }


def digest_of(rules: Mapping[str, str]) -> str:
    """The digest of a whole set, from the digests of its rules; their order does not matter."""
    return hashlib.sha256(msgspec.json.encode(sorted(rules.items()))).hexdigest()[:16]


def set_digest(rules: RuleSet) -> str:
    """The digest of a whole set."""
    return digest_of(digests(rules))
