"""Every exception of the package, and the place in a file that it points at.

All of them are `CloudSigmaError`. They carry fields, and the text is made from the fields, so that a tool can
sort and count them without parsing sentences. They can be pickled: worker processes send them to the parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Category = Literal["yaml", "schema", "condition", "modifier", "value", "reference", "unsupported", "file"]
"""The categories of rule errors; `docs/reference/errors.md` explains each."""

CATEGORIES: tuple[str, ...] = get_args(Category)

Severity = Literal["error", "warning"]
"""`error`: the rule is left out. `warning`: the rule is used, but can hardly mean what its author intended."""


class CloudSigmaError(Exception):
    """Root of every exception that this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a rule file: line and column count from 1; `None` if unknown."""

    path: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [self.path or "<text>"]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)


class RuleError(CloudSigmaError):
    """A mistake in a rule: what is wrong, where, and what to do about it."""

    def __init__(
        self,
        category: Category,
        reason: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
        rule: str | None = None,
        remedy: str | None = None,
        excerpt: str | None = None,
        severity: Severity = "error",
    ) -> None:
        super().__init__(category, reason)
        self.category: Category = category
        """One of `CATEGORIES`."""
        self.reason = reason
        """What is wrong, one sentence without a final stop."""
        self.path = path
        """The rule file, or `None` for rule text."""
        self.line = line
        """Counted from 1."""
        self.column = column
        """Counted from 1, in characters."""
        self.rule = rule
        """The rule's ID, else its title, where known."""
        self.remedy = remedy
        """What to do next."""
        self.excerpt = excerpt
        """The offending text with a caret under the place (two lines), where that helps."""
        self.severity: Severity = severity
        """`error`, or `warning` in `RuleSet.warnings`."""

    @property
    def location(self) -> Location:
        """File, line and column as one value."""
        return Location(self.path, self.line, self.column)

    def to_dict(self) -> dict[str, Any]:
        """The fields as a plain dictionary, for JSON."""
        return {
            "severity": self.severity,
            "category": self.category,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "rule": self.rule,
            "reason": self.reason,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        rule = f" rule {self.rule!r}:" if self.rule else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.location}: {self.category} {self.severity}:{rule} {self.reason}.{remedy}"

    def __repr__(self) -> str:
        return f"RuleError({self.category!r}, {self.reason!r}, location={str(self.location)!r})"

    def _fields(self) -> tuple[Any, ...]:
        return (
            self.category,
            self.reason,
            self.path,
            self.line,
            self.column,
            self.rule,
            self.remedy,
            self.excerpt,
            self.severity,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleError) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_rule_error, self._fields()


def _rebuild_rule_error(
    category: Category,
    reason: str,
    path: str | None,
    line: int | None,
    column: int | None,
    rule: str | None,
    remedy: str | None,
    excerpt: str | None,
    severity: Severity,
) -> RuleError:
    return RuleError(
        category,
        reason,
        path=path,
        line=line,
        column=column,
        rule=rule,
        remedy=remedy,
        excerpt=excerpt,
        severity=severity,
    )


class RuleErrors(ExceptionGroup[RuleError], CloudSigmaError):  # noqa: N818  # several errors, as ExceptionGroup is
    """Several mistakes, in one rule or in several, each a `RuleError` (`exceptions`)."""

    def derive(self, excs: Sequence[RuleError]) -> RuleErrors:  # type: ignore[override]  # a group of RuleError only
        """Make a group of some of the errors (used by `except*`)."""
        return RuleErrors(self.message, excs)

    def __str__(self) -> str:
        return "\n".join([self.message, *(str(error) for error in self.exceptions)])


def one_or_group(errors: Sequence[RuleError]) -> RuleError | RuleErrors:
    """The only error, or a group of them all, to be raised."""
    return errors[0] if len(errors) == 1 else RuleErrors(f"{len(errors)} errors in rules", errors)


def each_error(raised: RuleError | RuleErrors) -> tuple[RuleError, ...]:
    """The errors of a group, or the only one."""
    return (raised,) if isinstance(raised, RuleError) else tuple(raised.exceptions)  # type: ignore[arg-type]


class CaseError(CloudSigmaError):
    """A case of a rule, or a file of cases, that cannot be used: what is wrong, where, and what to do about it."""

    def __init__(
        self,
        reason: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
        case: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        """What is wrong, one sentence without a final stop."""
        self.path = path
        """The file of cases."""
        self.line = line
        """Counted from 1."""
        self.column = column
        """Counted from 1, in characters."""
        self.case = case
        """The case's name, where known."""
        self.remedy = remedy
        """What to do next."""

    @property
    def location(self) -> Location:
        """File, line and column as one value."""
        return Location(self.path, self.line, self.column)

    def __str__(self) -> str:
        case = f" case {self.case!r}:" if self.case else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.location}: case error:{case} {self.reason}.{remedy}"

    def __repr__(self) -> str:
        return f"CaseError({self.reason!r}, location={str(self.location)!r})"

    def _fields(self) -> tuple[Any, ...]:
        return (self.reason, self.path, self.line, self.column, self.case, self.remedy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CaseError) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_case_error, self._fields()


