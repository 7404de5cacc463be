"""The report of mutation testing: values, JSON and text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from cloudsigma.escaping import printable
from cloudsigma.testing.mutation.case_text import Proposal

Status = Literal["killed", "survived", "equivalent", "accepted"]


class MutantResult(msgspec.Struct, frozen=True):
    """One mutant that compiles."""

    id: str
    """A description of the change; a case file may name it in `equivalent_mutants`."""
    line: int
    """Line of the change in the rule file, from 1."""
    status: Status
    """`killed`: a case fails with it. `equivalent`: proved. `accepted`: a case file says that it is equivalent."""
    reason: str = ""
    """The case that killed it, the proof, or the reason in the case file."""
    diff: str = ""
    """Unless it was killed, the unified diff of the rule file."""
    proposal: Proposal | None = None
    """If it survived, a case that would kill it, if one was found."""


class RuleMutation(msgspec.Struct, frozen=True):
    """The mutants of one rule, filter or correlation."""

    rule_id: str
    title: str
    path: str
    line: int
    cases: int
    """Number of cases that could have killed them."""
    mutants: tuple[MutantResult, ...] = ()
    problems: tuple[str, ...] = ()
    """Problems of the measurement: cases that fail with the unchanged rule, entries of `equivalent_mutants` that name
    no mutant, or a mutant that a case kills."""

    def of(self, *status: Status) -> tuple[MutantResult, ...]:
        """The mutants with one of these statuses."""
        return tuple(mutant for mutant in self.mutants if mutant.status in status)


class MutationReport(msgspec.Struct, frozen=True):
    """The mutants of rules. `str()` is the report."""

    rules: tuple[RuleMutation, ...] = ()
    untested: tuple[str, ...] = ()
    """Titles of rules without cases; they are not mutated and not counted."""
    unread: tuple[str, ...] = ()
    """Reasons why rules with cases could not be mutated."""

    @property
    def killed(self) -> int:
        """Number of mutants that a case killed."""
        return sum(len(rule.of("killed")) for rule in self.rules)

    @property
    def survived(self) -> int:
        """Number of mutants that no case killed and that are not known to be equivalent."""
        return sum(len(rule.of("survived")) for rule in self.rules)

    @property
    def score(self) -> float:
        """The share of killed mutants, from 0 to 100, equivalent ones not counted; 100 without mutants."""
        total = self.killed + self.survived
        return 100 * self.killed / total if total else 100.0

    def shortfall(self, limit: float | None) -> str | None:
        """Why the score misses a limit in percent, or `None`. A limit is also missed if a rule could not be mutated."""
        if not limit:
            return None
        if not self.rules:
            return "mutation score was not measured: no rule has cases"
        if self.unread:
            return f"mutation score is incomplete: {self.unread[0]}"
        return None if self.score >= limit else f"mutation score {self.score:.2f} % is below {limit:g} %"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return {"score": round(self.score, 2), "killed": self.killed, "survived": self.survived, **found}

    @staticmethod
    def from_dict(value: Any) -> MutationReport:
        """Read the result of `to_dict`; raises `ValueError` (msgspec's) for anything else."""
        return msgspec.convert(value, MutationReport)

    def __str__(self) -> str:
        return "\n".join(_report(self))


def _report(report: MutationReport) -> Iterator[str]:
    for rule in report.rules:
        survivors = rule.of("survived")
        if not survivors and not rule.problems:
            continue
        counted = len(rule.of("killed", "survived"))
        share = f"{counted - len(survivors)} of {counted} mutants killed"
        yield f"{rule.path}:{rule.line}: {printable(rule.title)}: {share}"
        yield from (f"  {printable(problem)}" for problem in rule.problems)
        shown: dict[str, str] = {}
        for mutant in survivors:
            yield ""
            yield f"  survived: {printable(mutant.id)}"
            yield from _indented(mutant.diff)
            if mutant.proposal is None:
                yield "  no case is proposed: none was found, or too many mutants survive"
                continue
            if mutant.proposal.yaml in shown:
                yield f"  the case for {printable(shown[mutant.proposal.yaml])} kills it too"
                continue
            shown[mutant.proposal.yaml] = mutant.id
            near = f", made from {mutant.proposal.near!r}" if mutant.proposal.near else ""
            yield f"  a case that kills it{printable(near)}:"
            yield from _indented(mutant.proposal.yaml)
        yield ""
    yield from (printable(text) for text in report.unread)
    if report.untested:
        yield f"without cases: {', '.join(map(printable, report.untested))}"
    yield (
        f"mutation score {report.score:.1f} %: {report.killed} of {report.killed + report.survived} mutants killed, "
        f"{sum(len(rule.of('equivalent')) for rule in report.rules)} equivalent by proof, "
        f"{sum(len(rule.of('accepted')) for rule in report.rules)} by hand"
    )


def _indented(text: str) -> Iterator[str]:
    return (f"    {printable(line)}" for line in text.splitlines())
