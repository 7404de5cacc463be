"""The intermediate representation (IR) of rules, passed from the compile side to the run side.

Everything here is frozen, compares by value, hashes and pickles, and holds nothing compiled: no regular
expression object, no pySigma object, no YAML. Patterns are kept as parts, never as one string, since a string
with escaped wildcards does not always read back as itself.

Each class names the section of the Sigma specification 2.1.0 that it represents.
"""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import Any, Literal

import msgspec

CompareOperator = Literal["lt", "lte", "gt", "gte"]
TimeUnit = Literal["minute", "hour", "day", "week", "month", "year"]
Comparison = Literal["equals", "startswith", "endswith", "contains"]


class _Node(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True, tag_field="kind"):
    """Every class is one of msgspec's, so that rules can be written to a file as data and read from it quickly.

    No value can hold itself, so the garbage collector need not look at them (`gc=False`).
    """


class Wildcard(Enum):
    """A wildcard of a pattern (Rules, Wildcards)."""

    ONE = 1  # numbers, to distinguish them from texts in a file
    MANY = 2

    @property
    def symbol(self) -> str:
        """As written in a rule."""
        return "?" if self is Wildcard.ONE else "*"

    def __repr__(self) -> str:
        return f"Wildcard.{self.name}"


# --- matchers: one value of a rule, compared with one value of a record -------------------------------------


class Pattern(_Node, frozen=True):
    """A string with wildcards, compared with the whole text of a value (Rules, Detection; Wildcards)."""

    parts: tuple[str | Wildcard, ...]
    cased: bool = False

    def __str__(self) -> str:
        return "".join(part.symbol if isinstance(part, Wildcard) else _escape_wildcards(part) for part in self.parts)


def _escape_wildcards(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


class Regex(_Node, frozen=True):
    """An expression in RE2 syntax, searched in the text of a value (Modifiers, re)."""

    pattern: str
    flags: str = ""
    """Some of the letters `i`, `m`, `s`, in this order."""

    def __str__(self) -> str:
        return self.pattern


class Cidr(_Node, frozen=True):
    """A network that an address must lie in (Modifiers, cidr)."""

    network: str

    def __str__(self) -> str:
        return self.network


class Number(_Node, frozen=True):
    """A number that the number of a value must equal (Rules, Detection)."""

    value: int | float

    def __str__(self) -> str:
        return str(self.value)


class Boolean(_Node, frozen=True):
    """A YAML boolean (Rules, Detection)."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


class Null(_Node, frozen=True):
    """The field has no value: missing, null, or nothing but nulls inside (Rules, Special Field Values)."""

    def __str__(self) -> str:
        return "null"


class Exists(_Node, frozen=True):
    """The field is present, or absent (Modifiers, exists)."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


class Compare(_Node, frozen=True):
    """An order between numbers (Modifiers, lt, lte, gt, gte)."""

    operator: CompareOperator
    value: int | float

    def __str__(self) -> str:
        return str(self.value)


class TimePart(_Node, frozen=True):
    """A part of a time in UTC (Modifiers, minute to year)."""

    unit: TimeUnit
    operator: CompareOperator | Literal["eq"]
    value: int

    def __str__(self) -> str:
        return str(self.value)


class FieldRef(_Node, frozen=True):
    """A comparison with another field of the same record (Modifiers, fieldref)."""

    field: str
    comparison: Comparison = "equals"
    cased: bool = False

    def __str__(self) -> str:
        return self.field


class OneOf(_Node, frozen=True):
    """The variants of one value of the rule (Modifiers, windash, base64offset)."""

    variants: tuple[Matcher, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.variants))


Matcher = Pattern | Regex | Cidr | Number | Boolean | Null | Exists | Compare | TimePart | FieldRef | OneOf


# --- selections ---


class Test(_Node, frozen=True):
    """One line of a selection: a field, its modifiers and its values (Rules, Detection)."""

    field: str | None
    """The dotted name, or `None` for keywords, which search every value of the record."""
    modifiers: tuple[str, ...]
    matchers: tuple[Matcher, ...]
    written: tuple[str, ...]
    """The values as the rule has them, one for each matcher."""
    all_of: bool = False
    """Every value must be met (`all`), not just one."""
    negated: bool = False
    """The whole test is negated (`neq`)."""
    line: int | None = None
    column: int | None = None

    __test__ = False  # not a test case, whatever pytest thinks of the name


class Group(_Node, frozen=True):
    """A map (all of its tests) or a list (any of its members) inside a selection (Rules, Lists and Maps)."""

    members: tuple[Group | Test, ...]
    all_of: bool


class Selection(_Node, frozen=True):
    """A named search identifier (Rules, Detection)."""

    name: str
    body: Group | Test
    line: int | None = None
    filter: str | None = None
    """The ID of the Sigma filter that added it, if one did."""
    path: str | None = None
    """The file of that filter; `line` and the lines of the tests are in it."""


