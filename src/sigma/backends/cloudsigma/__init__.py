"""The target `cloudsigma` of pySigma: rules that pySigma has loaded → predicates in Python.

pySigma finds it by its place in the namespace package `sigma.backends`, and imports it whenever it lists targets:
so nothing of cloudsigma is imported before a rule is converted.
"""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from sigma.conversion import base  # the module: an imported `Backend` would be listed as another target
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaConversionError, SigmaError, SigmaFeatureNotSupportedByBackendError
from sigma.rule import SigmaRule

__all__ = ["CloudsigmaBackend"]

_Callback = Callable[[SigmaRule | SigmaCorrelationRule, str | None, int, Any, Any], Any]


def _refuse(_self: object, *_: object, **__: object) -> NoReturn:
    raise SigmaFeatureNotSupportedByBackendError("cloudsigma converts whole rules, not parts of a query")


def _whole_rules(backend: type[base.Backend]) -> type[base.Backend]:
    """Fill in the methods that write parts of a query: this backend has no query."""
    for name in getattr(backend, "__abstractmethods__", ()):
        setattr(backend, name, _refuse)
    return abc.update_abstractmethods(backend)


@_whole_rules
class CloudsigmaBackend(base.Backend):
    """Converts each detection rule into the source of a module with `predicate(record) -> bool`."""

    name: ClassVar[str] = "cloudsigma: Python predicates over AWS CloudTrail records"
    identifier: ClassVar[str] = "cloudsigma"
    formats: ClassVar[dict[str, str]] = {
        "default": "Python source of a predicate, one module a rule",
        "ir": "What each rule means, as JSON objects",
    }
    requires_pipeline: ClassVar[bool] = False

    def convert_rule(
        self, rule: SigmaRule, output_format: str | None = None, callback: _Callback | None = None
    ) -> list[Any]:
        """The source of a rule, or its IR: a list with one entry, empty where a correlation hides the rule."""
        from cloudsigma.compiler.from_pysigma import convert
        from cloudsigma.errors import RuleError

        wanted = output_format or self.default_format
        if getattr(self, "last_processing_pipeline", None) is None:
            self.init_processing_pipeline(wanted)
        try:
            self.last_processing_pipeline.apply(rule)
            try:
                converted = convert(rule)
            except RuleError as error:
                raise SigmaConversionError(rule, rule.source, str(error)) from error
            result: Any = _plain(converted.definition) if wanted == "ir" else converted.source
            if callback is not None:
                result = callback(rule, wanted, 0, rule.detection.parsed_condition[0], result)
            if isinstance(result, str):
                result = self.last_processing_pipeline.postprocess_query(rule, result)
        except SigmaError as error:
            if not self.collect_errors:
                raise
            self.errors.append((rule, error))
            return []
        results = [] if result is None else [result]
        rule.set_conversion_result(results)
        return results if rule._output else []  # noqa: SLF001  # what every backend asks, and no public name

    def convert_correlation_rule(
        self,
        rule: SigmaCorrelationRule,
        output_format: str | None = None,
        method: str | None = None,
        callback: _Callback | None = None,
    ) -> list[Any]:
        """Refuse: a correlation counts matches over time, and no predicate over one record can."""
        del output_format, method, callback
        reason = "a correlation has no predicate: evaluate it with cloudsigma.compile_rules(…).evaluate(records)"
        refusal = SigmaFeatureNotSupportedByBackendError(reason, source=rule.source)
        if not self.collect_errors:
            raise refusal
        self.errors.append((rule, refusal))  # type: ignore[arg-type]  # as the base class does
        return []

    def finalize_output_ir(self, queries: list[Any]) -> list[Any]:
        """One JSON object a rule."""
        return queries


def _plain(value: Any) -> Any:
    """The IR in the forms that JSON has; `is` tells which kind of node an object was."""
    if hasattr(value, "symbol"):
        return {"is": "Wildcard", "value": value.symbol}
    if (names := getattr(value, "__struct_fields__", None)) is not None:
        members = {name: _plain(getattr(value, name)) for name in names}
        return {"is": type(value).__name__, **members}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value
