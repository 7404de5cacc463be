"""Near misses: for each test of a rule, a record that differs in one place from a matching one and does not match.

A near miss shows the effect of one test, so the test must decide alone: in both records, flipping it flips the verdict
of the rule. If no record makes a test decisive, the reason is an `Obstacle`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.testing.generation.generated import NearMiss, Obstacle, Sample
from cloudsigma.testing.generation.pair_formula import PairProblem
from cloudsigma.testing.generation.record_maker import RecordMaker
from cloudsigma.testing.records.changes import ABSENT, Difference, copied, differences
from cloudsigma.testing.records.places import KeyPath, at, leaves, paths, put, remove
from cloudsigma.testing.solver import realistic_values
from cloudsigma.testing.solver.field_constraints import Assignment, is_of_one_value
from cloudsigma.testing.solver.formula import AllOf, AnyOf, Atom, Literal, Node, RulePart, atoms_of, part_node
from cloudsigma.testing.solver.search import Contradiction, Nogood
from cloudsigma.testing.solver.value_solver import FoundValue, find_value, meets

_MAX_BASES = 6
_MAX_WAYS = 8
_MAX_TRIED = 150


class NearMisses:
    """Makes the near misses of one rule."""

    def __init__(self, maker: RecordMaker, match: Sample) -> None:
        self._maker = maker
        self._match = match
        self._atoms = {part: tuple(atoms_of(part)) for part in maker.formula.parts}
        self._truths: dict[int, dict[RulePart, bool]] = {}
        self._near = {part: self._related(part) for part in maker.formula.parts}
        self._samples = [match]
        """Matching records so far; they are reused before a new one is made."""

    def make(self, part: RulePart) -> NearMiss | Obstacle:
        """The near miss for one test, or the reason that there is none."""
        for sample in self._samples:
            if (found := self._from(sample, part)) is not None:
                return found
        problem = PairProblem(self._maker, part)
        ended: list[Contradiction] = []
        for side in problem.sides:
            nogoods: list[Nogood] = []
            for _ in range(_MAX_BASES):
                model = problem.model(side, nogoods)
                if isinstance(model, Contradiction):
                    ended.append(model)
                    break
                nogoods.append(frozenset(model.asked.items()))
                before, after = problem.parted(model)
                made = self._maker.make(AllOf(tuple(Literal(atom, holds) for atom, holds in before.items())))
                if isinstance(made, Sample) and (found := self._from(made, part, after)) is not None:
                    self._samples.append(made)
                    return found
        return self._obstacle(part, ended, problem)

    # --- from one matching record -----------------------------------------------------------------------------

    def _from(self, sample: Sample, part: RulePart, after: Assignment | None = None) -> NearMiss | None:
        """A near miss made from a matching record; `after` is an assignment for the fields that change."""
        record = sample.record
        truths = self._truth(record)
        if self._maker.formula.verdict({**truths, part: not truths[part]}):
            return None  # the test does not decide here
        masked: tuple[dict[str, Any], tuple[Difference, ...]] | None = None
        tried: set[str] = set()
        for other in self._changed(record, part, after or {}, holds=not truths[part]):
            written = json.dumps(other, sort_keys=True, default=str)
            if written in tried:
                continue
            tried.add(written)
            if len(tried) > _MAX_TRIED:
                break
            theirs = self._truths_near(other, truths, part)
            if theirs[part] is truths[part] or not self._maker.formula.verdict({**theirs, part: truths[part]}):
                continue
            changes = differences(record, other)
            if len(changes) != 1 or self._maker.matches(other):
                continue
            if all(theirs[each] is truths[each] for each in theirs if each is not part):
                return self._near_miss(other, sample, changes, part)
            masked = masked or (other, changes)
        return self._near_miss(*masked[:1], sample, masked[1], part) if masked is not None else None

    def _near_miss(
        self, record: dict[str, Any], sample: Sample, changes: tuple[Difference, ...], part: RulePart
    ) -> NearMiss:
        holds = self._truth(sample.record)[part]
        reason = f"{part.label} {'does not hold' if holds else 'holds'} ({part.selection})"
        return NearMiss((record,), sample, changes, reason, (str(part),), part.line)

    def _truth(self, record: Mapping[str, Any]) -> dict[RulePart, bool]:
        if (found := self._truths.get(id(record))) is None:
            found = {part: is_true(part, record) for part in self._maker.formula.parts}
            if any(record is sample.record for sample in self._samples):
                self._truths[id(record)] = found
        return found

    def _truths_near(
        self, record: Mapping[str, Any], truths: Mapping[RulePart, bool], changed: RulePart
    ) -> dict[RulePart, bool]:
        """Which tests hold for a record that differs from another in the field of one test."""
        return {part: is_true(part, record) if part in self._near[changed] else truth for part, truth in truths.items()}

    def _related(self, part: RulePart) -> frozenset[RulePart]:
        """The tests that a change of this test's field can affect."""
        fields = self._maker.fields
        own = {atom.field for atom in self._atoms[part]}
        seen = {other for name in own for other in (*fields.above[name], *fields.below[name])}
        return frozenset(
            other
            for other, atoms in self._atoms.items()
            if any(atom.field in seen or getattr(atom.matcher, "field", None) in seen for atom in atoms)
        )

    # --- changing one place -----------------------------------------------------------------------------------

    def _changed(
        self, record: dict[str, Any], part: RulePart, after: Assignment, *, holds: bool
    ) -> Iterator[dict[str, Any]]:
        """Records that differ in one place, in which the test is likely to hold or fail, as `holds` says."""
        name = part.field
        others = dict(self._asked(record, self._beside(part)))
        for way in list(_ways(part_node(part, holds=holds)))[:_MAX_WAYS]:
            own = {literal.atom: literal.holds for literal in way}
            for kept in (*([{**after, **own}] if after else []), {**others, **own}, own):
                wanted = [atom.matcher for atom, truth in kept.items() if truth and is_of_one_value(atom.matcher)]
                unwanted = [atom.matcher for atom, truth in kept.items() if not truth and is_of_one_value(atom.matcher)]
                places = list(leaves(record, name)) if name is not None else self._places(record, own)
                for path, value in places[:_MAX_WAYS]:
                    for other in _near(value, wanted, unwanted, name, way):
                        yield _with(record, path, other)
                    yield from (_with(record, path, other) for other in _referred(record, own))
                    wider = [value, *found] if (found := _values(wanted[-1:], unwanted, name)) else []
                    if wider and path:
                        yield _with(record, path, wider)
                yield from self._whole(record, name, kept)

    def _whole(self, record: dict[str, Any], name: str | None, own: Mapping[Atom, bool]) -> Iterator[dict[str, Any]]:
        """Records with the field removed, set to null, or added."""
        wanted = [atom.matcher for atom, truth in own.items() if truth and is_of_one_value(atom.matcher)]
        unwanted = [atom.matcher for atom, truth in own.items() if not truth and is_of_one_value(atom.matcher)]
        there = list(paths(record, name)) if name is not None else []
        if len(there) == 1 and there[0]:
            yield _with(record, there[0], ABSENT)
            yield _with(record, there[0], None)
        place = there[0] if there else self._maker.fields.path(name if name is not None else self._maker.spare)
        for value in (*_referred(record, own), *_values(wanted, unwanted, name)):
            if place and (not there or isinstance(at(record, place), (list, dict, type(None)))):
                yield _with(record, place, value)

    def _places(self, record: Mapping[str, Any], own: Mapping[Atom, bool]) -> list[tuple[KeyPath, Any]]:
        """Places to change for a keyword: values that contain it, or the spare field."""
        every = list(leaves(record, None))
        found = [
            (path, value)
            for path, value in every
            if any(not truth and operators.matches(atom.matcher, value) for atom, truth in own.items())
        ]
        spare = self._maker.fields.path(self._maker.spare)
        return found or [each for each in every if each[0] == spare]

    def _beside(self, part: RulePart) -> list[Atom]:
        """Atoms of other tests on the same field."""
        own = set(self._atoms[part])
        return [
            atom
            for other in self._near[part]
            for atom in self._atoms[other]
            if atom not in own and atom.field in self._maker.fields.above.get(part.field, ())
        ]

    def _asked(self, record: Mapping[str, Any], atoms: Any) -> list[tuple[Atom, bool]]:
        return [(atom, operators.field_matches(atom.matcher, record, atom.field)) for atom in atoms]

    # --- reasons for a missing near miss ----------------------------------------------------------------------

    def _obstacle(self, part: RulePart, ended: Sequence[Contradiction], problem: PairProblem) -> Obstacle:
        constant = [
            side
            for side in (True, False)
            if isinstance(found := self._maker.finder.prove(part_node(part, holds=side)), Contradiction)
            and found.proved
        ]
        if constant:
            reason = f"it cannot decide: it is {'false' if True in constant else 'true'} for every record"
            return Obstacle("dependent", reason, str(part), part.line)
        parts = {other for each in ended for atom in each.atoms for other in self._maker.sources.get(atom, ())}
        named = tuple(str(other) for other in self._maker.formula.parts if other in parts and other != part)
        proved = len(ended) == len(problem.sides) and all(each.proved for each in ended)
        reason = (
            f"it cannot decide alone{problem.condition}: no value flips this test and, with it, the verdict"
            if proved
            else "no record was found in which it decides alone"
        )
        if named:
            reason += f", because of {'; '.join(named[:4])}" + (" and others" if len(named) > 4 else "")
        return Obstacle("dependent" if proved else "not found", reason, str(part), part.line, named)