def _rebuild_case_error(
    reason: str, path: str | None, line: int | None, column: int | None, case: str | None, remedy: str | None
) -> CaseError:
    return CaseError(reason, path=path, line=line, column=column, case=case, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file of approvals, a register, or a configuration of notifications."""

    reason: str
    """What is wrong, one sentence without a final stop."""
    location: Location
    """File, line and column."""
    remedy: str
    """What to do next."""
    entry: str | None = None
    """The ID of the approval, or the object of the register, where known."""
    subject: str = "approvals"
    """The kind of file, for the message."""

    def __str__(self) -> str:
        entry = f" {self.entry}:" if self.entry else ""
        return f"{self.location}: {self.subject} error:{entry} {self.reason}. {self.remedy}"


class ApprovalError(CloudSigmaError, ValueError):
    """An approvals file that cannot be used: it covers nothing until every mistake is mended."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(tuple(mistakes))
        self.mistakes = tuple(mistakes)
        """Every mistake, in the order of the file."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.mistakes))


class RegisterError(ApprovalError):
    """A register that cannot be used, with every mistake in `mistakes`."""


class NotifyError(ApprovalError):
    """A configuration of notifications that cannot be used, with every mistake in `mistakes`."""


class UnknownRuleError(CloudSigmaError, KeyError):
    """No rule with this ID or name is in the set."""

    def __init__(self, key: str, nearest: Sequence[str] = ()) -> None:
        super().__init__(key, tuple(nearest))
        self.key = key
        self.nearest = tuple(nearest)

    def __str__(self) -> str:
        hint = f" Did you mean {' or '.join(map(repr, self.nearest))}?" if self.nearest else ""
        return f"no rule has the ID or name {self.key!r}.{hint}"


class InputLostError(CloudSigmaError):
    """Input could not be read, with `strict=True` or `--strict`."""

    def __init__(self, path: str, reason: str, position: str | None = None) -> None:
        super().__init__(path, reason, position)
        self.path = path
        """The file, folder or object; `-` for standard input."""
        self.reason = reason
        """The reason."""
        self.position = position
        """Where in the file, if known."""

    def __str__(self) -> str:
        where = f" at {self.position}" if self.position else ""
        return f"{self.path}: {self.reason}{where}. Nothing after it was read."


class InvocationError(CloudSigmaError):
    """Parts of the event of a function could not be read; the matches of all else are published."""

    def __init__(self, losses: int, first: str) -> None:
        super().__init__(losses, first)
        self.losses = losses
        """Number of parts that could not be read."""
        self.first = first
        """The first of them, with the reason."""

    def __str__(self) -> str:
        others = f", and {self.losses - 1:,} more: the log has them" if self.losses > 1 else ""
        return f"could not be read: {self.first}{others}"


class ExecutorError(CloudSigmaError):
    """Spark's executors cannot do the work: their Python, their packages or their rules are not the driver's."""

    def __init__(self, differences: str) -> None:
        super().__init__(differences)
        self.differences = differences
        """Everything that differs."""

    def __str__(self) -> str:
        return (
            f"the executors' environment is not the driver's: {self.differences}. Give both the same environment "
            "(docs/how-to/spark.md: an image, an archive, or the platform's list of packages)"
        )


class UsageError(CloudSigmaError, ValueError):
    """An argument has a value that cannot be used; found before any work is done."""


class WrongTypeError(UsageError, TypeError):
    """An argument has a type that cannot be used: a `UsageError` that is a `TypeError`, too."""

    def __init__(self, argument: str, given: object, wanted: str) -> None:
        super().__init__(argument, given, wanted)
        self.argument = argument
        """The argument, or `one of the …`."""
        self.given = shown_value(given)
        """The value that was given, as a message shows it."""
        self.wanted = wanted
        """The values that can be used."""

    def __str__(self) -> str:
        return f"{self.argument} is {self.given}; give {self.wanted}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_wrong_type, (self.argument, self.given, self.wanted)


def _rebuild_wrong_type(argument: str, given: str, wanted: str) -> WrongTypeError:
    error = WrongTypeError(argument, None, wanted)
    error.given = given
    return error


class FileAccessError(OSError, UsageError):
    """A file that was named cannot be read or written: a `UsageError` that is an `OSError`, too."""

    def __init__(self, path: str, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror or str(cause), path)

    def __str__(self) -> str:
        return f"{shown_value(self.filename)} cannot be used: {self.strerror}"

    def __reduce__(self) -> tuple[Any, ...]:
        return FileAccessError, (self.filename, OSError(self.errno, self.strerror))


class MissingPackageError(ImportError, UsageError):
    """A package that the call needs is not installed: a `UsageError` that is an `ImportError`, too."""


def shown_value(value: object) -> str:
    """How a message shows a value: a short plain one itself, any other by the name of its type."""
    if value is None or isinstance(value, (bool, int, float, str)):
        text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a large number"
        if len(text) <= 60:
            return text
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
