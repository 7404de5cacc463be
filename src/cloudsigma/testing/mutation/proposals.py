"""Propose cases for the survivors of one document: few cases that kill many, made from those in the case file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from cloudsigma.engine.json_form import json_ready
from cloudsigma.testing.cases.case import CaseFile
from cloudsigma.testing.coverage.clauses import Memo
from cloudsigma.testing.mutation.record_search import Proposal, SearchStart, propose
from cloudsigma.testing.mutation.sequence_search import changed_matches, content, propose_sequence
from cloudsigma.testing.mutation.trials import ChangedRules, SequenceTrial, Trial

_EARLIER = 6
"""Number of earlier proposals to start the next search from."""
_MOST_FAILED = 5
"""After this many searches without a result, the others of the document are short: each takes about a second."""
_MOST_SEARCHED = 60
"""Searches for one document: if more cases are missing, details are of no use yet."""


class Proposer:
    """Proposes a case for each survivor of a document; a case that kills several survivors is proposed for each.

    Args:
        case_file: Reads a case file, for the names of its bases.
    """

    def __init__(self, case_file: Callable[[str], CaseFile]) -> None:
        self._case_file = case_file
        self._records: list[tuple[Proposal, Memo]] = []
        self._failed = 0
        self._searched = 0
        self._sequences: list[tuple[SequenceTrial, Proposal]] = []

    def propose(self, changed: ChangedRules, trials: Sequence[Trial], name: str) -> Proposal | None:
        """A case with another result under the changed rules; `name` describes the change."""
        return self._record(changed, trials, name) or self._sequence(changed, trials, name)

    def _record(self, changed: ChangedRules, trials: Sequence[Trial], name: str) -> Proposal | None:
        own = [trial for trial in trials if trial.rule_id in changed.predicates and trial.predicate is not None]
        if not own or own[0].predicate is None:
            return None
        original, mutant = own[0].predicate, changed.predicates[own[0].rule_id]
        for known, memo in self._records:
            if original.matches(known.records[0], memo) is not mutant.matches(known.records[0], memo):
                return known
        mine = [trial for trial in own if trial.rule_id == own[0].rule_id]
        if self._searched >= _MOST_SEARCHED:
            return None
        self._searched += 1
        starts = list(self._starts(mine))
        earlier = [
            SearchStart(known.records[0], known.near, start.base, start.base_name)
            for known, _ in reversed(self._records[-_EARLIER:])
            for start in starts[:1]
        ]
        changes = 3 if self._failed < _MOST_FAILED else 1
        found = propose(original, mutant, starts, earlier, name=name, most_changes=changes)
        if found is not None:
            self._records.append((found, {}))
        else:
            self._failed += 1
        return found

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
