"""The interface of storages: where a correlator keeps its open entries, so that another one can resume from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from cloudsigma.correlation.entry import Entry
from cloudsigma.correlation.watermark import Watermark
from cloudsigma.engine.rule import Rule

Group = tuple[str, ...]
"""The values of the fields in `group-by`, in their order."""
Stored = tuple[str, Group, float, Entry]
"""An entry with the ID of its correlation, its group and its time."""


class Storage(ABC):
    """The open entries of one correlator: rows of a database (`state.py`), or one text (`step.py`).

    `entry_form.py` defines how an entry is written. A storage is read once, by `entries`, before it is written to.
    """

    watermark: Watermark
    """The progress of the stream of events; `commit` saves it."""

    @abstractmethod
    def entries(self) -> Iterator[Stored]:
        """The entries that were open; those of correlations that have changed are dropped with a warning."""

    @abstractmethod
    def put(self, rule: Rule, group: Group, time: float, entry: Entry) -> None:
        """Store an entry that is new or has changed."""

    @abstractmethod
    def drop(self, rule: Rule, entries: Iterable[Entry]) -> None:
        """Delete entries that are used up."""

    @abstractmethod
    def commit(self) -> None:
        """Commit everything since the last commit; the end of each call of the correlator."""

    @abstractmethod
    def close(self) -> None:
        """Let another correlator open it."""
