"""Entries of a rule's `fields` → paths of the IR; the only home of jsonpath-ng.

A name that starts with `$` is a JSONPath and is parsed once, here, into steps that the run side walks by itself.
The subset selects parts of a record: keys, positions, `[*]`, `.*` and `..key`. Filters and arithmetic are refused.
"""

from __future__ import annotations

from typing import Any

from jsonpath_ng import jsonpath
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.parser import parse

from cloudsigma import ir
from cloudsigma.compiler.limits import DEFAULT_LIMITS, RuleLimits


class FieldPathProblem(Exception):  # noqa: N818  # caught in `compiler` and turned into a RuleError with its place
    """Why a JSONPath cannot be used."""


def parse_field_path(name: str, limits: RuleLimits = DEFAULT_LIMITS) -> ir.FieldPath:
    """The path of one entry of `fields`; raises `FieldPathProblem`."""
    if not name.startswith("$"):
        return ir.FieldPath(name)
    if name.count("..") > limits.searches:
        msg = f"it has more `..` than {limits.said('searches')}"
        raise FieldPathProblem(msg)
    try:
        tree = parse(name)
    except (JSONPathError, RecursionError) as error:
        raise FieldPathProblem(str(error).splitlines()[0]) from error
    return ir.FieldPath(name, tuple(_steps(tree)))


def _steps(node: Any) -> list[ir.Step]:
    match node:
        case jsonpath.Root() | jsonpath.This():
            return []
        case jsonpath.Child():
            return _steps(node.left) + _steps(node.right)
        case jsonpath.Descendants():
            return [*_steps(node.left), ir.Anywhere(), *_steps(node.right)]
        case jsonpath.Wildcard():
            return [ir.Every()]
        case jsonpath.Fields():
            return [ir.Key(tuple(map(str, node.fields)))]
        case jsonpath.Index():
            return [ir.Index(tuple(map(int, node.indices)))]
        case jsonpath.Slice() if (node.start, node.end, node.step) == (None, None, None):
            return [ir.Every()]
    msg = f"{type(node).__name__.lower()} is not supported in a rule's fields"
    raise FieldPathProblem(msg)
