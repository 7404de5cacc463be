"""IR → Python source of a predicate.

The source defines `predicate(record) -> bool` with the functions of `runtime.py`. Rule text enters it only through
`repr` of strings, numbers and booleans that `_literal` has checked: never as a name, never in a comment. The same rule
gives the same text. Its size is linear in that of the rule, and it nests no deeper than `_MOST_NESTED`, whatever the
rule: long runs of `and` and `or` stay flat, and deep parts become functions of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from cloudsigma import ir
from cloudsigma.engine.evaluate.calls import PLAIN, Argument, Call, calls
from cloudsigma.ir.walk import Joint, Leaf, Node, fold, members_of, names_in

_WIDTH = 100
_INDENT = "    "
_MOST_NESTED = 20
"""Deepest nesting of brackets in an expression; Python allows 200."""


class Line(NamedTuple):
    """A line of source, and the line of the rule that it came from."""

    text: str
    rule_line: int | None = None


@dataclass(frozen=True)
class Program:
    """The parts of a predicate's source; `loading` turns them into the function."""

    constants: tuple[tuple[str, Call], ...]
    """The tests and field readers that the functions use, by name."""
    functions: tuple[tuple[Line, ...], ...]
    """The definitions; the last is that of `predicate`. No text of the rule is in them."""
    fields: frozenset[str | None]
    """The fields that it reads; `None` is the whole record."""
    selections: tuple[str, ...] | None = None
    """Names of the selections that become `selection_0`, `selection_1` and so on, of a whole rule."""
    files: tuple[tuple[str, str], ...] = ()
    """Functions added by Sigma filters → the filter's file. Lines of other functions refer to the rule's file."""

    @property
    def size(self) -> int:
        """How many lines the functions have."""
        return sum(map(len, self.functions))

    @cached_property
    def source(self) -> str:
        """The whole source: constants first, and behind each line the line of the rule."""
        readers = {call.arguments: name for name, call in self.constants if call.function == "field"}
        lines = []
        places: dict[str, str] = {}
        if self.selections is not None:
            lines += [_written("SELECTIONS = (", [_literal(name) for name in self.selections], ",)")]
            files = list(dict.fromkeys(file for _, file in self.files))
            lines += [_written("FILTERS = (", [_literal(file) for file in files], ",)"), ""] if files else [""]
            places = {name: f"FILTERS[{files.index(file)}]" for name, file in self.files}
        lines += [f"{name} = {_written_call(call, readers)}" for name, call in self.constants]
        for function in self.functions:
            where = places.get(_name_of(function), "rule")
            lines += ["", "", *(_with_comment(line, where) for line in function)]
        return "\n".join([*lines, ""])


def generate(rule: ir.DetectionRule) -> Program:
    """Write the predicate of a detection rule: a function for each selection that its conditions use."""
    writer = _Writer()
    used = {name for condition in rule.conditions for name in names_in(condition.expression)}
    selections = [selection for selection in rule.selections if selection.name in used]
    names = {selection.name: f"selection_{at}" for at, selection in enumerate(selections)}
    for selection in selections:
        writer.file = selection.path
        writer.define(names[selection.name], selection.line, writer.code(selection.body))
    writer.file = None
    alternatives = [writer.code(each.expression, names, each.line) for each in rule.conditions]
    writer.define("predicate", rule.conditions[0].line, writer.joined(alternatives, "or"))
    return writer.program(tuple(selection.name for selection in selections))


def generate_part(body: ir.Group | ir.Test) -> Program:
    """Write the predicate of one test, or of the tests that partial evaluation leaves of a rule."""
    writer = _Writer()
    if isinstance(body, ir.Group):
        for shared in _repeated(body):
            writer.share(shared)
    code = writer.code(body)
    writer.define("predicate", code.lines[0].rule_line, code)
    return writer.program()


def generate_verdicts(tests: Sequence[ir.Test]) -> Program:
    """Write a function `predicate` that gives the verdict of each test, as a tuple."""
    writer = _Writer()
    lines = [line for test in tests for line in writer.items(writer.code(test))]
    first = lines[0].rule_line if lines else None
    writer.define("predicate", first, _Code((Line("(", first), *lines, Line(")", first))))
    return writer.program()


def _repeated(body: ir.Group | ir.Test) -> list[ir.Group]:
    """The groups that occur in a body more than once, as one object, inner ones first."""
    seen: set[int] = set()
    repeated: dict[int, ir.Group] = {}
    waiting: list[Node] = [body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ir.Group):
            if id(node) in seen:
                repeated[id(node)] = node
                continue
            seen.add(id(node))
            waiting.extend(members_of(node))
    return list(repeated.values())