# --- conditions ---


class Identifier(_Node, frozen=True):
    """A selection, by name."""

    name: str


class Quantified(_Node, frozen=True):
    """`1 of pattern` or `all of pattern`, with the names that match the pattern."""

    all_of: bool
    pattern: str
    names: tuple[str, ...]


class And(_Node, frozen=True):
    """Every operand."""

    operands: tuple[Expression, ...]


class Or(_Node, frozen=True):
    """At least one operand."""

    operands: tuple[Expression, ...]


class Not(_Node, frozen=True):
    """The negated operand."""

    operand: Expression


Expression = Identifier | Quantified | And | Or | Not


class Condition(_Node, frozen=True):
    """One condition of a rule: its expression and its text."""

    expression: Expression
    text: str
    line: int | None = None
    filters: tuple[str, ...] = ()
    """The IDs of the filters that narrow it: the expression is then an `And` of the rule's own and one for each."""


# --- field paths for context ---


class Key(_Node, frozen=True):
    """Step to some keys of an object."""

    names: tuple[str, ...]


class Index(_Node, frozen=True):
    """Step to some elements of an array; negative ones count from the end."""

    positions: tuple[int, ...]


class Every(_Node, frozen=True):
    """Step to every element of an array and every value of an object."""


class Anywhere(_Node, frozen=True):
    """Step to every node at any depth, this one included."""


Step = Key | Index | Every | Anywhere


class FieldPath(_Node, frozen=True):
    """An entry of a rule's `fields`: a dotted Sigma name, or a JSONPath with its steps."""

    name: str
    steps: tuple[Step, ...] | None = None
    """The steps of a JSONPath; `None` for a dotted name."""


# --- rules ---


class LogSource(_Node, frozen=True):
    """The logs that a rule is for (Rules, Log Source)."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def covers(self, declared: LogSource) -> bool:
        """Whether it covers records of the log source `declared`: every given attribute is equal, case aside."""
        wanted = (self.category, self.product, self.service)
        given = (declared.category, declared.product, declared.service)
        return all(
            want is None or want.lower() == (have or "").lower() for want, have in zip(wanted, given, strict=True)
        )

    def __str__(self) -> str:
        named = {"product": self.product, "category": self.category, "service": self.service}
        return " ".join(f"{name}={value}" for name, value in named.items() if value is not None)


class Metadata(_Node, frozen=True):
    """Everything about a rule that does not decide whether it matches (Rules, Schema)."""

    id: str
    """As written, or made from the content if the rule has none."""
    title: str
    name: str | None = None
    description: str | None = None
    level: str | None = None
    status: str | None = None
    author: str | None = None
    date: dt.date | None = None
    modified: dt.date | None = None
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    license: str | None = None
    custom: dict[str, Any] = {}
    """Custom attributes, which Sigma does not define."""
    path: str | None = None
    line: int | None = None
    digest: str = ""
    """SHA-256 of the rule's content, independent of its file's path."""

    def __hash__(self) -> int:
        return hash((self.id, self.path, self.line, self.digest))


class DetectionRule(_Node, frozen=True):
    """A rule that matches single records."""

    metadata: Metadata
    logsource: LogSource
    selections: tuple[Selection, ...]
    conditions: tuple[Condition, ...]
    """Several conditions are alternatives."""
    field_paths: tuple[FieldPath, ...] = ()


# --- correlations -------------------------------------------------------------------------------------------

CorrelationType = Literal[
    "event_count", "value_count", "temporal", "temporal_ordered",
    "value_sum", "value_avg", "value_percentile", "value_median",
]  # fmt: skip


class Threshold(_Node, frozen=True):
    """The bound of the measured value of a time frame (Correlation, Condition)."""

    operator: CompareOperator | Literal["eq", "neq"]
    value: int | float
    fields: tuple[str, ...] = ()
    """The field or fields that are measured, for the types that measure one."""
    percentile: int | None = None


class Alias(_Node, frozen=True):
    """A name for a field that is called differently in each rule (Correlation, Field Name Aliases)."""

    name: str
    fields: tuple[tuple[str, str], ...]
    """Rule ID → field name."""


class CorrelationRule(_Node, frozen=True):
    """A rule over the matches of other rules (Correlation)."""

    metadata: Metadata
    type: CorrelationType
    rules: tuple[str, ...]
    """IDs of the rules it refers to, in the order of the rule, which matters for `temporal_ordered`."""
    group_by: tuple[str, ...]
    timespan: int
    """Seconds."""
    threshold: Threshold | None
    """`None` if `expression` is used."""
    expression: Expression | None = None
    """An extended condition: its identifiers are rule IDs."""
    aliases: tuple[Alias, ...] = ()
    generate: bool = False
    """Whether the rules it refers to are reported as well."""
    field_paths: tuple[FieldPath, ...] = ()
    time_field: str = "eventTime"
    """The field with the time of an event; a pipeline may map `eventTime` to another one."""
