"""Mutation testing of rules: would the cases notice a mistake in the rule?

Each mistake of `mutants` is made in the text of a rule file, one at a time. The changed rule is compiled and run with
its cases, and with those of correlations that refer to it. A mutant that makes a case fail is *killed*. Otherwise it
has *survived*, and is reported as a diff of the file with a case that would kill it. Not counted are mutants that do
not compile, and mutants that mean the same as the rule: proved by the solver, or named in the case file
(`equivalent_mutants`) and not refuted by the solver.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import cloudsigma
from cloudsigma import ir
from cloudsigma.engine.json_form import json_ready
from cloudsigma.testing.cases.case import CaseFile, EquivalentMutant
from cloudsigma.testing.cases.case_file import read_case_file
from cloudsigma.testing.cases.regression import TYPES
from cloudsigma.testing.cases.suite import Options, Suite
from cloudsigma.testing.coverage.trials import ChangedRules, Trial, trials_of
from cloudsigma.testing.mutation.cache import Cache, default_cache
from cloudsigma.testing.mutation.case_text import Proposal
from cloudsigma.testing.mutation.edits import Mutant, diff, edited, line_diff
from cloudsigma.testing.mutation.mutants import document_mutants
from cloudsigma.testing.mutation.proposals import SAME, Proposer
from cloudsigma.testing.mutation.recompile import Definition, Recompiler, RuleFile
from cloudsigma.testing.mutation.report import MutantResult, MutationReport, RuleMutation
from cloudsigma.testing.mutation.value_drops import LONG, ValueDrops
from cloudsigma.testing.solver.meaning import meaning

__all__ = ["MutantResult", "MutationReport", "Proposal", "RuleMutation", "default_cache", "mutate"]

_FORMAT = 2
"""Version of cache entries; to be increased when a change of this package can change results."""
_SAME_MEANING = "it compiles to the same tests"


def mutate(
    suite: Suite, *, cache: Path | None = None, progress: Callable[[int, int, int], None] | None = None
) -> MutationReport:
    """Mutate the rules of a suite that have cases, and the rules that correlations with cases refer to.

    Args:
        suite: The suite. A case that fails with the unchanged rule kills no mutant.
        cache: Folder of cached results, by the content of rules and case files and by version (`default_cache()` is
            the user's); `None`: no cache.
        progress: Called for each mutant with the number of rule files done, of all rule files, and of mutants done.
    """
    return _Mutation(suite, cache, progress or (lambda *_: None)).report()


class _Mutation:
    def __init__(self, suite: Suite, cache: Path | None, progress: Callable[[int, int, int], None]) -> None:
        self._suite = suite
        self._progress = progress
        self._files = self._mutants = 0
        self._cache = Cache(cache, RuleMutation)
        self._sources = {path: RuleFile(path) for path in suite.rule_files}
        self._case_files: dict[str, CaseFile] = {}
        self._unread: list[str] = []
        self._compilations = list(self._read_compilations())

    def report(self) -> MutationReport:
        found: list[RuleMutation] = []
        for source in self._sources.values():
            found += self._of_file(source)
            self._files += 1
        self._cache.trim()
        untested = tuple(rule.title for rule in self._suite.untested)
        return MutationReport(tuple(found), untested, tuple(dict.fromkeys(self._unread)))

    def _read_compilations(self) -> Iterator[_Compilation]:
        """The compilations of the rules under test, one for each list of pipelines, with the trials of each."""
        options = self._suite.options or Options()
        given = dict.fromkeys((options.pipelines, *TYPES.values()))
        waiting = [test for test in self._suite.tests if test.rule is not None and test.case is not None]
        for pipelines in given:
            if not waiting:
                break
            rules: dict[str, Definition] = {rule.id: rule.definition for rule in self._suite.rules}
            rules |= {test.rule.id: test.rule.definition for test in waiting if test.rule is not None}
            own = Options(pipelines, options.logsource, options.placeholders, options.record_folders)
            sources = Recompiler(list(self._sources.values()), own, rules.values())
            same: dict[str, bool] = {}
            for test in waiting:
                if test.rule is not None and test.rule.id not in same:
                    same[test.rule.id] = sources.same(test.rule.definition)
            mine = [test for test in waiting if test.rule is not None and same[test.rule.id]]
            waiting = [test for test in waiting if test.rule is not None and not same[test.rule.id]]
            if mine:
                yield _Compilation(sources, own, rules, [trial for _, trial in trials_of(mine)])
        for test in waiting:
            title = test.rule.title if test.rule is not None else test.name
            self._unread.append(f"{title}: compiling the rule again gave another result, so it is not mutated")

    def _of_file(self, source: RuleFile) -> Iterator[RuleMutation]:
        owners = _owners(source, self._compilations)
        if not any(compilation.needing(ids) for compilation in self._compilations for ids in owners.values()):
            return
        everything = frozenset(key for ids in owners.values() for key in ids)
        found = dict(document_mutants(source.text))
        if not found and owners:
            self._unread.append(f"{source.path}: the file is not valid YAML, so its rules are not mutated")
        for line, mutants in found.items():
            ids = owners.get(line) or everything  # a document with an action may be part of every rule
            if any(compilation.needing(ids) for compilation in self._compilations):
                yield self._of_document(source, line, mutants, ids)

    def _of_document(self, source: RuleFile, line: int, mutants: Sequence[Mutant], ids: frozenset[str]) -> RuleMutation:
        accepted = self._accepted(ids)
        key = self._key(source, line, ids, accepted)
        if (known := self._cache.get(key)) is not None:
            return known
        document = next((each for each in source.documents if each.line == line), None)
        value = document.value if document is not None and isinstance(document.value, dict) else {}
        trials = [trial for compilation in self._compilations for trial in compilation.needing(ids)]
        failing = {id(trial) for trial in trials if not trial.passes()}
        problems = [f"the case {each.name!r} fails with the unchanged rule" for each in trials if id(each) in failing]
        title = str(value.get("title") or "")
        results = list(self._results(source, mutants, ids, failing, accepted, title))
        problems += _stale(accepted, results)
        made = RuleMutation(
            str(value.get("id") or next(iter(sorted(ids)), "")),
            title,
            source.path,
            line,
            len(trials) - len(failing),
            tuple(results),
            tuple(problems),
        )
        self._cache.put(key, made)
        return made

    def _results(
        self,
        source: RuleFile,
        mutants: Sequence[Mutant],
        ids: frozenset[str],
        failing: set[int],
        accepted: Mapping[str, EquivalentMutant],
        title: str,
    ) -> Iterator[MutantResult]:
        proposer = Proposer(self._case_file)
        alone = len(source.documents) == 1
        seen: set[Any] = set()
        drops = self._drops(ids, failing) if len(mutants) > LONG else None
        for mutant in mutants:
            self._mutants += 1
            self._progress(self._files, len(self._sources), self._mutants)
            if drops is not None and (known := drops.verdict(mutant)) is not None:
                shown = "" if known[0] == "killed" else line_diff(source.text, mutant, source.path)
                yield MutantResult(mutant.id, mutant.line, known[0], known[1], shown)
                continue
            text = edited(source.text, mutant.edits)
            variants = []
            same = False
            for compilation in self._compilations:
                trials = [trial for trial in compilation.needing(ids) if id(trial) not in failing]
                definitions = compilation.sources.changed(source, text) if trials else None
                if definitions:
                    changed = compilation.really(definitions)
                    same = same or not changed
                    if changed:
                        variants.append(_Variant(compilation, ChangedRules(changed), trials))
            if not variants:
                if same:
                    shown = diff(source.text, text, source.path)
                    yield MutantResult(mutant.id, mutant.line, "equivalent", _SAME_MEANING, shown)
                continue  # otherwise it does not compile
            meaning = frozenset((at, each.meaning) for at, each in enumerate(variants))
            if meaning in seen:  # another edit has the same meaning
                continue
            seen.add(meaning)
            killer = next((trial for each in variants if (trial := each.killer()) is not None), None)
            if killer is not None:
                yield MutantResult(mutant.id, mutant.line, "killed", killer.name)
                continue
            shown = diff(source.text, text, source.path)
            name = mutant.id if alone else f"{title}, {mutant.id}"
            answers = [proposer.propose(each.compilation.rules, each.changed, each.trials, name) for each in variants]
            proposal = next((each for each in answers if isinstance(each, Proposal)), None)
            if all(each is SAME for each in answers):
                yield MutantResult(mutant.id, mutant.line, "equivalent", SAME.value, shown)
            elif mutant.id in accepted and proposal is None:
                yield MutantResult(mutant.id, mutant.line, "accepted", accepted[mutant.id].reason, shown)
            else:
                yield MutantResult(mutant.id, mutant.line, "survived", "", shown, proposal)

    def _drops(self, ids: frozenset[str], failing: set[int]) -> ValueDrops | None:
        """The values of long lists, if the document is one detection rule that was compiled in one way."""
        needing = [each for each in self._compilations if each.needing(ids)]
        if len(needing) != 1 or len(ids) != 1:
            return None
        [rule_id] = ids
        rule = needing[0].rules.get(rule_id)
        trials = [trial for trial in needing[0].needing(ids) if id(trial) not in failing]
        if needing[0].options.pipelines or not isinstance(rule, ir.DetectionRule):
            return None
        return ValueDrops(rule, trials)

    def _case_file(self, path: str) -> CaseFile:
        if path not in self._case_files:
            is_cases = path.lower().endswith((".cases.yml", ".cases.yaml"))
            folders = self._suite.options.record_folders if self._suite.options is not None else ()
            self._case_files[path] = read_case_file(path, folders) if is_cases else CaseFile(path)
        return self._case_files[path]

    @staticmethod
    def _names_mutants(path: str) -> bool:
        """Whether a case file may name mutants: searching for the key is faster than parsing the file."""
        try:
            return b"equivalent_mutants" in Path(path).read_bytes()
        except OSError:
            return False

    def _accepted(self, ids: frozenset[str]) -> dict[str, EquivalentMutant]:
        """The entries of `equivalent_mutants` for these rules, by the mutants' IDs."""
        found = {}
        titles = {
            name
            for rule in self._suite.rules
            if rule.id in ids
            for name in (rule.id, rule.name, rule.title)
            if name is not None
        }
        for path in dict.fromkeys(
            trial.path for compilation in self._compilations for trial in compilation.needing(ids)
        ):
            if not self._names_mutants(path):
                continue
            file = self._case_file(path)
            main = {
                trial.rule_id
                for compilation in self._compilations
                for trial in compilation.trials
                if trial.path == path
            }
            for each in file.equivalent_mutants:
                if each.rule in titles if each.rule is not None else main & ids:
                    found[each.mutant] = each
        return found

    def _key(self, source: RuleFile, line: int, ids: frozenset[str], accepted: Mapping[str, EquivalentMutant]) -> str:
        """The hash of everything that the result depends on."""
        parts: list[Any] = [
            _FORMAT,
            cloudsigma.__version__,
            importlib.metadata.version("pysigma"),
            source.path,
            line,
            source.text,
            sorted((each.mutant, each.reason) for each in accepted.values()),
        ]
        for compilation in self._compilations:
            trials = compilation.needing(ids)
            needed = sorted({key for trial in trials for key in trial.needs})
            parts.append(
                [str(compilation.options), [repr(compilation.rules[key]) for key in needed if key in compilation.rules]]
            )
            for trial in trials:
                case = trial.case
                parts.append(
                    [trial.name, trial.path, case.match, case.count, repr(case.expected), case.records, case.bases]
                )
        written = msgspec.json.encode(json_ready(parts))
        return hashlib.sha256(written).hexdigest()


class _Compilation:
    """The rules compiled with one list of pipelines, and the trials of these rules."""

    def __init__(
        self, sources: Recompiler, options: Options, rules: Mapping[str, Definition], trials: Sequence[Trial]
    ) -> None:
        self.sources = sources
        self.options = options
        self.rules = rules
        self.trials = trials
        self._needing: dict[frozenset[str], list[Trial]] = {}
        self._meanings: dict[str, Any] = {}

    def needing(self, ids: frozenset[str]) -> list[Trial]:
        """The trials that depend on one of the rules."""
        if ids not in self._needing:
            self._needing[ids] = [trial for trial in self.trials if trial.needs & ids]
        return self._needing[ids]

    def _own_meaning(self, key: str) -> Any:
        if key not in self._meanings:
            self._meanings[key] = _meaning(self.rules[key])
        return self._meanings[key]

    def really(self, definitions: Mapping[str, Definition]) -> dict[str, Definition]:
        """The changed rules whose meaning differs from the original's."""
        return {
            key: each
            for key, each in definitions.items()
            if key in self.rules and _meaning(each) != self._own_meaning(key)
        }


@dataclass(frozen=True, slots=True)
class _Variant:
    """The effect of a mutant in one compilation."""

    compilation: _Compilation
    changed: ChangedRules
    trials: Sequence[Trial]

    @property
    def meaning(self) -> Any:
        return frozenset((key, _meaning(each)) for key, each in self.changed.definitions.items())

    def killer(self) -> Trial | None:
        """The first trial that fails with the mutant."""
        return next((trial for trial in self.trials if not trial.passes(self.changed)), None)


def _owners(source: RuleFile, compilations: Sequence[_Compilation]) -> dict[int, frozenset[str]]:
    """Line of each document in a file → the IDs of the rules that it contributes to."""
    found: dict[int, set[str]] = {}
    filters = {}
    for document in source.documents:
        value = document.value if isinstance(document.value, dict) else {}
        if "filter" in value:
            filters[document.line] = str(value.get("id") or "").lower()
    for compilation in compilations:
        for key, rule in compilation.rules.items():
            if rule.metadata.path == source.path and rule.metadata.line is not None:
                found.setdefault(rule.metadata.line, set()).add(key)
            for line, name in filters.items():
                if isinstance(rule, ir.DetectionRule) and any(each.filter == name for each in rule.selections):
                    found.setdefault(line, set()).add(key)
    return {line: frozenset(ids) for line, ids in found.items()}


def _meaning(definition: Definition) -> Any:
    """A form of a rule that is equal for rules with the same tests."""
    if isinstance(definition, ir.DetectionRule):
        return meaning(definition)
    return msgspec.structs.replace(definition, field_paths=(), generate=False)


def _stale(accepted: Mapping[str, EquivalentMutant], results: Sequence[MutantResult]) -> Iterator[str]:
    """Messages about entries of `equivalent_mutants` that are unnecessary or wrong."""
    known = {result.id: result for result in results}
    for name in accepted:
        result = known.get(name)
        if result is None:
            yield f"equivalent_mutants names {name!r}, and the rule has no such mutant"
        elif result.status == "killed":
            yield f"equivalent_mutants names {name!r}, and the case {result.reason!r} kills it"
        elif result.proposal is not None:
            yield f"equivalent_mutants names {name!r}, and a record tells it from the rule: see the proposed case"
