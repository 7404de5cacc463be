"""A rule as its users see it: metadata, and source, predicate and evidence, each made on first use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from cloudsigma import ir
from cloudsigma.engine.evaluate import codegen, fields
from cloudsigma.engine.evaluate.evidence import evidence_of
from cloudsigma.engine.evaluate.explain import Evidence
from cloudsigma.engine.evaluate.loading import Predicate, load_alone
from cloudsigma.engine.json_form import safe
from cloudsigma.ir.identity import rule_identity


@dataclass(frozen=True)
class Rule:
    """A compiled rule; compares by meaning and metadata, and pickles as IR."""

    definition: ir.DetectionRule | ir.CorrelationRule
    """The rule as IR."""

    @cached_property
    def _program(self) -> codegen.Program | None:
        return codegen.generate(self.definition) if isinstance(self.definition, ir.DetectionRule) else None

    @property
    def source(self) -> str | None:
        """The generated Python source of the predicate; a correlation has none."""
        return self._program.source if self._program is not None else None

    @cached_property
    def predicate(self) -> Predicate | None:
        """The compiled function, `record -> bool`; it does not look at the log source and never raises on data."""
        return load_alone(self._program, self.path or self.id) if self._program is not None else None

    @cached_property
    def identity(self) -> str:
        """Hex digest of the definition: equal for equal rules, wherever their files are."""
        return rule_identity(self.definition)

    def evidence(self, record: Mapping[str, Any]) -> tuple[Evidence, ...]:
        """The evidence that this rule matches a record; empty for a correlation."""
        return evidence_of(self.definition, record) if isinstance(self.definition, ir.DetectionRule) else ()

    @cached_property
    def _shown(self) -> list[tuple[str, Callable[[Mapping[str, Any]], list[Any]]]]:
        return [(path.name, fields.selector(path)) for path in self.definition.field_paths]

    def shown(self, record: Mapping[str, Any]) -> dict[str, list[Any]]:
        """The values of the rule's `fields` in a record, by name."""
        return {name: select(record) for name, select in self._shown}

    def to_dict(self) -> dict[str, Any]:
        """The rule in the stable JSON form of a match."""
        return {
            "title": self.title,
            "level": self.level,
            "status": self.status,
            "author": self.author,
            "tags": list(self.tags),
            "references": list(self.references),
            "falsepositives": list(self.falsepositives),
            "description": self.description,
            "path": self.path,
            "line": self.line,
        }

    @cached_property
    def heading(self) -> bytes:
        """The beginning of a match's JSON: a `%` template for the match's key and the members after the rule."""
        said = safe(msgspec.json.encode(self.to_dict()))
        rule_id = safe(msgspec.json.encode(self.id))
        return b'{"rule_id":%b,"key":"%%b","rule":%b,%%b' % (rule_id.replace(b"%", b"%%"), said.replace(b"%", b"%%"))

    @property
    def id(self) -> str:
        """The rule's UUID; if it has none, one made from its content."""
        return self.definition.metadata.id

    @property
    def name(self) -> str | None:
        """The short name that correlations and filters may use."""
        return self.definition.metadata.name

    @property
    def title(self) -> str:
        """The rule's title: its finding in a few words."""
        return self.definition.metadata.title

    @property
    def description(self) -> str | None:
        """The rule's description: its finding, and the next checks."""
        return self.definition.metadata.description

    @property
    def level(self) -> str | None:
        """`informational`, `low`, `medium`, `high` or `critical`."""
        return self.definition.metadata.level

    @property
    def status(self) -> str | None:
        """`stable`, `test`, `experimental`, `deprecated` or `unsupported`."""
        return self.definition.metadata.status

    @property
    def author(self) -> str | None:
        """Who wrote the rule; the rule licence asks that alerts keep it."""
        return self.definition.metadata.author

    @property
    def date(self) -> dt.date | None:
        """When it was written."""
        return self.definition.metadata.date

    @property
    def modified(self) -> dt.date | None:
        """When its meaning last changed."""
        return self.definition.metadata.modified

    @property
    def tags(self) -> tuple[str, ...]:
        """`namespace.name`, as written and in the order of the rule."""
        return self.definition.metadata.tags

    @property
    def references(self) -> tuple[str, ...]:
        """URLs of further reading."""
        return self.definition.metadata.references

    @property
    def falsepositives(self) -> tuple[str, ...]:
        """Harmless events that the rule may match."""
        return self.definition.metadata.falsepositives

    @property
    def fields(self) -> tuple[str, ...]:
        """Names whose values the context of a match shows: dotted names, JSONPath if it starts with `$`."""
        return self.definition.metadata.fields

    @property
    def logsource(self) -> ir.LogSource | None:
        """The logs that the rule is for; `None` for a correlation."""
        return self.definition.logsource if isinstance(self.definition, ir.DetectionRule) else None

    @property
    def license(self) -> str | None:
        """The licence that the rule names."""
        return self.definition.metadata.license

    @property
    def custom(self) -> dict[str, Any]:
        """Custom attributes, which Sigma does not define."""
        return self.definition.metadata.custom

    @property
    def path(self) -> str | None:
        """The rule's file; `None` for rule text."""
        return self.definition.metadata.path

    @property
    def line(self) -> int | None:
        """The line where the rule starts in its file, counted from 1."""
        return self.definition.metadata.line

    @property
    def correlation(self) -> ir.CorrelationRule | None:
        """The correlation; `None` for a detection rule."""
        return self.definition if isinstance(self.definition, ir.CorrelationRule) else None

    def __getstate__(self) -> dict[str, Any]:
        return {"definition": self.definition}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"Rule({self.title!r}, id={self.id!r}, level={self.level!r})"
