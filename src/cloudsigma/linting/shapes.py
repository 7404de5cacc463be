"""Checks against the records that CloudTrail writes of a call, an identity or a service, where these surprise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudsigma import ir
from cloudsigma.catalogue import Catalogue, Event
from cloudsigma.catalogue.record_shapes import (
    ABSENT,
    DATA_EVENTS,
    GLOBAL,
    GLOBAL_REGIONS,
    SHAPES,
    WITHHELD,
    Shape,
)
from cloudsigma.compiler.document import Place
from cloudsigma.compiler.doubts.contradictions import literal_text
from cloudsigma.engine.evaluate.operators import matches
from cloudsigma.linting.conjunctions import Conjunction, first_of, place_of, told_everywhere
from cloudsigma.linting.field_values import NO_ERRORS
from cloudsigma.linting.notes import Note, RuleDocument
from cloudsigma.linting.pairs import exact_events, possible_sources

_SUFFIX = ".amazonaws.com"
_HIDDEN = ("HIDDEN_DUE_TO_SECURITY_REASONS", "<sensitiveDataRemoved>", "****", "***")
_CLOSED_PARTITIONS = ("us-gov-", "us-iso", "eu-iso", "eusc-")


def shape_notes(document: RuleDocument, found: Sequence[Conjunction], catalogue: Catalogue) -> Iterator[Note]:
    """The notes about tests that the records of a rule's events cannot meet. `found`: the rule's conjunctions."""

    def note_of(test: ir.Test, wanted: bool, conjunction: Conjunction) -> Note | None:  # noqa: FBT001  # as it is called
        if not wanted or test.field is None:
            return None
        if test.field == "awsRegion":
            return _region(document, test, conjunction, catalogue)
        if test.field.startswith("userIdentity."):
            return _identity(document, test, conjunction)
        return _shape(document, test, conjunction, catalogue)

    yield from told_everywhere(found, note_of)
    yield from _data_events(document, found, catalogue)


# --- calls --------------------------------------------------------------------------------------------------


def _shape(document: RuleDocument, test: ir.Test, conjunction: Conjunction, catalogue: Catalogue) -> Note | None:
    if any(isinstance(matcher, (ir.Null, ir.Exists)) or _is_any(matcher) for matcher in test.matchers):
        return None
    field = test.field or ""
    events: list[Event] | None = None
    for table, slug in ((WITHHELD, "withheld-value"), (SHAPES, "known-record-shape")):
        for shape in table:
            if field != shape.field and not field.startswith(f"{shape.field}."):
                continue
            events = exact_events(conjunction, catalogue) if events is None else events
            if not events or not all(_is_of(shape, event) for event in events):
                continue
            if shape.value is None:
                if not any(matches(matcher, text) for matcher in test.matchers for text in _HIDDEN):
                    return Note(slug, place_of(document, test, 0), shape.reason, shape.remedy)
            elif all((literal_text(matcher) or "").lower() == shape.value for matcher in test.matchers):
                return Note(slug, place_of(document, test, 0), shape.reason, shape.remedy)
    if field == "errorCode":
        return _error_of_ec2(document, test, conjunction, catalogue)
    return None


def _is_of(shape: Shape, event: Event) -> bool:
    return event.source == f"{shape.source}{_SUFFIX}" and (not shape.events or event.name.lower() in shape.events)


def _is_any(matcher: ir.Matcher) -> bool:
    return isinstance(matcher, ir.Pattern) and all(part is ir.Wildcard.MANY for part in matcher.parts)


def _error_of_ec2(
    document: RuleDocument, test: ir.Test, conjunction: Conjunction, catalogue: Catalogue
) -> Note | None:  # fmt: skip
    sources = possible_sources(conjunction, catalogue)
    if sources != (f"ec2{_SUFFIX}",):
        events = exact_events(conjunction, catalogue)
        if not events or any(event.source != f"ec2{_SUFFIX}" for event in events):
            return None
    texts = [literal_text(matcher) for matcher in test.matchers]
    if any((text or "").lower() in NO_ERRORS for text in texts):
        return None  # told as such
    if all(text and not text.lower().startswith(("client.", "server.")) for text in texts):
        return Note("known-record-shape", place_of(document, test, 0),
                    "the error codes of EC2 have Client. or Server. in front",
                    "For a denied call write Client.UnauthorizedOperation.")  # fmt: skip
    return None


# --- identities ---------------------------------------------------------------------------------------------


def _identity(document: RuleDocument, test: ir.Test, conjunction: Conjunction) -> Note | None:
    member = (test.field or "").removeprefix("userIdentity.")
    if any(isinstance(matcher, (ir.Null, ir.Exists)) for matcher in test.matchers):
        return None
    for other, wanted in conjunction:
        if other.field != "userIdentity.type" or not wanted:
            continue
        types = [literal_text(matcher) for matcher in other.matchers]
        where = [ABSENT.get((each or "").lower(), {}).get(member) for each in types]
        if where and all(where):
            reason = f"records of the type {first_of([each or '' for each in types])} have no {test.field}"
            return Note("identity-fields", place_of(document, test, 0), reason, f"{(where[0] or '').capitalize()[:1]}"
                        f"{(where[0] or '')[1:]}.")  # fmt: skip
    return None


# --- regions and trails -------------------------------------------------------------------------------------


def _region(document: RuleDocument, test: ir.Test, conjunction: Conjunction, catalogue: Catalogue) -> Note | None:
    sources = possible_sources(conjunction, catalogue)
    if sources is None:
        sources = tuple({event.source for event in exact_events(conjunction, catalogue)})
    if not sources or any(source.removesuffix(_SUFFIX) not in GLOBAL for source in sources):
        return None
    regions = {
        region
        for region in catalogue.regions
        if any(matches(matcher, region) for matcher in test.matchers if isinstance(matcher, ir.Pattern))
    }
    open_ones = {each for each in regions if not each.startswith(_CLOSED_PARTITIONS)}
    if not open_ones or open_ones & GLOBAL_REGIONS:
        return None
    reason = f"the events of {first_of(sources)} are recorded in us-east-1, whichever region the caller uses"
    return Note("global-service-region", place_of(document, test, 0), reason, "Write us-east-1, or leave it out.")


def _data_events(document: RuleDocument, found: Sequence[Conjunction], catalogue: Catalogue) -> Iterator[Note]:
    """Rules all of whose events are recorded only where a trail asks for them."""
    needed: dict[str, list[str]] = {}
    for conjunction in found:
        events = exact_events(conjunction, catalogue)
        if not events:
            return
        for event in events:
            resource, names = DATA_EVENTS.get(event.source.removesuffix(_SUFFIX), ("", frozenset()))
            if event.name.lower() not in names:
                return
            if event.name not in needed.setdefault(resource, []):
                needed[resource].append(event.name)
    if not needed:
        return
    place: Place = document.document.place(("title",))
    for resource, listed in needed.items():
        yield Note("data-event", place, f"trails record {first_of(listed)} only as data events",
                   f"The trail needs a selector with the resource type {resource}.")  # fmt: skip
