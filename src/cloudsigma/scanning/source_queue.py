"""Chooses the sources of each pass: all, those not finished in a checkpoint, or the new ones while following."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from cloudsigma.reading.account.ledger import Loss, Recorder
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.reading.sources.interface import NothingThere, Source, Unreadable
from cloudsigma.reading.sources.register import Register
from cloudsigma.reading.sources.watch import Watch
from cloudsigma.scanning.batch import BatchResult
from cloudsigma.scanning.config import ScanConfig
from cloudsigma.scanning.scan_state import ScanState

if TYPE_CHECKING:  # imports the S3 clients
    from cloudsigma.reading.sources.named_files import NamedFiles
    from cloudsigma.reading.sources.sqs.message_queue import MessageQueue

_CHANGED = "it has changed since it was read; without dedup its matches would be given twice, so it was not read again"


class SourceQueue:
    """Lists sources, in one or many passes, and records which were read.

    Args:
        finder: Lists the sources.
        state: The state of the scan.
        config: The settings of the scan. While paths are followed, a source that is still being written waits for the
            next pass, an empty folder is not a loss, and a path that cannot be listed is reported only once.
        register: Records the sources that were read; `None`: read all, in one pass.
        on_loss: Called with each loss as it occurs.
        named: Collects the files that notifications name, to read them too; needs a register.
        messages: The queue whose messages are the sources of a pass, instead of listed ones; needs `named`.
    """

    def __init__(
        self,
        finder: SourceFinder,
        state: ScanState,
        config: ScanConfig,
        register: Register | None = None,
        *,
        on_loss: Callable[[Loss], None] | None = None,
        named: NamedFiles | None = None,
        messages: MessageQueue | None = None,
    ) -> None:
        self._finder = finder
        self._state = state
        self._config = config
        self._follows = config.follow is not None
        self._register = register
        self._watch = Watch()
        self._on_loss = on_loss or (lambda _: None)
        self._named = named
        self._messages = messages
        self._exclude = frozenset(map(os.path.abspath, config.exclude))
        self._changed: set[bytes] = set()
        self._lost_before: set[str] = set()
        self._monitor = config.follow.monitor if config.follow is not None else None
        self.listing = Recorder()
        """The files that the last listing skipped, and the paths that it could not list."""

    def sources(self) -> Iterator[Source | Unreadable]:
        """The sources to read now."""
        if self._register is None:
            yield from self._finder.find(self.listing, self._is_input if self._exclude else None)
            return
        self._register.begin_listing()
        if self._messages is not None and self._config.follow is not None:
            for message in self._messages.receive(self._config.follow.stop):
                if message.message.receives > 1 and self._state.recorder.forget_losses(message.name):
                    self._lost_before.add(message.name)
                yield message
            return
        self._watch.begin_look()
        listing, known = Recorder(), set(self.listing.losses)
        for source in self._finder.find(listing, self._is_wanted):
            if isinstance(source, Source) or self._config.strict:
                yield source
            elif not (self._follows and isinstance(source, NothingThere)):
                listing.lose(source.name, source.reason)
                loss = Loss(source.name, source.reason)
                if loss not in known:
                    self._on_loss(loss)
                    self._count_lost({loss.path: "unreadable"}, {})
        self.listing = listing

    def named_sources(self) -> Iterator[Source | Unreadable]:
        """The files that notifications name; call it once the files with the notifications are done."""
        if self._named is not None:
            yield from self._named.sources(self._is_wanted)

    def _is_wanted(self, source: Source) -> bool:
        register, state = self._register, self._state
        if register is None or not self._is_input(source) or not register.first_listed(source):
            return False
        standing = register.standing(source)
        if standing in {"read", "failed, wait"}:
            return False
        if self._follows and not self._watch.settled(source):
            return False
        if standing == "changed" and state.dedup is None:
            state.recorder.lose(source.name, _CHANGED)
            self._on_loss(Loss(source.name, _CHANGED))
            self._count_lost({source.name: "refused"}, {})
            register.note(source)
            return False
        lost = state.recorder.forget_losses(source.name) if standing != "new" else False
        if standing == "changed" and state.dedup is not None:
            self._changed.add(source.key)
            state.dedup.read_again.add(source.name)
        elif lost:
            self._lost_before.add(source.name)
        return True

    def _is_input(self, source: Source) -> bool:
        """Whether a source is not one of the scan's output files."""
        return os.path.abspath(os.fsdecode(source.key)) not in self._exclude  # noqa: PTH100  # links are not followed

    def note_done(self, result: BatchResult, *, named: bool = False) -> None:
        """Note that the sources of a batch were read and their matches reported.

        Args:
            result: The batch.
            named: Whether the sources came from notifications, not from a listing.
        """
        recorder, losses = self._state.recorder, result.recorder.losses
        references = result.recorder.references or []
        refused: dict[str, str] = {}
        if named:
            recorder.named_files_read += result.recorder.files
        elif self._named is not None:
            noted = Recorder()
            self._named.note(result.recorder, noted)
            recorder.add(noted)
            refused = dict.fromkeys((loss.path for loss in noted.losses), "refused")
            losses += noted.losses
        for loss in losses:
            if loss.path not in self._lost_before:
                self._on_loss(loss)
        kind = "message" if self._messages is not None and not named else "damaged"
        new = dict.fromkeys((loss.path for loss in losses if loss.path not in self._lost_before), kind)
        self._count_lost(new | refused, result.recorder.failures)
        if self._register is None:
            return
        lost = {loss.path for loss in losses}
        for source in result.sources:
            if not isinstance(source, Source):
                continue
            if self._messages is not None and not named:
                self._messages.note_read(source, references, damaged=source.name in lost)
                self._lost_before.discard(source.name)
                continue
            failure = result.recorder.failures.get(source.name)
            failed = source.name in result.recorder.unread
            if named and self._named is not None:
                self._named.note_attempt(source, failure)
                if self._messages is not None:  # S3 sends notifications of complete objects: waiting mends no damage
                    failed = failure in {"passing", "denied"}
            self._register.note(source, failed=failed, damaged=source.name in lost and failure is None)
            self._forget(source)

    def close(self) -> None:
        """Close the clients of named files; nothing more is read."""
        if self._named is not None:
            self._named.close()

    def _count_lost(self, lost: Mapping[str, str], failures: Mapping[str, str]) -> None:
        """Count files that were lost: name → reason, unless `failures` has another."""
        if self._monitor is not None:
            for name, otherwise in lost.items():
                self._monitor.note_lost(failures.get(name), otherwise)

    def _forget(self, source: Source) -> None:
        state = self._state
        self._lost_before.discard(source.name)
        if source.key in self._changed:
            self._changed.remove(source.key)
            state.read_again += 1
            if state.dedup is not None:
                state.dedup.read_again.discard(source.name)
