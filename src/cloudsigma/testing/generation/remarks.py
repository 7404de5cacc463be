"""Remarks on fields of a rule that the records of its call do not have: such a rule never matches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudsigma.testing.records.places import paths
from cloudsigma.testing.records.record import record
from cloudsigma.testing.solver.formula import RulePart


def remarks(parts: Iterable[RulePart], template: Mapping[str, Any] | None) -> Iterator[str]:
    """A sentence for each field of these tests that a record from the template lacks.

    Args:
        parts: The tests that the matching record passes because it has the field.
        template: The arguments of `testing.record`; `None` if the call has no template, and only members that all
            records have can be compared.
    """
    made = record(**template) if template is not None else record("iam:CreateUser")
    known = {name.lower(): name for name in _names(made, "")}
    call = template["call"] if template is not None else "a record"
    for field in dict.fromkeys(part.field for part in parts if part.field is not None):
        if next(paths(made, field), None) is not None:
            continue
        if (other := known.get(field.lower())) is not None:
            yield f"{call} has {other}, not {field}: the rule never matches a real record"
        elif template is not None and field.startswith(("requestParameters.", "responseElements.")):
            yield f"the template of {call} has no {field}: check the name against a real record"


def _names(node: Any, above: str) -> Iterator[str]:
    """The dotted names of all members."""
    for inner in node if isinstance(node, list) else ():
        yield from _names(inner, above)
    for key, value in node.items() if isinstance(node, Mapping) else ():
        name = f"{above}.{key}" if above else str(key)
        yield name
        yield from _names(value, name)