def is_true(part: RulePart, record: Mapping[str, Any]) -> bool:
    """Whether one part holds for a record, evaluated by the engine's operators."""
    test = part.test
    matchers = test.matchers if part.value is None else (test.matchers[part.value],)
    met = (operators.field_matches(each, record, test.field) for each in matchers)
    return (all(met) if test.all_of else any(met)) is not test.negated


def _ways(node: Node) -> Iterator[tuple[Literal, ...]]:
    """The conjunctions of literals that satisfy the formula of one test."""
    match node:
        case Literal():
            yield (node,)
        case AnyOf(nodes):
            for each in nodes:
                yield from _ways(each)
        case AllOf(nodes):
            yield tuple(literal for each in nodes for literal in next(_ways(each), ()))


def _near(
    value: Any, wanted: list[ir.Matcher], unwanted: list[ir.Matcher], name: str | None, way: tuple[Literal, ...]
) -> Iterator[Any]:
    """Values that pass `wanted` and fail `unwanted`, those similar to the old value first."""
    networks = [each.atom.matcher.network for each in way if isinstance(each.atom.matcher, ir.Cidr)]
    close = [
        *realistic_values.of_one_kind(name),
        *realistic_values.like(value),
        *(address for each in networks for address in realistic_values.outside(each)),
    ]
    if isinstance(value, str):
        texts = [
            text
            for each in wanted
            if isinstance(each, ir.Pattern)
            for text in realistic_values.of_patterns([each], name)
        ]
        close += [f"{value}{text}" for text in texts] + [f"{value} {text}" for text in texts] + texts
        for part in (part for each in unwanted if isinstance(each, ir.Pattern) for part in each.parts):
            if isinstance(part, str) and (start := operators.fold(value).find(operators.fold(part))) >= 0:
                end = start + len(part)
                middle = (start + end) // 2
                close += [value[:middle] + "x" + value[middle:], value[:start] + value[end:]]
    yield from (each for each in close if meets(each, wanted, unwanted))
    yield from _values(wanted, unwanted, name)
    yield from (each for each in realistic_values.usual(name) if meets(each, wanted, unwanted))


def _referred(record: Mapping[str, Any], own: Assignment) -> list[Any]:
    """Values of the fields that `fieldref` refers to."""
    references = [atom.matcher.field for atom in own if isinstance(atom.matcher, ir.FieldRef)]
    return [value for each in references for _, value in leaves(record, each)]


def _values(wanted: list[ir.Matcher], unwanted: list[ir.Matcher], name: str | None) -> list[Any]:
    answer = find_value(wanted, unwanted, name, hasty=True)
    return [answer.value] if isinstance(answer, FoundValue) else []


def _with(record: dict[str, Any], path: KeyPath, value: Any) -> dict[str, Any]:
    """A copy of the record with another value at a path, or without it (`ABSENT`)."""
    made: dict[str, Any] = copied(record)
    if value is ABSENT:
        remove(made, path)
    else:
        put(made, path, value)
    return made
