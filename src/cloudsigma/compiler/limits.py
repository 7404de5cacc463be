"""Limits on the cost of a rule, each with a name: in arguments, in the option `--rule-limit` and in messages.

They stop rules that are written to exhaust time or memory: a rule of 300 bytes can ask for millions of values. Ordinary
rules stay far below; a rule that exceeds a limit is an error that names the limit, its value and the option.
"""

from __future__ import annotations

import msgspec

from cloudsigma.errors import UsageError


class RuleLimits(msgspec.Struct, frozen=True):
    """Limits on the cost of a rule.

    Raises `UsageError` where a bound is not a whole number above 0.
    """

    file: int = 10 << 20
    """Bytes of one file of rules, placeholders or a pipeline."""
    documents: int = 10_000
    """YAML documents of one file."""
    nodes: int = 200_000
    """Keys, values, maps and lists of one YAML document; an alias counts as the nodes that it repeats."""
    modifiers: int = 20
    """Modifiers of one field."""
    expansions: int = 10_000
    """Variants of one value: `base64offset` makes three, `windash` up to 125, a placeholder one for each value."""
    variants: int = 50_000
    """Variants that modifiers make of all values of one rule."""
    characters: int = 4_000_000
    """Characters that modifiers make of the values of one rule, or that a pipeline makes of one value."""
    names: int = 5_000
    """Fields that a pipeline makes of one rule where it maps a name to several."""
    searches: int = 3
    """`..` in one entry of `fields`: each searches everything that the one before has found."""
    correlation_depth: int = 10
    """Correlations in a chain in which each refers to the next."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise UsageError(f"the rule limit {name} is {value!r}; give a whole number above 0")

    def said(self, name: str) -> str:
        """A limit in words, to follow "more than" in a message: its value, its name, and what changes it."""
        value: int = getattr(self, name)
        return f"{value:,} (the limit {name!r}; --rule-limit {name}=N changes it)"


DEFAULT_LIMITS = RuleLimits()
"""The default limits."""
