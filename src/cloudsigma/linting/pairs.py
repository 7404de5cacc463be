"""Checks of what holds together: can an event of this name come from this source, with these members?

A value is dead if it is possible in none of the rule's conjunctions.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache

from cloudsigma import ir
from cloudsigma.catalogue import Catalogue, Event
from cloudsigma.catalogue.record_shapes import EVENTS_OF_ACTIONS
from cloudsigma.compiler.document import Place
from cloudsigma.compiler.doubts.contradictions import literal_text
from cloudsigma.compiler.remedies import quoted
from cloudsigma.engine.evaluate.operators import fold as folded
from cloudsigma.engine.evaluate.operators import matches
from cloudsigma.linting.conjunctions import Conjunction, first_of, place_of, told_everywhere
from cloudsigma.linting.notes import Note, RuleDocument

_PARTS = re.compile(r"(?P<part>requestParameters|responseElements)\.(?P<member>[A-Za-z0-9]+)")


def pair_notes(document: RuleDocument, found: Sequence[Conjunction], catalogue: Catalogue) -> Iterator[Note]:
    """The notes about sources, event names and members that cannot meet in any of a rule's conjunctions."""
    unknown = yield from _sources(document, found, catalogue)
    if unknown:
        return
    told = yield from _names(document, found, catalogue)
    if not told:
        yield from _members(found, catalogue)


# --- sources ------------------------------------------------------------------------------------------------


def _sources(document: RuleDocument, found: Sequence[Conjunction], catalogue: Catalogue) -> Generator[Note, None, bool]:
    told = False
    for test in _tests(found, "eventSource"):
        for at, matcher in enumerate(test.matchers):
            text = literal_text(matcher)
            if text is None or (catalogue.has_source(text) and text.lower().endswith(".amazonaws.com")):
                continue
            if not isinstance(matcher, ir.Pattern) or any(matches(matcher, each) for each in catalogue.sources):
                continue
            nearest = catalogue.nearest_source(text)
            remedy = f"Did you mean {nearest}?" if nearest else "Look it up: cloudsigma fields. Or add it: --event."
            reason = f"{quoted(text)} is no event source (catalogue of {catalogue.made})"
            told = True
            yield Note("unknown-event-source", place_of(document, test, at), reason, remedy)
    return told


def possible_sources(conjunction: Conjunction, catalogue: Catalogue) -> tuple[str, ...] | None:
    """The sources that a conjunction allows; `None` for any."""
    allowed: tuple[str, ...] | None = None
    for test, wanted in conjunction:
        if test.field != "eventSource" or not wanted:
            continue
        if any(not isinstance(matcher, ir.Pattern) for matcher in test.matchers):
            return None
        each = _sources_passing(test, catalogue)
        allowed = each if allowed is None else tuple(source for source in allowed if source in each)
    return allowed


@lru_cache(maxsize=1_000)
def _sources_passing(test: ir.Test, catalogue: Catalogue) -> tuple[str, ...]:
    texts = [literal_text(matcher) for matcher in test.matchers]
    if not test.all_of and all(text is not None for text in texts):
        exact = {text.lower() for text in texts if text is not None}
        return tuple(source for source in catalogue.sources if source in exact)
    return tuple(source for source in catalogue.sources if _passes(test, source))


# --- names --------------------------------------------------------------------------------------------------


def _names(document: RuleDocument, found: Sequence[Conjunction], catalogue: Catalogue) -> Generator[Note, None, bool]:
    alive: dict[tuple[int, int], bool] = {}
    seen: dict[tuple[int, int], tuple[ir.Test, int, tuple[str, ...] | None]] = {}
    for conjunction in found:
        sources = possible_sources(conjunction, catalogue)
        for test, wanted in conjunction:
            if test.field != "eventName" or not wanted:
                continue
            for at, matcher in enumerate(test.matchers):
                key = (id(test), at)
                seen.setdefault(key, (test, at, sources))
                alive[key] = alive.get(key, False) or is_possible(matcher, sources, catalogue)
    told = False
    for key, (test, at, sources) in seen.items():
        if alive[key]:
            continue
        told = True
        yield _dead_name(document, test, at, sources, catalogue)
    return told


@lru_cache(maxsize=10_000)
def is_possible(matcher: ir.Matcher, sources: tuple[str, ...] | None, catalogue: Catalogue) -> bool:
    """Whether some event of the sources (`None`: of any) has a name that passes."""
    if not isinstance(matcher, ir.Pattern):
        return True
    text = literal_text(matcher)
    if text is not None:
        if sources is None:
            where = catalogue.sources_of(text)
            return bool(where) and not all(_is_undated(catalogue, source, text) for source in where)
        return any(
            not _is_undated(catalogue, source, text)
            and (catalogue.event(source, text) is not None or not _is_known(catalogue, source, text))
            for source in sources
        )
    where = sources if sources is not None else catalogue.sources
    return any(
        not catalogue.is_closed(source)
        or any(matches(matcher, event.name) for event in catalogue.events(source).values())
        for source in where
    )


def _is_known(catalogue: Catalogue, source: str, text: str) -> bool:
    """Whether the catalogue can say that a source has no such event."""
    return catalogue.is_closed(source) or bool(catalogue.sources_of(text))


def _is_undated(catalogue: Catalogue, source: str, text: str) -> bool:
    event = catalogue.event(source, text)
    return event is not None and event.undated


