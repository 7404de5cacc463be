"""IR → Python source of a predicate.

The source defines `predicate(record) -> bool` in the vocabulary of `runtime.py`. Rule text enters it only
through `repr` of strings, numbers and booleans that `_literal` has checked: never as a name, never in a comment.
The same rule gives the same text, and each test carries the number of its line in the rule.
"""

from __future__ import annotations

import math

from cloudsigma import ir
from cloudsigma.engine.evaluate.calls import calls
from cloudsigma.ir.walk import names_in

_WIDTH = 100
_INDENT = "    "


def generate(rule: ir.DetectionRule) -> str:
    """Write the source of a detection rule's predicate."""
    return _Writer(rule).write()


def _literal(value: object) -> str:
    """Source text of a value that is safe to write: a string, a finite number, a boolean, a wildcard, a tuple."""
    if type(value) is tuple:
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, ir.Wildcard):
        return value.name
    if type(value) is str or type(value) is bool or type(value) is int:
        return repr(value)
    if type(value) is float and math.isfinite(value):
        return repr(value)
    msg = f"no literal for a {type(value).__name__}"
    raise TypeError(msg)


class _Writer:
    """Collects the constants while the functions are written, then puts the constants first."""

    def __init__(self, rule: ir.DetectionRule) -> None:
        self._rule = rule
        self._constants: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def write(self) -> str:
        rule = self._rule
        used = {name for condition in rule.conditions for name in names_in(condition.expression)}
        selections = [selection for selection in rule.selections if selection.name in used]
        self._functions = {selection.name: f"selection_{at}" for at, selection in enumerate(selections)}
        functions: list[str] = []
        for selection in selections:
            name = self._functions[selection.name]
            functions += ["", "", f"def {name}(record):{_comment(selection.line)}"]
            functions += self._returned(self._body(selection.body))
        functions += ["", "", f"def predicate(record):{_comment(rule.conditions[0].line)}"]
        alternatives = [self._expression(condition.expression) for condition in rule.conditions]
        functions += self._returned(_joined(alternatives, "or"))
        header = _call("SELECTIONS = ", [_literal(selection.name) for selection in selections])
        constants = [f"{name} = {value}" for value, name in self._constants.items()]
        return "\n".join([header, "", *constants, *functions, ""])

    # --- expressions: lists of source lines, the operators of a list at the start of its lines ---------------

    def _returned(self, lines: list[str]) -> list[str]:
        short = " ".join(line.strip() for line in lines).replace("( ", "(").replace(" )", ")")
        if len(lines) == 1 or (len(short) < _WIDTH and "#" not in short):
            return [f"{_INDENT}return {short}"]
        return [f"{_INDENT}return (", *(f"{_INDENT * 2}{line}" for line in lines), f"{_INDENT})"]

    def _expression(self, expression: ir.Expression) -> list[str]:
        match expression:
            case ir.Identifier(name):
                return [f"{self._functions[name]}(record)"]
            case ir.Quantified(all_of, _, names):
                calls = [[f"{self._functions[name]}(record)"] for name in names]
                return _joined(calls, "and" if all_of else "or")
            case ir.And(operands):
                return _joined([self._expression(operand) for operand in operands], "and")
            case ir.Or(operands):
                return _joined([self._expression(operand) for operand in operands], "or")
            case ir.Not(operand):
                return _negated(self._expression(operand))

    def _body(self, body: ir.Group | ir.Test) -> list[str]:
        if isinstance(body, ir.Test):
            return self._test(body)
        return _joined([self._body(member) for member in body.members], "and" if body.all_of else "or")

    def _test(self, test: ir.Test) -> list[str]:
        if test.all_of:
            tests = [self._one_of(test, (matcher,)) for matcher in test.matchers]
        else:
            tests = [self._one_of(test, test.matchers)]
        parts: list[str] = []
        for alternatives in tests:
            joined = " or ".join(alternatives)
            parts.append(f"({joined})" if len(alternatives) > 1 and len(tests) > 1 else joined)
        written = (" and " if test.all_of else " or ").join(parts)
        simple = len(tests) == 1 and len(tests[0]) == 1
        if test.negated:
            written = f"not {written}" if simple else f"not ({written})"
        elif not simple:
            written = f"({written})"
        return [written + _comment(test.line)]

    def _one_of(self, test: ir.Test, matchers: tuple[ir.Matcher, ...]) -> list[str]:
        """Calls of which one must be true, for matchers of which one must be met."""
        written: list[str] = []
        for function, arguments, cased in calls(matchers):
            how = ["cased=True"] if cased else []
            match function:
                case "is_null" | "has_value":
                    written.append(f"{function}({self._reader(test.field)}(record))")
                case "present":
                    call = f"{self._constant('TEST', f'present({_literal(test.field)})')}(record)"
                    written.append(call if arguments == (True,) else f"not {call}")
                case "agrees":
                    other, comparison = arguments
                    readers = [self._reader(test.field), self._reader(str(other))]
                    made = _call("agrees", [*readers, _literal(comparison), *how])
                    written.append(f"{self._constant('TEST', made)}(record)")
                case _:
                    made = _call(function, [*map(_literal, arguments), *how])
                    written.append(f"{self._constant('TEST', made)}({self._reader(test.field)}(record))")
        return written

    # --- constants --------------------------------------------------------------------------------------------

    def _reader(self, name: str | None) -> str:
        return "everything" if name is None else self._constant("FIELD", f"field({_literal(name)})")

    def _constant(self, kind: str, value: str) -> str:
        if value not in self._constants:
            self._constants[value] = f"{kind}_{self._counts.setdefault(kind, 0)}"
            self._counts[kind] += 1
        return self._constants[value]


# --- text of the source -------------------------------------------------------------------------------------


def _comment(line: int | None) -> str:
    return f"  # rule line {line:d}" if line is not None else ""


def _call(function: str, arguments: list[str]) -> str:
    opening, closing = (function, "") if function.endswith(" ") else (f"{function}(", ")")
    if not closing:  # a tuple on the right of an assignment
        trailing = "," if len(arguments) == 1 else ""
        opening, closing = f"{opening}(", f"{trailing})"
    written = f"{opening}{', '.join(arguments)}{closing}"
    if len(written) <= _WIDTH or len(arguments) == 1:
        return written
    return "\n".join([opening, *(f"{_INDENT}{argument}," for argument in arguments), ")"])


def _joined(operands: list[list[str]], operator: str) -> list[str]:
    """Operands with the operator between them; an operand of several lines gets brackets."""
    if len(operands) == 1:
        return operands[0]
    lines: list[str] = []
    for at, operand in enumerate(operands):
        prefix = f"{operator} " if at else ""
        if len(operand) == 1:
            lines.append(prefix + operand[0])
        else:
            lines += [f"{prefix}(", *(f"{_INDENT}{line}" for line in operand), ")"]
    return lines


def _negated(operand: list[str]) -> list[str]:
    if len(operand) == 1:
        return [f"not {operand[0]}"]
    return ["not (", *(f"{_INDENT}{line}" for line in operand), ")"]
