"""The sentences about a field, an event or a word, for hover and completion."""

from __future__ import annotations

from collections.abc import Iterable

from cloudsigma.catalogue import Catalogue, Event
from cloudsigma.catalogue.record_fields import VALUES, known_paths

_ORIGINS = {
    "model": "an operation of the service",
    "action": "an IAM action of a service without a model",
    "documented": "no API call, documented by AWS",
    "observed": "seen in public records",
    "added": "from the configuration",
}
_PARTS = ("requestParameters", "responseElements")
MOST_MEMBERS = 30
"""Members that a text about an event names; it counts the others."""


def about_event(event: Event, catalogue: Catalogue) -> str:
    """An event in a few lines of Markdown."""
    kind = "reads" if event.read_only else "writes"
    lines = [f"**{event.name}** of {event.source}: {kind} (`readOnly: {str(event.read_only).lower()}`)"]
    lines.append(f"{_ORIGINS[event.origin].capitalize()}.")
    if event.undated:
        lines.append("Records have the name with a date behind it.")
    if event.alias:
        lines.append("Another name of a call, or one that only old records have.")
    if event.retired:
        lines.append("No longer in AWS's models.")
    members = catalogue.members(event.source, event.name)
    if members is not None:
        for part, names in zip(_PARTS, (members.request, members.response), strict=True):
            if names and not (part == "responseElements" and event.read_only):
                lines.append(f"{part}: {_listed(names)}")
    lines.append(f"Catalogue of {catalogue.made}.")
    return "\n\n".join(lines)


def about_source(source: str, catalogue: Catalogue) -> str:
    """An event source in a line of Markdown."""
    events = catalogue.events(source)
    reading = sum(event.read_only for event in events.values())
    return f"**{source}**: {len(events)} events, {reading} of which only read. Catalogue of {catalogue.made}."


def about_field(field: str, events: Iterable[Event], catalogue: Catalogue) -> str | None:
    """A field of records in a line of Markdown; `None` if nothing is known about it."""
    if field in VALUES:
        return f"**{field}** is one of: {', '.join(sorted(VALUES[field]))}."
    if field in known_paths():
        return f"**{field}** is a field of every record's form."
    part, _, member = field.partition(".")
    if part not in _PARTS or not member:
        return None
    name = member.split(".")[0]
    having = [event.name for event in events if name in members_of([event], part, catalogue)]
    return f"**{field}** is a member of {', '.join(having)}." if having else None


def members_of(events: Iterable[Event], part: str, catalogue: Catalogue) -> tuple[str, ...]:
    """The members that the requests or responses of some of the events have, in order."""
    found: dict[str, None] = {}
    for event in events:
        members = catalogue.members(event.source, event.name)
        if members is not None and not (part == "responseElements" and event.read_only):
            found.update(dict.fromkeys(members.request if part == "requestParameters" else members.response))
    return tuple(found)


def events_named(sources: Iterable[str], names: Iterable[str], catalogue: Catalogue) -> tuple[Event, ...]:
    """The events that a rule names: those of its sources, or of any if it names none."""
    given = [source for source in sources if catalogue.has_source(source)]
    found = (catalogue.event(source, name) for name in names for source in (given or catalogue.sources_of(name)))
    return tuple(event for event in found if event is not None)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_MEMBERS} more" if len(names) > MOST_MEMBERS else ""
    return ", ".join(f"`{name}`" for name in names[:MOST_MEMBERS]) + more
