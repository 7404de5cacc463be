"""A set of compiled rules: a collection that matches, evaluates and explains."""

from __future__ import annotations

import datetime as dt
import difflib
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from cloudsigma import ir
from cloudsigma.arguments import check_instance, texts
from cloudsigma.correlation import MAX_ENTRIES, Correlator, check_lateness
from cloudsigma.correlation.match_stream import MatchStream
from cloudsigma.engine.context.principal import PrincipalReader
from cloudsigma.engine.evaluate.evidence import EvidenceReader
from cloudsigma.engine.evaluate.explain import Explanation, explain, spellings_in
from cloudsigma.engine.match import Match, make_matches
from cloudsigma.engine.prefilter.matcher import Matcher
from cloudsigma.engine.prefilter.reachability import Event, could_have_matched
from cloudsigma.engine.python_values import read_value
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import RuleError, RuleErrors, UnknownRuleError, UsageError, WrongTypeError
from cloudsigma.ir.identity import same_rule
from cloudsigma.origin import Origin
from cloudsigma.rulesets.levels import LEVELS

if TYPE_CHECKING:
    from cloudsigma.correlation.explain import CorrelationExplanation

_log = logging.getLogger("cloudsigma")

CLOUDTRAIL = ir.LogSource(product="aws", service="cloudtrail")
"""The default log source of the records."""

Record = Mapping[str, Any]

_ENVELOPES = frozenset({"Records", "detail", "awslogs", "Message", "Messages", "Events", "body", "data"})
"""Members of envelopes: events of functions, messages, files; no record has them."""


