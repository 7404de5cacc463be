"""Corrections of pySigma's transformations, and refusals where a transformation would change the meaning of a rule.

- Placeholders are filled before modifiers are applied, and their values are literal in regular expressions.
- Text that `base64` or `wide` has encoded cannot be changed; numbers keep all their digits.
- The names, values and characters that a pipeline may produce for one rule are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sigma.exceptions import SigmaTransformationError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import (
    ConvertTypeTransformation,
    NestedProcessingTransformation,
    ReplaceStringTransformation,
    ValueListPlaceholderTransformation,
    WildcardPlaceholderTransformation,
)
from sigma.processing.transformations.base import (
    FieldMappingTransformationBase,
    StringValueTransformation,
    ValueTransformation,
)
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem
from sigma.types import Placeholder, SigmaNumber, SigmaString

from cloudsigma.compiler.expansion import ANY, fill
from cloudsigma.compiler.limits import RuleLimits

_ENCODINGS = frozenset({"base64", "base64offset", "wide", "utf16", "utf16le", "utf16be"})
_WHOLE = re.compile(r"[-+]?[0-9]+", re.ASCII)


@dataclass(slots=True)
class Budget:
    """Counts the names that mappings have given to the fields of the current rule."""

    limits: RuleLimits
    names: int = 0

    def start(self) -> None:
        """Reset for the next rule."""
        self.names = 0

    def take(self, names: int) -> None:
        """Count the names of one mapping to several; raises `SigmaTransformationError` beyond the limit."""
        self.names += names
        if self.names > self.limits.names:
            msg = f"it maps the fields of one rule to more names than {self.limits.said('names')}"
            raise SigmaTransformationError(msg)


def adapt(pipeline: ProcessingPipeline, budget: Budget, done: Callable[[SigmaDetectionItem], None]) -> None:
    """Replace or wrap the transformations of a pipeline that has just been made.

    Args:
        pipeline: The pipeline, which is changed.
        budget: Counts for one rule after another.
        done: Called with each item whose last placeholder was filled.
    """
    for item in _items(pipeline):
        kind = item.transformation
        match kind:
            case ValueListPlaceholderTransformation() | WildcardPlaceholderTransformation():
                _set(kind, "apply_detection_item", _filling(kind, done))
            case FieldMappingTransformationBase():
                _set(kind, "apply_field_name", _counting(kind.apply_field_name, budget))
            case ValueTransformation():
                _set(kind, "apply_detection_item", _careful(kind, kind.apply_detection_item, budget.limits))


def _set(transformation: Any, method: str, replacement: Callable[..., Any]) -> None:
    setattr(transformation, method, replacement)


def _items(pipeline: ProcessingPipeline) -> Iterator[ProcessingItem]:
    for item in pipeline.items:
        if isinstance(item.transformation, NestedProcessingTransformation):
            yield from _items(item.transformation._nested_pipeline)  # noqa: SLF001  # there is no public way
        else:
            yield item


def _filling(
    kind: ValueListPlaceholderTransformation | WildcardPlaceholderTransformation,
    done: Callable[[SigmaDetectionItem], None],
) -> Callable[[SigmaDetectionItem], SigmaDetectionItem | None]:
    def choices(name: str) -> Sequence[Any] | None:
        if not kind.is_handled_placeholder(Placeholder(name)):
            return None
        if isinstance(kind, WildcardPlaceholderTransformation):
            return (ANY,)
        variables = kind._pipeline.vars if kind._pipeline is not None else {}  # noqa: SLF001  # as above
        if name not in variables:
            return None  # reported once the whole pipeline has been applied
        values = variables[name]
        return [str(value) for value in (values if isinstance(values, list) else [values])]

    def apply_detection_item(item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        if getattr(item.source, "pending", None) is None or not fill(item, choices):
            return None
        if getattr(item.source, "pending", None) is None:
            done(item)
        return item

    return apply_detection_item


def _counting(apply_field_name: Callable[[str | None], Any], budget: Budget) -> Callable[[str | None], Any]:
    def counted(field: str | None) -> Any:
        found = apply_field_name(field)
        if isinstance(found, list):
            budget.take(len(found))
        return found

    return counted


def _careful(
    kind: ValueTransformation,
    apply: Callable[[SigmaDetectionItem], SigmaDetectionItem | SigmaDetection | None],
    limits: RuleLimits,
) -> Callable[[SigmaDetectionItem], SigmaDetectionItem | SigmaDetection | None]:
    def apply_detection_item(item: SigmaDetectionItem) -> SigmaDetectionItem | SigmaDetection | None:
        source: Any = item.source
        if isinstance(kind, ReplaceStringTransformation):
            _check_growth(kind, item, limits)
        if getattr(source, "pending", None) is not None:
            if any(_changes(kind, item.field, text) for text in map(_placeholder_text, source.written)):
                msg = "it changes a value whose placeholders have no values yet; fill them in an earlier transformation"
                raise SigmaTransformationError(msg)
            return None
        if isinstance(kind, StringValueTransformation) and not _ENCODINGS.isdisjoint(getattr(source, "modifiers", ())):
            if any(_changes(kind, item.field, SigmaString(str(value))) for value in source.written):
                names = " and ".join(name for name in source.modifiers if name in _ENCODINGS)
                msg = f"it changes the text of {item.field or 'a keyword'!r}, which {names} has encoded before"
                raise SigmaTransformationError(msg)
            return None
        old = item.value
        made = apply(item)
        if isinstance(made, SigmaDetectionItem):
            _check_values(made, limits)
            if isinstance(kind, ConvertTypeTransformation):
                _keep_digits(old, made)
        return made

    return apply_detection_item


def _placeholder_text(value: Any) -> SigmaString:
    return SigmaString(str(value)).insert_placeholders()


def _changes(kind: ValueTransformation, field: str | None, value: SigmaString) -> bool:
    made = kind.apply_value(field, value)
    return made is not None and not (isinstance(made, SigmaString) and made.s == value.s)


def _check_growth(kind: ReplaceStringTransformation, item: SigmaDetectionItem, limits: RuleLimits) -> None:
    """Refuse a replacement that could exceed the limit, before it runs."""
    groups = kind.replacement.count("\\")
    for value in item.value:
        length = len(value) if isinstance(value, SigmaString) else 0
        if (length + 1) * (len(kind.replacement) + groups * length) > max(limits.characters, 100 * (length + 1)) * 10:
            msg = f"the replacement may make more characters than {limits.said('characters')}"
            raise SigmaTransformationError(msg)


def _check_values(item: SigmaDetectionItem, limits: RuleLimits) -> None:
    if len(item.value) > limits.variants:
        msg = f"it makes more values than {limits.said('variants')}"
        raise SigmaTransformationError(msg)
    if sum(len(value) for value in item.value if isinstance(value, SigmaString)) > limits.characters:
        msg = f"it makes more characters than {limits.said('characters')}"
        raise SigmaTransformationError(msg)


def _keep_digits(old: Sequence[Any], item: SigmaDetectionItem) -> None:
    """Give numbers that were converted from text all the digits of the text."""
    if len(old) != len(item.value):
        return
    for was, value in zip(old, item.value, strict=True):
        text = str(was)
        if isinstance(value, SigmaNumber) and isinstance(was, SigmaString) and _WHOLE.fullmatch(text):
            value.number = int(text)