class _Code(NamedTuple):
    """An expression: lines, the operator at the start of each but the first."""

    lines: tuple[Line, ...]
    operator: Literal["", "not", "and", "or"] = ""
    """The operator that joins its parts; empty for a call."""
    nested: int = 0
    """How deep its brackets nest."""


class _Writer:
    """Collects constants and functions."""

    def __init__(self) -> None:
        self._constants: dict[Call, str] = {}
        self._counts: dict[str, int] = {}
        self._functions: list[tuple[Line, ...]] = []
        self._shared: dict[int, str] = {}
        self._fields: set[str | None] = set()
        self._files: list[tuple[str, str]] = []
        self.file: str | None = None
        """The file of the filter that functions are written for; `None` for the rule's own."""

    def program(self, selections: tuple[str, ...] | None = None) -> Program:
        constants = tuple([(name, call) for call, name in self._constants.items()])
        return Program(constants, tuple(self._functions), frozenset(self._fields), selections, tuple(self._files))

    # --- functions --------------------------------------------------------------------------------------------

    def define(self, name: str, rule_line: int | None, code: _Code) -> None:
        head = Line(f"def {name}(record):", rule_line)
        if self.file is not None:
            self._files.append((name, self.file))
        if len(code.lines) == 1:
            text, line = code.lines[0]
            self._functions.append((head, Line(f"{_INDENT}return {text}", line)))
            return
        inner = [Line(f"{_INDENT * 2}{text}", line) for text, line in code.lines]
        self._functions.append((head, Line(f"{_INDENT}return (", rule_line), *inner, Line(f"{_INDENT})", rule_line)))

    def items(self, code: _Code) -> list[Line]:
        """An expression as an item of a tuple."""
        *lines, last = code.lines
        return [
            *(Line(f"{_INDENT}{text}", line) for text, line in lines),
            Line(f"{_INDENT}{last.text},", last.rule_line),
        ]

    def share(self, group: ir.Group) -> None:
        """Write one function for a group that occurs several times."""
        self._shared[id(group)] = self._apart(self.code(group)).lines[0].text

    def _apart(self, code: _Code) -> _Code:
        """Move an expression into a new function, and return the call."""
        name = self._numbered("part")
        self.define(name, code.lines[0].rule_line, code)
        return _Code((Line(f"{name}(record)", code.lines[0].rule_line),))

    # --- expressions ------------------------------------------------------------------------------------------

    def code(self, node: Node, functions: dict[str, str] | None = None, rule_line: int | None = None) -> _Code:
        """A condition, whose names become calls of `functions`, or the body of a selection."""

        def leaf(part: Leaf, _: bool) -> _Code:  # noqa: FBT001  # the form that `fold` asks for
            if isinstance(part, ir.Identifier):
                return _Code((Line(f"{(functions or {})[part.name]}(record)", rule_line),))
            return self._test(part)

        def join(parts: list[_Code], all_of: bool, _: Joint) -> _Code:  # noqa: FBT001  # as above
            return self.joined(parts, "and" if all_of else "or")

        return fold(node, leaf, join, self._negated, self._shared_call if self._shared else None)

    def _shared_call(self, node: Node) -> _Code | None:
        name = self._shared.get(id(node))
        return _Code((Line(name),)) if name is not None else None

    def joined(self, parts: list[_Code], operator: Literal["and", "or"]) -> _Code:
        """Parts joined by the operator, on one line if they are short and come from one line of the rule."""
        if len(parts) == 1:
            return parts[0]
        parts = [self._apart(part) if part.nested > _MOST_NESTED else part for part in parts]
        nested = max([part.nested for part in parts]) + 1
        if short := _on_one_line(parts, operator):
            return _Code((short,), operator, nested)
        lines: list[Line] = []
        for at, part in enumerate(parts):
            first, *more = _bracketed(part) if part.operator in ("and", "or") else part.lines
            lines += [Line(f"{operator} {first.text}" if at else first.text, first.rule_line), *more]
        return _Code(tuple(lines), operator, nested)

    def _negated(self, part: _Code) -> _Code:
        if part.nested > _MOST_NESTED:
            part = self._apart(part)
        first, *more = _bracketed(part) if part.operator else part.lines
        return _Code((Line(f"not {first.text}", first.rule_line), *more), "not", part.nested + 1)

    def _test(self, test: ir.Test) -> _Code:
        if test.all_of:
            whole = self.joined([self._any_of(test, (matcher,)) for matcher in test.matchers], "and")
        else:
            whole = self._any_of(test, test.matchers)
        return self._negated(whole) if test.negated else whole

    def _any_of(self, test: ir.Test, matchers: tuple[ir.Matcher, ...]) -> _Code:
        """Calls joined by `or`, for matchers joined by `or`."""
        field, line = test.field, test.line
        self._fields.add(field)
        parts: list[_Code] = []
        for call in calls(matchers):
            function, arguments, options = call
            kind: Literal["", "not"] = ""
            if function == "present":
                text = f"{self._constant('TEST', Call('present', (field or '',)))}(record)"
                if arguments != (True,):
                    text, kind = f"not {text}", "not"
            elif function == "agrees":
                names = (field or "", *map(str, arguments))
                for name in names:
                    self._reader(name)
                self._fields.update(names)
                text = f"{self._constant('TEST', Call('agrees', names, options))}(record)"
            else:
                made = function if function in PLAIN else self._constant("TEST", call)
                text = f"{made}({self._reader(field)}(record))"
            parts.append(_Code((Line(text, line),), kind))
        return self.joined(parts, "or")

    # --- constants --------------------------------------------------------------------------------------------

    def _reader(self, name: str | None) -> str:
        return "everything" if name is None else self._constant("FIELD", Call("field", (name,)))

    def _constant(self, kind: str, call: Call) -> str:
        name = self._constants.get(call)
        if name is None:
            name = self._constants[call] = self._numbered(kind)
        return name

    def _numbered(self, kind: str) -> str:
        number = self._counts.get(kind, 0)
        self._counts[kind] = number + 1
        return f"{kind}_{number}"


