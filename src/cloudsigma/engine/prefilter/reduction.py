"""Reduces a rule for a pair of event name and source: partial evaluation, then a predicate."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, cast

from cloudsigma import ir
from cloudsigma.engine.evaluate.codegen import Program, generate_part, generate_verdicts
from cloudsigma.engine.evaluate.loading import Predicate, Vocabulary
from cloudsigma.engine.prefilter.partial import Body, PartialEvaluator, determined_by
from cloudsigma.ir.walk import all_tests

_FUNCTION = 2_000
"""Bytes of a predicate, without its lines."""
_LINE = 400
"""Bytes of a line of a predicate with its constants."""


class Residual(NamedTuple):
    """A reduced rule."""

    test: Predicate
    fields: frozenset[str | None]
    """The fields that it reads; `None` is the whole record."""
    size: int
    """Bytes that it takes, estimated."""


class Reducible:
    """A rule, and the tests in it that some fields decide."""

    def __init__(self, rule: ir.DetectionRule, names: Collection[str], vocabulary: Vocabulary) -> None:
        self._rule = rule
        self._vocabulary = vocabulary
        self._evaluator = PartialEvaluator(rule)
        tests = {id(test): test for test in all_tests(rule) if determined_by(test, names)}
        self._deciding = list(tests)
        self._evaluate = self._load(generate_verdicts(list(tests.values()))) if tests else _no_verdicts

    def verdicts(self, record: Mapping[str, Any]) -> bytes:
        """The verdict of each of these tests on a record, which may be reduced to these fields."""
        return bytes(cast("tuple[bool, ...]", self._evaluate(record)))

    def reduce(self, verdicts: bytes) -> bool | Body:
        """The rule reduced by these verdicts."""
        known = {test: bool(verdict) for test, verdict in zip(self._deciding, verdicts, strict=True)}
        return self._evaluator.reduce(lambda test, _: known.get(id(test)))

    def residual(self, verdicts: bytes) -> bool | Residual:
        """The reduced rule as a predicate."""
        body = self.reduce(verdicts)
        if isinstance(body, bool):
            return body
        program = generate_part(body)
        return Residual(self._load(program), program.fields, _FUNCTION + _LINE * program.size)

    def _load(self, program: Program) -> Predicate:
        return self._vocabulary.load(program, self._rule.metadata.path or self._rule.metadata.id)


def _no_verdicts(_: object) -> Any:
    return ()
