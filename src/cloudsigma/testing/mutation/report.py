"""What mutating rules comes to, as values, as JSON and in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from cloudsigma.escaping import printable
from cloudsigma.testing.mutation.record_search import Proposal

Status = Literal["killed", "survived", "equivalent", "accepted"]


class MutantResult(msgspec.Struct, frozen=True):
    """One mutant of a rule that compiles and is not the rule itself."""

    id: str
    """What was changed; the file of cases may name it in `equivalent_mutants`."""
    line: int
    """Where the rule's file was changed, from 1."""
    status: Status
    """`killed`: a case fails with it. `equivalent`: by proof. `accepted`: the file of cases says it is equivalent."""
    reason: str = ""
    """The case that killed it, the proof, or the reason that the file of cases gives."""
    diff: str = ""
    """Of one that was not killed: the unified diff of the rule's file."""
    proposal: Proposal | None = None
    """Of one that survived: a case that would kill it, if one was found."""


class RuleMutation(msgspec.Struct, frozen=True):
    """The mutants of one rule, filter or correlation."""

    rule_id: str
    title: str
    path: str
    line: int
    cases: int
    """How many cases could have killed them."""
    mutants: tuple[MutantResult, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with the measurement: cases that fail with the rule as it is, entries of `equivalent_mutants` that
    name no mutant or one that a case kills."""

    def of(self, *status: Status) -> tuple[MutantResult, ...]:
        """The mutants that came out so."""
        return tuple(mutant for mutant in self.mutants if mutant.status in status)


class MutationReport(msgspec.Struct, frozen=True):
    """The mutants of rules. `str()` is the report."""

    rules: tuple[RuleMutation, ...] = ()
    untested: tuple[str, ...] = ()
    """Titles of rules that have no cases; they are not mutated and do not count."""
    unread: tuple[str, ...] = ()
    """Why rules that have cases could not be mutated."""

    @property
    def killed(self) -> int:
        """Mutants that a case noticed."""
        return sum(len(rule.of("killed")) for rule in self.rules)

    @property
    def survived(self) -> int:
        """Mutants that no case noticed and that are not known to be equivalent."""
        return sum(len(rule.of("survived")) for rule in self.rules)

    @property
    def score(self) -> float:
        """The share of mutants that were killed, from 0 to 100; equivalent ones do not count. 100 without mutants."""
        total = self.killed + self.survived
        return 100 * self.killed / total if total else 100.0

    def shortfall(self, limit: float | None) -> str | None:
        """Why the score misses a limit in percent; `None` if it does not. If a rule could not be mutated, it does."""
        if not limit:
            return None
        if not self.rules:
            return "mutation score was not measured: no rule has cases"
        if self.unread:
            return f"mutation score is incomplete: {self.unread[0]}"
        return None if self.score >= limit else f"mutation score {self.score:.2f} % is below {limit:g} %"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return {"score": round(self.score, 2), "killed": self.killed, "survived": self.survived, **found}

    @staticmethod
    def from_dict(value: Any) -> MutationReport:
        """The report that `to_dict` has written; raises `ValueError` (msgspec's) for anything else."""
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
                yield "  no case is proposed: none was found, or too many others survive"
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