def _on_one_line(parts: list[_Code], operator: str) -> Line | None:
    """Parts on one line, if they are short and come from one line of the rule."""
    rule_line, length = parts[0].lines[0].rule_line, len(_INDENT)
    texts = []
    for part in parts:
        if len(part.lines) > 1 or part.lines[0].rule_line != rule_line:
            return None
        text = part.lines[0].text
        length += len(text) + len(operator) + 4
        if length > _WIDTH:
            return None
        texts.append(f"({text})" if part.operator in ("and", "or") else text)
    return Line(f" {operator} ".join(texts), rule_line)


def _bracketed(code: _Code) -> list[Line]:
    if len(code.lines) == 1:
        return [Line(f"({code.lines[0].text})", code.lines[0].rule_line)]
    first, last = code.lines[0].rule_line, code.lines[-1].rule_line
    return [Line("(", first), *(Line(f"{_INDENT}{text}", line) for text, line in code.lines), Line(")", last)]


# --- text of the source -------------------------------------------------------------------------------------


def _literal(value: object) -> str:
    """Source text of a value that is safe to write: a string, a finite number, a boolean, a wildcard, a tuple."""
    if type(value) is tuple:
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, ir.Wildcard):
        return value.name
    if type(value) is str or type(value) is bool:
        return repr(value)
    if type(value) is int:
        return repr(value) if value.bit_length() < _PLAIN_BITS else hex(value)
    if type(value) is float and math.isfinite(value):
        return repr(value)
    msg = f"no literal for a {type(value).__name__}"
    raise TypeError(msg)


_PLAIN_BITS = 1_900
"""Python writes smaller integers in decimal under any limit of digits."""


def _written_call(call: Call, readers: Mapping[tuple[Argument, ...], str]) -> str:
    if call.function == "agrees":
        arguments = [readers[(name,)] for name in call.arguments]
    else:
        arguments = [_literal(argument) for argument in call.arguments]
    arguments += [f"{name}={_literal(value)}" for name, value in call.options]
    return _written(f"{call.function}(", arguments, ")")


def _written(opening: str, arguments: list[str], closing: str) -> str:
    """A call or a tuple: on one line if it is short, otherwise with one argument per line."""
    tuple_of_one = closing == ",)" and len(arguments) == 1
    written = f"{opening}{', '.join(arguments)}{',)' if tuple_of_one else ')'}"
    if len(written) <= _WIDTH or len(arguments) == 1:
        return written
    return "\n".join([opening, *(f"{_INDENT}{argument}," for argument in arguments), ")"])


def _with_comment(line: Line, where: str) -> str:
    bracket = line.text.endswith("(") or line.text.lstrip() == ")"
    return line.text if bracket or line.rule_line is None else f"{line.text}  # {where} line {line.rule_line:d}"


def _name_of(function: tuple[Line, ...]) -> str:
    return function[0].text.removeprefix("def ").removesuffix("(record):")