def _dead_name(
    document: RuleDocument, test: ir.Test, at: int, sources: tuple[str, ...] | None, catalogue: Catalogue
) -> Note:
    place = place_of(document, test, at)
    text = literal_text(test.matchers[at])
    if text is None:
        shown = quoted(test.written[at]) if at < len(test.written) else "the pattern"
        where = f" of {first_of(sources)}" if sources is not None else ""
        reason = f"no event{where} has a name like {shown} (catalogue of {catalogue.made})"
        return Note("unknown-event-name", place, reason, "Look the names up: cloudsigma fields SOURCE.")
    asked = sources if sources is not None else catalogue.sources
    if any(_is_undated(catalogue, source, text) for source in asked):
        reason = f"CloudTrail records {text} of Lambda with a date behind the name"
        return Note("undated-lambda-event", place, reason, f"Write eventName|startswith: {text}.")
    prefix, colon, action = text.partition(":")
    if colon and catalogue.event(prefix, action) is not None:
        reason = f"{quoted(text)} is an IAM action; the event is {action}"
        return Note("iam-action-as-event", place, reason, f"Write {action}.", action, text)
    actions = [source for source in asked if catalogue.is_action(source, text)]
    elsewhere = catalogue.sources_of(text)
    if actions:
        written = EVENTS_OF_ACTIONS.get((actions[0].removesuffix(".amazonaws.com"), text.lower()))
        if written is not None:
            reason = f"{text} is an IAM action; the event is {written}"
            return Note("iam-action-as-event", place, reason, f"Write {written}.", written, text)
        nearest = catalogue.nearest_event(text, actions[0])
        remedy = f"Did you mean {nearest.name}?" if nearest else f"Look it up: cloudsigma fields {actions[0]}."
        reason = f"{text} is an IAM action, and no event of {actions[0]} (catalogue of {catalogue.made})"
        return Note("iam-action-as-event", place, reason, remedy)
    if sources is not None and elsewhere:
        near = elsewhere[0] if len(elsewhere) == 1 else f"{', '.join(elsewhere[:3])}"
        reason = f"{text} is no event of {first_of(sources)} (catalogue of {catalogue.made})"
        return Note("event-of-another-source", place, reason, f"It is one of {near}.")
    found: Event | None = None
    for source in (sources or ())[:5]:
        found = found or catalogue.nearest_event(text, source)
    found = found or catalogue.nearest_event(text)
    remedy = f"Did you mean {found.name}?" if found else "Look it up: cloudsigma fields. Or add it: --event."
    where = f" of {first_of(sources)}" if sources else ""
    reason = f"{quoted(text)} is no event{where} (catalogue of {catalogue.made})"
    return Note("unknown-event-name", place, reason, remedy)


# --- members ------------------------------------------------------------------------------------------------


def _members(found: Sequence[Conjunction], catalogue: Catalogue) -> Iterator[Note]:
    """Members that no call of a conjunction has, wherever the test occurs."""

    def note_of(test: ir.Test, wanted: bool, conjunction: Conjunction) -> Note | None:  # noqa: FBT001  # as it is called
        match = _PARTS.match(test.field or "")
        if match is None or not wanted or any(isinstance(matcher, (ir.Null, ir.Exists)) for matcher in test.matchers):
            return None
        events = exact_events(conjunction, catalogue)
        return _member_note(test, match["part"], match["member"], events, catalogue) if events else None

    yield from told_everywhere(found, note_of)


def _member_note(test: ir.Test, part: str, member: str, events: list[Event], catalogue: Catalogue) -> Note | None:
    place = Place(test.line or 1, test.column or 1)
    names = first_of([event.name for event in events])
    if part == "responseElements":
        if all(event.read_only for event in events):
            reason = f"{names} only reads, and records of reads have no responseElements"
            return Note("responses-of-reads", place, reason, "Test requestParameters, or another event.")
        return None
    request: set[str] = set()
    for event in events:
        members = catalogue.members(event.source, event.name)
        if members is None or event.origin != "model":
            return None
        request |= set(members.request)
    if member.lower() in {each.lower() for each in request}:
        right = next(each for each in request if each.lower() == member.lower())
        if right == member:
            return None
    else:
        close = get_close_matches(member, request, 1, 0.7)
        right = close[0] if close else ""
    listed = ", ".join(sorted(request)[:8])
    remedy = f"Did you mean {part}.{right}?" if right else f"There are: {listed}." if request else "It has no members."
    reason = f"the request of {names} has no member {quoted(member)} (catalogue of {catalogue.made})"
    return Note("unknown-parameter", place, reason, remedy)


def exact_events(conjunction: Conjunction, catalogue: Catalogue) -> list[Event]:
    """The events that a conjunction allows, if they are named in full; else none."""
    sources = possible_sources(conjunction, catalogue)
    names: list[str] | None = None
    for test, wanted in conjunction:
        if test.field == "eventName" and wanted:
            texts = [literal_text(matcher) for matcher in test.matchers]
            if all(text is not None for text in texts):
                listed = [text for text in texts if text is not None]
                names = listed if names is None else [name for name in names if name in listed]
    if names is None or len(names) > 50:
        return []
    found = []
    for name in names:
        where = catalogue.sources_of(name)
        chosen = [source for source in where if sources is None or source in sources]
        if not chosen:
            return []
        found += [event for source in chosen if (event := catalogue.event(source, name)) is not None]
    return found


# --- parts of rules -----------------------------------------------------------------------------------------


def _tests(found: Sequence[Conjunction], field: str) -> list[ir.Test]:
    seen: dict[int, ir.Test] = {}
    for conjunction in found:
        for test, wanted in conjunction:
            if test.field == field and wanted:
                seen.setdefault(id(test), test)
    return list(seen.values())


def _passes(test: ir.Test, text: str) -> bool:
    verdicts = [matches(matcher, text) or matches(matcher, folded(text)) for matcher in test.matchers]
    return all(verdicts) if test.all_of else any(verdicts)
