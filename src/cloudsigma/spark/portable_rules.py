"""Rules on their way to the executors: data without code, decoded once by each worker process."""

from __future__ import annotations

import os
import zlib

import msgspec

from cloudsigma.errors import WrongTypeError
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.rulesets.saved import load_rules, rules_from_bytes, rules_to_bytes
from cloudsigma.scanning.rule_digests import set_digest

_KEPT = 4
"""Most rule sets that a worker process keeps decoded, the latest ones."""
_decoded: dict[str, RuleSet] = {}


class PortableRules(msgspec.Struct, frozen=True):
    """A rule set as bytes; pickles as them."""

    digest: str
    """The digest of the set: `rules_digest` in rows."""
    data: bytes
    """The compiled form, deflated."""
    correlations: int
    """How many correlations it has."""

    def load(self) -> RuleSet:
        """The rule set; a process decodes it once."""
        rules = _decoded.get(self.digest)
        if rules is None:
            rules = rules_from_bytes(zlib.decompress(self.data))
            while len(_decoded) >= _KEPT:
                _decoded.pop(next(iter(_decoded)))
            _decoded[self.digest] = rules
        return rules


def portable(rules: RuleSet | str | os.PathLike[str]) -> PortableRules:
    """A rule set, or the file of one that `cloudsigma compile` wrote, as bytes.

    Raises:
        UsageError: A rule has a value that cannot be written, or the file cannot be used.
    """
    if isinstance(rules, (str, os.PathLike)):
        rules = load_rules(rules)
    if not isinstance(rules, RuleSet):
        raise WrongTypeError("rules", rules, "a RuleSet, or the path of one that `cloudsigma compile` wrote")
    correlations = sum(rule.correlation is not None for rule in rules)
    return PortableRules(set_digest(rules), zlib.compress(rules_to_bytes(rules)), correlations)
