"""Which sources are to be read: all of them, those that are not done yet, or those that come as time goes on."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from cloudsigma.reading.account.ledger import Loss, Recorder
from cloudsigma.reading.scope.file_name_facts import delivery_of
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.reading.sources.interface import NothingThere, Source, Unreadable
from cloudsigma.reading.sources.register import Register
from cloudsigma.reading.sources.watch import Watch
from cloudsigma.scanning.scan_state import Tally
from cloudsigma.scanning.workers import Outcome

if TYPE_CHECKING:  # what reads S3 is imported where it is asked for
    from cloudsigma.reading.sources.named_files import NamedFiles

_CHANGED = "it has changed since it was read; without dedup its matches would be given twice, so it was not read again"


class Follow(msgspec.Struct, frozen=True):
    """How paths are watched for what is new."""

    stopping: threading.Event
    """Set by whoever wants it to end: what is being read is finished, and nothing else is begun."""
    interval: float
    """Seconds between two looks."""
    lateness: dt.timedelta
    """How much later than an event it may be delivered and still count in correlations."""


class Rounds:
    """Finds sources, once or round by round, and notes what became of them.

    Args:
        finder: Finds them.
        tally: What the scan comes to.
        register: Which are done; `None` where all are to be read, and none twice.
        dedup: Whether a source that has changed can be read again without giving matches twice.
        following: Whether there are rounds: a source that is still being written waits for the next, an empty folder is
            nothing to tell of, and what cannot be listed is told of once.
        strict: Whether every loss has to come as an outcome, in its place.
        tell: Told of losses as they come.
        own: Absolute paths of files that are written meanwhile: these are no sources.
        named: Takes the files that messages name, where they are to be read; there is a register then.
    """

    def __init__(
        self,
        finder: SourceFinder,
        tally: Tally,
        register: Register | None,
        *,
        dedup: bool,
        following: bool,
        strict: bool,
        tell: Callable[[Loss], None] | None = None,
        own: frozenset[str] = frozenset(),
        named: NamedFiles | None = None,
    ) -> None:
        self._finder = finder
        self._tally = tally
        self._register = register
        self._dedup = dedup
        self._strict = strict
        self._following = following
        self._watch = Watch()
        self._tell = tell
        self._own = own
        self._named = named
        self._changed: set[bytes] = set()
        self._lost_before: set[str] = set()
        self.listing = Recorder()
        """What the last listing passed over, and what it could not list."""

    def sources(self) -> Iterator[Source | Unreadable]:
        """The sources that are to be read now."""
        if self._register is None:
            yield from self._finder.find(self.listing, self._foreign if self._own else None)
            return
        self._register.begin_listing()
        self._watch.begin_look()
        listing, known = Recorder(), set(self.listing.losses)
        for source in self._finder.find(listing, self._wanted):
            if isinstance(source, Source) or self._strict:
                yield source
            elif not (self._following and isinstance(source, NothingThere)):
                listing.lose(source.name, source.reason)
                loss = Loss(source.name, source.reason)
                if self._tell is not None and loss not in known:
                    self._tell(loss)
        self.listing = listing

    def named_sources(self) -> Iterator[Source | Unreadable]:
        """Those of the files that messages name, once what names them has been settled."""
        if self._named is not None:
            yield from self._named.sources(self._wanted)

    def _wanted(self, source: Source) -> bool:
        register, recorder = self._register, self._tally.recorder
        if register is None or not self._foreign(source) or not register.first_listed(source):
            return False
        standing = register.standing(source)
        if standing in {"read", "failed, wait"}:
            return False
        if self._following and not self._watch.settled(source):
            return False
        if standing == "changed" and not self._dedup:
            recorder.lose(source.name, _CHANGED)
            if self._tell is not None:
                self._tell(Loss(source.name, _CHANGED))
            register.note(source)
            return False
        lost = recorder.forget_losses(source.name) if standing != "new" else False
        if standing == "changed":
            self._changed.add(source.key)
            if recorder.deliveries is not None:
                recorder.deliveries.read_again.add(source.name)
        elif lost:
            self._lost_before.add(source.name)
        return True

    def _foreign(self, source: Source) -> bool:
        """Whether a source is none of the files that are written meanwhile."""
        return os.path.abspath(os.fsdecode(source.key)) not in self._own  # noqa: PTH100  # links are not followed

    def settle(self, outcome: Outcome, *, named: bool = False) -> None:
        """Note what became of sources, `named` by messages or listed, once all that was found in them was given."""
        tally, losses = self._tally, outcome.recorder.losses
        if named:
            tally.recorder.named_files_read += outcome.recorder.files
        elif self._named is not None:
            noted = Recorder()
            self._named.note(outcome.recorder, noted)
            tally.recorder.add(noted)
            losses += noted.losses
        if self._tell is not None:
            for loss in losses:
                if loss.path not in self._lost_before:
                    self._tell(loss)
        if self._register is None:
            return
        failed = outcome.recorder.unread
        for source in outcome.sources:
            if not isinstance(source, Source):
                continue
            self._register.note(source, failed=source.name in failed)
            self._lost_before.discard(source.name)
            if source.key in self._changed:
                self._changed.remove(source.key)
                tally.read_again += 1
                if tally.recorder.deliveries is not None:
                    tally.recorder.deliveries.read_again.discard(source.name)
            delivery = delivery_of(source.name) if self._following else None
            if delivery is not None and delivery.first is not None:
                tally.note_time(delivery.first.timestamp())
