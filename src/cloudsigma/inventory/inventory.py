"""`Inventory`: takes records in any order, and gives the state of groups, trust anchors, profiles and lists."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudsigma.activity.survey import records_through
from cloudsigma.arguments import check_instance
from cloudsigma.engine.identity import event_identity
from cloudsigma.errors import WrongTypeError
from cloudsigma.inventory.calls import READERS, Change, changes_of
from cloudsigma.inventory.deviation import Deviation
from cloudsigma.inventory.folding import fold
from cloudsigma.inventory.item import State
from cloudsigma.inventory.register import Register
from cloudsigma.reading.account.ledger import Ledger, Recorder
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.fast_path.probe import Probe
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection

_NAMES = frozenset(name for _, name in READERS)


class Inventory:
    """The groups, Roles Anywhere trust anchors, profiles and revocation lists that a trail speaks of.

        inventory = cloudsigma.Inventory()
        for record in cloudsigma.read_records("trail"):
            inventory.add(record)
        for item in inventory.state().existing:
            print(item, item.present("member"))

    It keeps the changes, which are few: records that change nothing here take no memory.
    """

    def __init__(self) -> None:
        self._changes: dict[str, tuple[Change, ...]] = {}
        self._replaced: set[str] = set()

    def add(self, record: Mapping[str, Any]) -> None:
        """Take a record; the order of records does not matter, and a record that comes twice counts once.

        Raises:
            WrongTypeError: It is no mapping.
        """
        if not isinstance(record, Mapping):
            raise WrongTypeError("record", record, "a CloudTrail record, a mapping")
        changes = changes_of(record)
        if not changes:
            return
        addendum = record.get("addendum")
        if isinstance(addendum, Mapping) and isinstance(addendum.get("originalEventID"), str):
            self._replaced.add(addendum["originalEventID"])
        self._changes.setdefault(event_identity(record), changes)

    def read(
        self, paths: Sequence[str | os.PathLike[str]], selection: Selection | None = None,
        limits: Limits | None = None, watcher: Watcher | None = None,
    ) -> Ledger:  # fmt: skip
        """Take the records at paths, by the fast path; gives the account of the reading.

        Args:
            paths: Files, folders and places in S3.
            selection: The times, accounts and regions to read.
            limits: Bounds on what is read.
            watcher: Is told about the progress.
        """
        recorder = Recorder()
        for record in records_through(_Changing(), paths, recorder, selection, limits, watcher):
            self.add(record)
        return recorder.ledger

    def state(self, at: dt.datetime | None = None) -> State:
        """The objects after all events, or after those up to and including a time (aware).

        Raises:
            WrongTypeError: The time is no aware `datetime`.
        """
        if at is not None and (not isinstance(at, dt.datetime) or at.tzinfo is None):
            raise WrongTypeError("at", at, "a datetime with a time zone, or None")
        listed = (change for changes in self._changes.values() for change in changes)
        return fold([each for each in listed if each.cause.event_id not in self._replaced], at)

    def compare(self, register: Register, at: dt.datetime | None = None) -> list[Deviation]:
        """The deviations of the state from a register, and what is weak: see `docs/reference/register-file.md`."""
        check_instance("register", register, Register, "cloudsigma.Register.load(PATH)")
        return register.compare(self.state(at))


class _Changing(Probe):
    """Selects the calls that change objects of the inventory."""

    fields = ("eventName",)

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """The records of these calls."""
        return [at for at, name in enumerate(columns[0]) if name in _NAMES]

    def accepted(self) -> None:
        """Nothing is kept between files."""