@dataclass(frozen=True, repr=False)
class RuleSet:
    """Compiled rules in a fixed order; may be used from several threads.

    Compares by its rules, pickles as IR, and reaches neither pySigma nor YAML.
    """

    rules: tuple[Rule, ...]
    """The rules, in the order they were loaded."""
    errors: tuple[RuleError, ...] = ()
    """The errors of the rules that were left out (`on_error="skip"`)."""
    warnings: tuple[RuleError, ...] = ()
    """Warnings about loaded rules."""
    declared: ir.LogSource = CLOUDTRAIL
    """The log source that the records are declared to be."""
    supporting: frozenset[str] = frozenset()
    """IDs of rules included only because a correlation refers to them; their matches are not reported."""

    # --- as a collection --------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __contains__(self, key: object) -> bool:
        return key in (self._by_key if isinstance(key, str) else self.rules)

    def __getitem__(self, key: str) -> Rule:
        """The rule with this ID or name.

        Raises:
            UnknownRuleError: No rule has it; a `KeyError`, too.
            WrongTypeError: The key is not text; a `TypeError`, too.
        """
        if not isinstance(key, str):
            raise WrongTypeError("the key", key, "the ID or name of a rule; list(rules) gives them by position")
        found = self._by_key.get(key) or self._by_key.get(key.lower())
        if found is None:
            known = [rule.name for rule in self.rules if rule.name] + [rule.id for rule in self.rules]
            raise UnknownRuleError(key, difflib.get_close_matches(key, known, n=2))
        return found

    @cached_property
    def _by_key(self) -> dict[str, Rule]:
        named = {rule.name: rule for rule in reversed(self.rules) if rule.name}
        return {**named, **{rule.id: rule for rule in self.rules}}

    def __add__(self, other: RuleSet) -> RuleSet:
        """Both sets together, each rule once.

        Raises:
            RuleError: One ID belongs to two different rules: to different texts, or to one text compiled with other
                placeholders, filters or pipelines.
            RuleErrors: Several do.
            UsageError: `other` is no rule set, or the two are for records of different log sources.
        """
        if not isinstance(other, RuleSet):
            raise WrongTypeError("the right side of +", other, "a RuleSet")
        if self.declared != other.declared:
            raise UsageError("the two rule sets are for records of different log sources")
        rules, conflicts = without_duplicates([*self.rules, *other.rules])
        if conflicts:
            raise conflicts[0] if len(conflicts) == 1 else RuleErrors("rules with one ID differ", conflicts)
        supporting = frozenset(
            rule_id
            for rule_id in self.supporting | other.supporting
            if all(rule_id in each.supporting for each in (self, other) if rule_id in each)
        )
        return RuleSet(rules, self.errors + other.errors, self.warnings + other.warnings, self.declared, supporting)

    def where(
        self,
        *,
        level: str | None = None,
        status: str | Collection[str] | None = None,
        tag: str | Collection[str] | None = None,
        id: str | Collection[str] | None = None,  # noqa: A002  # the field's own word, public contract
        exclude: str | Collection[str] | None = None,
    ) -> RuleSet:
        """A smaller set. Rules that its correlations refer to stay in it, but are not reported themselves.

        Args:
            level: The minimum level; a rule without a level counts as below every level but `informational`.
            status: One status, or several of which the rule has one.
            tag: One tag, or several of which the rule has one; `attack.t1098` includes its sub-techniques.
            id: IDs or names of the rules to keep.
            exclude: IDs or names of the rules to leave out.

        Raises:
            UsageError: There is no such level, or an argument has another type.
            UnknownRuleError: No rule has an ID or name that was given.
        """
        least = 0
        if level is not None:
            if not isinstance(level, str):
                raise WrongTypeError("level", level, f"one of {', '.join(LEVELS)}")
            if level.lower() not in LEVELS:
                raise UsageError(f"there is no level {level!r}; use one of {', '.join(LEVELS)}")
            least = LEVELS.index(level.lower())
        statuses = {text.lower() for text in texts("status", status, "one status or several, as text")}
        tags = tuple(text.lower() for text in texts("tag", tag, "one tag or several, as text"))
        kept = {self[key].id for key in texts("id", id, "IDs or names of rules, as text")}
        left_out = {self[key].id for key in texts("exclude", exclude, "IDs or names of rules, as text")}
        chosen = {
            rule.id
            for rule in self.rules
            if (LEVELS.index(rule.level) if rule.level else 0) >= least
            and (status is None or rule.status in statuses)
            and (tag is None or any(_has_tag(rule, wanted) for wanted in tags))
            and (id is None or rule.id in kept)
            and rule.id not in left_out
        }
        needed = self._referred_by(chosen)
        rules = tuple(rule for rule in self.rules if rule.id in chosen | needed)
        supporting = (needed - chosen) | (self.supporting & chosen)
        return RuleSet(rules, self.errors, self.warnings, self.declared, frozenset(supporting))

    def _referred_by(self, rule_ids: Collection[str]) -> set[str]:
        """IDs of the rules that correlations refer to, directly or through others."""
        needed: set[str] = set()
        waiting = list(rule_ids)
        while waiting:
            correlation = self._by_key[waiting.pop()].correlation
            more = set(correlation.rules) - needed if correlation is not None else set()
            needed |= more
            waiting += more
        return needed

    @cached_property
    def hidden(self) -> frozenset[str]:
        """IDs of rules whose matches are not reported: a correlation refers to them and does not `generate`."""
        referred = (rule.correlation for rule in self.rules if rule.correlation is not None)
        return self.supporting | {rule_id for each in referred if not each.generate for rule_id in each.rules}

    # --- evaluating -------------------------------------------------------------------------------------------

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher([rule for rule in self.rules if rule.logsource and rule.logsource.covers(self.declared)])

    @cached_property
    def _evidence(self) -> EvidenceReader:
        return EvidenceReader()

    @cached_property
    def _principals(self) -> PrincipalReader:
        return PrincipalReader()

    @property
    def probe(self) -> Matcher:
        """The probe by which a reader skips records that no rule could match."""
        return self._matcher

    @property
    def found_by(self) -> dict[str, str | None]:
        """Rule ID → index field, for the detection rules that apply.

        Nearly every rule is indexed by `eventName`. A rule with `None` is evaluated for every record, which costs the
        most.
        """
        return self._matcher.found_by

    def silent(self, events: Iterable[Event]) -> tuple[Rule, ...]:
        """Those of the rules that apply which no record with one of these events could have matched.

        Args:
            events: Pairs of event source and event name; `None` for a null or missing one.
        """
        found = could_have_matched(self.rules, events)
        applying = {*self.found_by, *(rule.id for rule in self.rules if rule.correlation is not None)}
        return tuple(rule for rule in self.rules if rule.id in applying and rule.id not in found)

    def match(self, record: Record, *, origin: Origin | None = None) -> tuple[Match, ...]:
        """The matches of one record, in the order of the rules: of every detection rule, also the `hidden` ones."""
        found = self._matcher.matching(record)
        if not found:
            return ()
        check_instance("origin", origin, Origin, "an Origin, or None")
        return make_matches(found, record, origin, self._evidence.read, self._principals.read)

    def matches_of(self, rule_ids: Iterable[str], record: Record, origin: Origin | None = None) -> tuple[Match, ...]:
        """The matches of one record for rules that are known to match it (`verdicts`)."""
        rules = self._by_key
        return make_matches(
            [rules[rule_id] for rule_id in rule_ids], record, origin, self._evidence.read, self._principals.read
        )

    def verdicts(self, record: Record) -> tuple[str, ...]:
        """The IDs of the detection rules that match one record: no context, no evidence."""
        return self._matcher.verdicts(record)

    def evaluate(self, records: Iterable[Record], *, lateness: dt.timedelta | None = None) -> Iterator[Match]:
        """The matches of records, in their order and then that of the rules.

        Lazy: one record is taken at a time, so `records` may be endless. Records are never changed. A value that is
        not a mapping matches nothing and is logged as a warning by the logger `cloudsigma`.

        Args:
            records: CloudTrail records.
            lateness: How much later than its event time a record may come. Matches of correlations are given as soon
                as no record within it can change them. `None`: they are given at the end, whatever the order of the
                records, and what matched is held until then.
        """
        if isinstance(records, (Mapping, str, bytes)) or not isinstance(records, Iterable):
            raise WrongTypeError("records", records, "an iterable of records, such as a list")
        if hasattr(records, "columns"):
            raise WrongTypeError(
                "records", records, 'its rows: df.to_dict("records") of pandas, df.to_dicts() of Polars'
            )
        check_lateness(lateness)
        return self.evaluate_with_origin(((record, None) for record in records), lateness=lateness)

    def evaluate_with_origin(
        self, records: Iterable[tuple[Record, Origin | None]], *, lateness: dt.timedelta | None = None
    ) -> Iterator[Match]:
        """`evaluate` for records with their origins, as a reader yields them."""
        return self.evaluate_matches(self._matches(records), lateness=lateness)

    def _matches(self, records: Iterable[tuple[Record, Origin | None]]) -> Iterator[tuple[Match, ...]]:
        told = False
        for position, (given, origin) in enumerate(records):
            record = given if isinstance(given, Mapping) else read_value(given)  # a row may be a Series of pandas
            if isinstance(record, Mapping):
                if not told and "eventName" not in record and _ENVELOPES.intersection(record):
                    told = True
                    _log.warning(
                        "record %d looks like an envelope around records, and was not unwrapped; "
                        "cloudsigma.read_records(value) gives the records in it",
                        position,
                    )
                yield self.match(record, origin=origin)
            else:
                kind = type(given).__name__
                _log.warning("record %d is a %s, no mapping; it matches nothing", position, kind)

    def evaluate_matches(
        self, per_record: Iterable[tuple[Match, ...]], *, lateness: dt.timedelta | None = None
    ) -> Iterator[Match]:
        """`evaluate` for records whose matches (`RuleSet.match`) are known already, one tuple a record."""
        correlator = None
        if any(rule.correlation is not None for rule in self.rules):
            # Without a lateness, matches are held to the end, so that the order of the records never matters.
            bound = None if lateness is None else MAX_ENTRIES
            correlator = Correlator(self.rules, lateness=lateness, max_entries=bound)
        stream = MatchStream(self.hidden, correlator)
        for matches in per_record:
            yield from stream.feed(matches)
        yield from stream.close()

    @overload
    def explain(self, record: Record, rule: str) -> Explanation: ...

    @overload
    def explain(self, record: Iterable[Record], rule: str) -> CorrelationExplanation: ...

    def explain(self, record: Record | Iterable[Record], rule: str) -> Explanation | CorrelationExplanation:
        """Why the rule with this ID or name matches the record, or why not.

        Args:
            record: One record; for a correlation an iterable of records.
            rule: The ID or name of a rule.

        Raises:
            UnknownRuleError: There is no such rule.
            WrongTypeError: A detection rule with several records, or a correlation with one.
        """
        found = self[rule]
        if not isinstance(found.definition, ir.DetectionRule):
            if isinstance(record, (Mapping, str, bytes)) or not isinstance(record, Iterable):
                raise WrongTypeError(
                    "record", record, f"several records, such as a list: {found.title!r} is a correlation"
                )
            from cloudsigma.correlation.explain import explain_correlation

            return explain_correlation(found, self.rules, self.match, record)
        if not isinstance(record, Mapping):
            raise WrongTypeError("record", record, "one record, a dict")
        tree = explain(found.definition, record)
        applies = found.definition.logsource.covers(self.declared)
        return Explanation(found.id, found.title, tree.matched and applies, applies, tree, spellings_in(tree, record))

    # --- as a value -------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the set to a file that `load_rules` reads without pySigma and YAML: JSON, and no code in it.

        It also contains the source of each predicate, for people; this is not read back.

        Raises:
            UsageError: A rule has a custom attribute that JSON cannot hold, such as `.nan`.
            FileAccessError: The file cannot be written; an `OSError`, too.
        """
        from cloudsigma.rulesets.saved import save_rules  # it loads rule sets, too

        save_rules(self, path)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "rules": self.rules, "errors": self.errors, "warnings": self.warnings, "declared": self.declared,
            "supporting": self.supporting,
        }  # fmt: skip

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        trouble = "".join(
            f", {len(found)} {what}" for what, found in (("errors", self.errors), ("warnings", self.warnings)) if found
        )
        return f"RuleSet({len(self.rules)} rules{trouble})"


def _has_tag(rule: Rule, wanted: str) -> bool:
    return any(tag.lower() == wanted or tag.lower().startswith(f"{wanted}.") for tag in rule.tags)


def without_duplicates(rules: Sequence[Rule]) -> tuple[tuple[Rule, ...], list[RuleError]]:
    """The rules, each ID once, and an error for every rule that has the ID of a different one (`same_rule`)."""
    kept: dict[str, Rule] = {}
    conflicts: list[RuleError] = []
    for rule in rules:
        first = kept.setdefault(rule.id, rule)
        if not same_rule(first.definition, rule.definition):
            conflicts.append(_conflict(first, rule))
    return tuple(kept.values()), conflicts


def _conflict(first: Rule, rule: Rule) -> RuleError:
    place = f"{first.path or '<text>'}:{first.line}"
    if first.definition.metadata.digest == rule.definition.metadata.digest:
        reason = f"the same rule, in {place}, was compiled with other placeholders, filters or pipelines"
        remedy = "Compile both with the same options, or give one of the two a new UUID."
    else:
        reason = f"its ID is that of another rule, {first.title!r} in {place}"
        remedy = "Give one of the two a new UUID."
    return RuleError("reference", reason, path=rule.path, line=rule.line, rule=rule.id, remedy=remedy)
