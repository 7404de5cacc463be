"""Warnings about rules that compile, but can hardly mean what their authors wrote.

Checks that need knowledge of CloudTrail, such as of misspelt field names, are left to a linter. Together the checks
take a few percent of a rule's compile time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.compiler.detections import items_of
from cloudsigma.compiler.document import Document, Located
from cloudsigma.compiler.doubts.attributes import attribute_doubts, logsource_doubt
from cloudsigma.compiler.doubts.conditions import condition_doubts, masked_by
from cloudsigma.compiler.doubts.correlations import correlation_warnings
from cloudsigma.compiler.doubts.fields import field_doubt
from cloudsigma.compiler.doubts.values import value_doubts
from cloudsigma.compiler.remedies import quoted
from cloudsigma.errors import RuleError

__all__ = ["attribute_doubts", "correlation_warnings", "filter_doubts", "masked_doubts", "rule_doubts"]


def rule_doubts(document: Document, rule: ir.DetectionRule, declared: ir.LogSource) -> list[RuleError]:
    """The warnings about a detection rule, in the order of the file.

    A rule for another log source never applies and is not checked further.

    Args:
        document: The rule as written.
        rule: The same rule compiled, without its filters.
        declared: The log source of the records.
    """
    located = Located(document)
    found = list(attribute_doubts(document.value, located))
    if rule.logsource.covers(declared):
        found += _detection_doubts(document, rule, located, declared)
    elif (doubt := logsource_doubt(rule.logsource, declared)) is not None:
        part, reason, remedy = doubt
        found.append(located.warning("schema", reason, ("logsource", part), remedy))
    return sorted(found, key=lambda warning: (warning.line or 0, warning.column or 0))


def filter_doubts(document: Document, definition: ir.DetectionRule, declared: ir.LogSource) -> list[RuleError]:
    """The warnings about a filter, whose document has the shape of a rule's."""
    located = Located(document)
    return [*attribute_doubts(document.value, located), *_detection_doubts(document, definition, located, declared)]


def masked_doubts(
    rules: Sequence[ir.DetectionRule], filters: Sequence[ir.DetectionRule], declared: ir.LogSource
) -> Iterator[RuleError]:
    """Warnings about filters that leave no match of a rule.

    Args:
        rules: The rules, narrowed by their filters.
        filters: The definitions of the filters.
        declared: The log source of the records.
    """
    aws = (declared.product or "").lower() == "aws"
    about = {each.metadata.id: each for each in filters}
    for rule in rules:
        if (found := masked_by(rule, aws=aws)) is not None:
            each = about[found]
            reason = f"the filter takes away every match of the rule {quoted(rule.metadata.title)}"
            yield RuleError(
                "condition", reason, path=each.metadata.path, line=each.conditions[0].line, rule=each.metadata.title,
                remedy="Make it narrower, or leave the rule out if that is meant.", severity="warning",
            )  # fmt: skip


def _detection_doubts(
    document: Document, rule: ir.DetectionRule, located: Located, declared: ir.LogSource
) -> Iterator[RuleError]:
    aws = (declared.product or "").lower() == "aws"
    detection = document.value["detection"]
    for name, definition in detection.items():
        if name == "condition":
            continue
        for key, values, way in items_of(definition, ("detection", name)):
            listed: Sequence[Any] = values if isinstance(values, list) else (values,)
            if key is not None and (doubt := field_doubt(key, aws=aws)) is not None:
                reason, remedy = doubt
                yield located.warning("schema", reason, way, remedy)
            yield from value_doubts(key, listed, way, located, aws=aws)
    if document.comments:
        yield from _comment_doubts(document, located)
    yield from condition_doubts(rule, located, aws=aws)


def _comment_doubts(document: Document, located: Located) -> Iterator[RuleError]:
    """Warnings about comments that may have been meant as part of a value."""
    lines = {place.line for way, place in document.values.items() if way[:1] == ("detection",) and len(way) > 2}
    for place, comment in document.comments:
        if place.line in lines:
            reason = f"{quoted(comment)} is a comment, and not a part of the value"
            remedy = "Put the value in quotation marks, or write a blank behind the #."
            yield located.at(place, "value", reason, remedy, "warning")
