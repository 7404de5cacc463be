"""A predicate's source → the function that runs, in a closed namespace.

The functions of a program contain no text of a rule, only names such as `TEST_0`, so programs of one shape share their
code. The calls in the source create the constants. A traceback through a predicate shows the file of the rule and the
lines of its tests.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import CodeType, FunctionType
from typing import Any

from cloudsigma.engine.evaluate import runtime
from cloudsigma.engine.evaluate.calls import Call
from cloudsigma.engine.evaluate.codegen import Program
from cloudsigma.engine.memo import Budget

Predicate = Callable[[Mapping[str, Any]], bool]

_VERDICTS = 2_000
"""Most texts whose verdict one costly test caches."""
_LARGE = 200
"""Longer shapes are not shared, in lines: keeping their code costs more memory than it saves time."""
_MODULE = {"__builtins__": {}, "__name__": "cloudsigma.generated"}
_SURROUNDINGS = {**_MODULE, **{name: runtime.FUNCTIONS[name] for name in ("everything", "has_value", "is_null")}}


class Vocabulary:
    """Loads predicates, which share equal tests and cache verdicts on texts within one budget."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._functions = dict(runtime.FUNCTIONS)
        for name in runtime.REMEMBERING:
            self._functions[name] = partial(runtime.FUNCTIONS[name], remember=self._remember)
        self._made: dict[Call, Any] = {}

    def load(self, program: Program, file: str) -> Predicate:
        """The predicate of a program; tracebacks show `file` (the rule's, or its ID)."""
        texts, lines = zip(*[line for function in program.functions for line in function], strict=True)
        first = min([line for line in lines if line is not None], default=1)
        code = _code if len(texts) <= _LARGE else _code.__wrapped__
        namespace = {**_SURROUNDINGS, **{name: self._constant(call) for name, call in program.constants}}
        files = dict(program.files)
        for each in code("\n".join(texts), tuple([0 if line is None else line - first for line in lines])):
            moved = each.replace(
                co_filename=files.get(each.co_name, file), co_firstlineno=each.co_firstlineno + first - 1
            )
            namespace[each.co_name] = FunctionType(moved, namespace)
        predicate: Predicate = namespace["predicate"]
        return predicate

    def load_source(self, source: str, name: str) -> Predicate:
        """The predicate of a whole source text, which must come from `codegen`.

        Tracebacks show its lines, under a file name made of `name`.
        """
        filename = f"<cloudsigma predicate of {name}>"
        namespace = {**_MODULE, **self._functions}
        exec(compile(source, filename, "exec", dont_inherit=True), namespace)  # noqa: S102  # text of `codegen` only
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        predicate: Predicate = namespace["predicate"]
        return predicate

    def _constant(self, call: Call) -> Any:
        made = self._made.get(call)
        if made is None:
            made = self._made[call] = self._make(call)
        return made

    def _make(self, call: Call) -> Any:
        make = self._functions[call.function]
        if call.function == "agrees":
            return make(*[self._constant(Call("field", (name,))) for name in call.arguments], **dict(call.options))
        return make(*call.arguments, **dict(call.options))

    def _remember(self, test: runtime.TextTest) -> runtime.TextTest:
        return self._budget.memo(test, entries=_VERDICTS, size=lambda _: 0).__getitem__


def load(source: str, name: str) -> Predicate:
    """`Vocabulary.load_source`, with a separate cache for the predicate."""
    return Vocabulary(Budget(_OWN_BYTES)).load_source(source, name)


_OWN_BYTES = 1 << 20
"""Bytes that a predicate loaded alone may cache."""


def load_alone(program: Program, file: str) -> Predicate:
    """`Vocabulary.load`, with a separate cache for the predicate."""
    return Vocabulary(Budget(_OWN_BYTES)).load(program, file)


@lru_cache(maxsize=1_000)
def _code(text: str, rule_lines: tuple[int, ...]) -> tuple[CodeType, ...]:
    """Compile functions; for each line of their text the line of the rule is given, counted from 0."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt, ast.arg)):
            node.lineno = node.end_lineno = rule_lines[node.lineno - 1] + 1
            node.col_offset = node.end_col_offset = 0
    module = compile(tree, "<cloudsigma>", "exec", dont_inherit=True)
    return tuple(each for each in module.co_consts if isinstance(each, CodeType))
