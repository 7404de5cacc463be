"""Identity of compiled rules: by their definition, not by the document that they were compiled from."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import structs

from cloudsigma import ir

_PLACES = ("line", "column")


def same_rule(one: ir.DetectionRule | ir.CorrelationRule, other: ir.DetectionRule | ir.CorrelationRule) -> bool:
    """Whether two rules have the same meaning and metadata, wherever their files are.

    The same text compiled with other placeholders, filters or pipelines is a different rule.
    """
    return one is other or _placeless(one) == _placeless(other)


def rule_identity(rule: ir.DetectionRule | ir.CorrelationRule) -> str:
    """SHA-256 of a rule's definition: equal for rules that `same_rule` calls the same, in any process."""
    form = _placeless(rule)
    form["metadata"] = rule.metadata.digest
    return hashlib.sha256(msgspec.json.encode(form, order="sorted")).hexdigest()


def _placeless(rule: ir.DetectionRule | ir.CorrelationRule) -> dict[str, Any]:
    """The rule as plain values, without paths, lines and columns."""
    meaning: dict[str, Any] = {name: getattr(rule, name) for name in rule.__struct_fields__ if name != "metadata"}
    form: dict[str, Any] = msgspec.to_builtins(meaning)
    waiting: list[Any] = [form]
    while waiting:  # custom attributes, which may use these names, are in the metadata
        node = waiting.pop()
        if isinstance(node, dict):
            if "kind" in node:
                for place in _PLACES:
                    node.pop(place, None)
            waiting.extend(node.values())
        elif isinstance(node, (list, tuple)):
            waiting.extend(node)
    form["type of rule"] = type(rule).__name__
    form["metadata"] = structs.replace(rule.metadata, path=None, line=None)
    return form
