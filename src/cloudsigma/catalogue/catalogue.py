"""The catalogue: sources, their events, and the members of requests and responses.

Names are compared without regard to letter case, as a rule's values are.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from functools import cache, cached_property
from importlib import resources
from typing import Any

import msgspec

from cloudsigma.catalogue.events import Event, read_events

_SUFFIX = ".amazonaws.com"
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[A-Z]")
OPEN = frozenset({"ec2", "s3", "s3express"})
"""Sources whose requests have members that do not follow from the API's models."""


class Members(msgspec.Struct, frozen=True):
    """The members of a call, as records name them."""

    request: tuple[str, ...] = ()
    response: tuple[str, ...] = ()


class Catalogue:
    """The events that CloudTrail may record.

    Args:
        made: The date on which it was made, `2026-12-01`.
        sources: Source without `.amazonaws.com` → its events as the data file writes them.
        actions: Source → IAM's actions that are no events.
        regions: The regions of all partitions.
        added: Source → events that the user has added.
    """

    def __init__(
        self,
        made: str,
        sources: Mapping[str, str],
        actions: Mapping[str, str],
        regions: Iterable[str] = (),
        added: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self.made = made
        """The date of the catalogue."""
        self.regions = frozenset(regions)
        """The regions of all partitions."""
        self._written = sources
        self._actions = actions
        self._added = {_short(source): tuple(names) for source, names in (added or {}).items()}
        self._events: dict[str, dict[str, Event]] = {}

    @classmethod
    def load(cls, added: Mapping[str, Iterable[str]] | None = None) -> Catalogue:
        """The catalogue of this package, with the user's own names: source → events."""
        return _made(added) if added else _plain()

    # --- sources ----------------------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """All sources, such as `iam.amazonaws.com`, in their order."""
        return tuple(f"{source}{_SUFFIX}" for source in sorted({*self._written, *self._added}))

    def has_source(self, source: str) -> bool:
        """Whether it is a known source; with or without `.amazonaws.com`."""
        short = _short(source)
        return short in self._written or short in self._added

    def nearest_source(self, source: str) -> str | None:
        """The known source that is most like it."""
        short = _short(source).split(".")[0]
        if short in self._written:
            return f"{short}{_SUFFIX}"
        found = get_close_matches(short, [*self._written, *self._added], 1, 0.75)
        return f"{found[0]}{_SUFFIX}" if found else None

    # --- events -----------------------------------------------------------------------------------------------

    def events(self, source: str) -> Mapping[str, Event]:
        """The events of a source: lower-case name → event; empty for an unknown source."""
        short = _short(source)
        if short not in self._events:
            found = read_events(f"{short}{_SUFFIX}", self._written.get(short, ""))
            for name in self._added.get(short, ()):
                found.setdefault(name.lower(), Event(f"{short}{_SUFFIX}", name, origin="added"))
            self._events[short] = found
        return self._events[short]

    def event(self, source: str, name: str) -> Event | None:
        """An event of a source, `None` if it is unknown."""
        return self.events(source).get(name.lower())

    def sources_of(self, name: str) -> tuple[str, ...]:
        """The sources that have an event of this name."""
        return self._by_name.get(name.lower(), ())

    @cached_property
    def _by_name(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for source in self.sources:
            for name in self.events(source):
                found[name] = (*found.get(name, ()), source)
        return found

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all events, in lower case."""
        return tuple(self._by_name)

    def is_closed(self, source: str) -> bool:
        """Whether all events of a source are known: those of a service without a model are IAM's actions."""
        return any(event.origin == "model" for event in self.events(source).values())

    def nearest_event(self, name: str, source: str | None = None) -> Event | None:
        """The event whose name is most like this one: of the source, if one is given, else of any.

        `None` if all are rather different, as a name with another verb is.
        """
        names = self.events(source) if source is not None else self.names
        for near in get_close_matches(name.lower(), names, 5, 0.8 if source is not None else 0.88):
            event = self.event(source if source is not None else self._by_name[near][0], near)
            if event is not None and _is_like(name, event.name):
                return event
        return None

    def is_action(self, source: str, name: str) -> bool:
        """Whether it is an IAM action of the service that CloudTrail does not record under this name."""
        return name.lower() in self._lower_actions(_short(source))

    def _lower_actions(self, source: str) -> frozenset[str]:
        return _lower(self._actions.get(source, ""))

    # --- members ----------------------------------------------------------------------------------------------

    def members(self, source: str, name: str) -> Members | None:
        """The members of a call; `None` if they are not known, or the source adds others."""
        short = _short(source)
        found = self._members.get(short, {}).get(name.lower()) if short not in OPEN else None
        return Members(tuple(found[0].split()), tuple(found[1].split())) if found is not None else None

    @cached_property
    def _members(self) -> dict[str, dict[str, list[str]]]:
        return {
            source: {name.lower(): found for name, found in events.items()}
            for source, events in _data("members").items()
        }


def _is_like(name: str, other: str) -> bool:
    """Whether two names are one but for a typing error, or have their verb and all other words but one in common."""
    is_near = SequenceMatcher(None, name.lower(), other.lower()).ratio() >= 0.9
    here, there = (_WORD.findall(each) for each in (name, other))
    if len(here) < 2 or not there:
        return is_near
    if not get_close_matches(here[0].lower(), [there[0].lower()], 1, 0.75):
        return False
    only_here = [word for word in here if not get_close_matches(word.lower(), map(str.lower, there), 1, 0.75)]
    only_there = [word for word in there if not get_close_matches(word.lower(), map(str.lower, here), 1, 0.75)]
    return is_near or (len(only_here) <= 1 and len(only_there) <= 1 and max(len(here), len(there)) > 2)


def _short(source: str) -> str:
    return source.lower().removesuffix(_SUFFIX)


@cache
def _plain() -> Catalogue:
    """The catalogue without own names, once for each process: what it has looked up serves the next reader."""
    return _made(None)


def _made(added: Mapping[str, Iterable[str]] | None) -> Catalogue:
    data = _data("events")
    return Catalogue(data["made"], data["sources"], data["actions"], data["regions"], added)


@cache
def _lower(names: str) -> frozenset[str]:
    return frozenset(names.lower().split())


@cache
def _data(name: str) -> dict[str, Any]:
    file = resources.files("cloudsigma.catalogue") / "data" / f"{name}.json.gz"
    found: dict[str, Any] = msgspec.json.decode(gzip.decompress(file.read_bytes()))
    return found
