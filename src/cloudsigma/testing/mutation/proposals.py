"""Propose cases for the survivors of one document: few cases that kill many, made from those in the case file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

from cloudsigma import ir
from cloudsigma.engine.json_form import json_ready
from cloudsigma.testing.cases.case import CaseFile
from cloudsigma.testing.coverage.clauses import Memo
from cloudsigma.testing.coverage.trials import ChangedRules, SequenceTrial, Trial
from cloudsigma.testing.mutation.case_text import Proposal, SearchStart, head, made_from
from cloudsigma.testing.mutation.recompile import Definition
from cloudsigma.testing.mutation.sequence_search import changed_matches, content, propose_sequence
from cloudsigma.testing.solver.questions import Found, Impossible, tell_apart

_MOST_STARTS = 15
_MOST_SEARCHED = 60
"""Records to search for one document: if more cases are missing, details are of no use yet."""


class Same(Enum):
    """The answer for a mutant that is proved to mean the same as the rule."""

    SAME = "no record is matched by only one of the two"


SAME: Final = Same.SAME


class Proposer:
    """Proposes a case for each survivor of a document; a case that kills several survivors is proposed for each.

    Args:
        case_file: Reads a case file, for the names of its bases.
    """

    def __init__(self, case_file: Callable[[str], CaseFile]) -> None:
        self._case_file = case_file
        self._records: list[tuple[Proposal, Memo]] = []
        self._searched = 0
        self._sequences: list[tuple[SequenceTrial, Proposal]] = []

    def propose(
        self, rules: Mapping[str, Definition], changed: ChangedRules, trials: Sequence[Trial], name: str
    ) -> Proposal | Same | None:
        """A case with another result under the changed rules, or the proof that there is none.

        Args:
            rules: The unchanged rules by ID.
            changed: The changed rules.
            trials: The cases that depend on them.
            name: Description of the change.
        """
        same = True
        for key, mutant in changed.definitions.items():
            found = self._record(rules[key], mutant, [trial for trial in trials if trial.rule_id == key], changed, name)
            if isinstance(found, Proposal):
                return found
            same = same and found is SAME
        return SAME if same else self._sequence(changed, trials, name)

    def _record(
        self, original: Definition, mutant: Definition, trials: Sequence[Trial], changed: ChangedRules, name: str
    ) -> Proposal | Same | None:
        if not isinstance(original, ir.DetectionRule) or not isinstance(mutant, ir.DetectionRule):
            return None
        own = next((trial.predicate for trial in trials if trial.predicate is not None), None)
        if own is not None:
            theirs = changed.predicates[original.metadata.id]
            for known, memo in self._records:
                if own.matches(known.records[0], memo) is not theirs.matches(known.records[0], memo):
                    return known
        self._searched += 1
        starts = list(self._starts(trials)) if self._searched <= _MOST_SEARCHED else []
        if own is not None:  # a base, then records that match
            starts.sort(key=lambda start: (bool(start.case), not own.matches(start.record)))
        starts = starts[:_MOST_STARTS]
        answer = tell_apart(original, mutant, [start.record for start in starts])
        if isinstance(answer, Impossible):
            return SAME
        if own is None or not isinstance(answer, Found) or (answer.near is None and not starts):
            return None
        start = starts[answer.near] if answer.near is not None else SearchStart(answer.record, "")
        lines = [*head(name, match=answer.matches), *(f"  {line}" for line in made_from(answer.record, start))]
        proposal = Proposal(start.case, answer.matches, (answer.record,), "\n".join(lines))
        self._records.append((proposal, {}))
        return proposal

    def _sequence(self, changed: ChangedRules, trials: Sequence[Trial], name: str) -> Proposal | None:
        sequences = [trial for trial in trials if isinstance(trial, SequenceTrial)]
        for trial, known in self._sequences:
            if trial in sequences and changed_matches(trial, known.records, changed) is not None:
                return known
        names = {
            content(record): key
            for path in dict.fromkeys(trial.path for trial in sequences)
            for key, record in self._case_file(path).bases.items()
            if key is not None
        }
        found = propose_sequence(sequences, changed, names, name=name)
        if found is None:
            return None
        self._sequences.append(found)
        return found[1]

    def _starts(self, trials: Iterable[Trial]) -> Iterator[SearchStart]:
        """The records of the cases, each after its base, without repetitions."""
        seen: set[str] = set()
        for trial in trials:
            names = {json.dumps(json_ready(each)): key for key, each in self._case_file(trial.path).bases.items()}
            for at, record in enumerate(trial.case.records):
                base = trial.case.bases[at] if at < len(trial.case.bases) else None
                own = [(base, "")] if base is not None else []
                for each, case in (*own, (record, trial.name)):
                    written = json.dumps(json_ready(each))
                    if written not in seen:
                        seen.add(written)
                        base_name = names.get(json.dumps(json_ready(base))) if base is not None else None
                        yield SearchStart(each, case, base, base_name)
