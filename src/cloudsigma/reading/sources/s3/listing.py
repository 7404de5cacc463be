"""Lists the selected objects below a prefix in parallel, and yields them in the order of their keys.

CloudTrail's layout is walked part by part (accounts, regions, years, months, days), so that prefixes excluded by the
filters are never listed. Other prefixes are listed whole; there, only keys with CloudTrail's file names are filtered.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from glob import has_magic

from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.selection import OTHER_ACCOUNTS, Selection
from cloudsigma.reading.sources.interface import NothingThere, Unreadable
from cloudsigma.reading.sources.log_names import LOG_ENDINGS, ending_of, packed
from cloudsigma.reading.sources.s3.key_filter import KeyFilter
from cloudsigma.reading.sources.s3.key_layout import Location, TrailPrefix, trail_prefix
from cloudsigma.reading.sources.s3.object_store import Fault, ListedObject, ObjectStore, Page, reason
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.retry import Retry

_DEPTH = 3
"""Levels below the given prefix that are searched for CloudTrail's layout; deeper prefixes are listed flat."""
_WIDTH = 100
"""From this many sibling prefixes outside CloudTrail's layout, their parent is listed flat."""
_DAY = dt.timedelta(days=1)
_NO_PATTERNS = "in S3 * and ? are ordinary characters: name a prefix, and filter by account, region and time"

Found = ListedObject | Unreadable


class _Node:
    """A prefix that is not listed yet, or the pages of one that remain."""

    def __init__(self, prefix: str, *, to_slash: bool, depth: int, following: str | None = None) -> None:
        self.prefix = prefix
        self.to_slash = to_slash
        self.depth = depth
        self.following = following
        self.page: Future[Page] | None = None


_Frontier = list["_Node | list[Found]"]


class Listing:
    """The objects of one location: iterate it once, in one thread."""

    def __init__(
        self,
        store: ObjectStore,
        location: Location,
        selection: Selection,
        recorder: Recorder,
        options: S3Options,
        retry: Retry,
    ) -> None:
        self._store = store
        self._location = location
        self._selection = selection
        self._filter = KeyFilter(selection, recorder)
        self._options = options
        self._retry = retry
        self._held = 0
        self._accounts: set[str] = set()
        self._anything = False

    def __iter__(self) -> Iterator[Found]:
        pool = ThreadPoolExecutor(self._options.threads, thread_name_prefix="cloudsigma-s3-list")
        try:
            yield from self._walk(self._begin(), pool)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        yield from self._missing()

    def _walk(self, frontier: _Frontier, pool: ThreadPoolExecutor) -> Iterator[Found]:
        while frontier:
            awaited = self._advance(frontier, pool)
            if not frontier:
                return
            if isinstance(frontier[0], _Node):
                wait(awaited, return_when=FIRST_COMPLETED)
                continue
            run = frontier.pop(0)
            assert isinstance(run, list)  # noqa: S101  # for the type checker
            for found in run:
                self._held -= 1
                yield found

    def _advance(self, frontier: _Frontier, pool: ThreadPoolExecutor) -> list[Future[Page]]:
        """Replace listed prefixes by their content, and list the next prefixes; returns the pending requests.

        Only the first few prefixes are considered; later ones may have been listed before new ones were inserted.
        """
        awaited: list[Future[Page]] = []
        at = nodes = 0
        while at < len(frontier) and nodes < self._options.threads:
            entry = frontier[at]
            if isinstance(entry, list):
                at += 1
            elif entry.page is not None and entry.page.done():
                frontier[at : at + 1] = self._expanded(entry, entry.page)
            else:
                if entry.page is None and (at == 0 or self._held < self._options.listed):
                    entry.page = pool.submit(self._listed, entry)
                if entry.page is not None:
                    awaited.append(entry.page)
                nodes += 1
                at += 1
        return awaited

    def _listed(self, node: _Node) -> Page:
        return self._page(node.prefix, to_slash=node.to_slash, following=node.following)

    def _page(self, prefix: str, *, to_slash: bool, following: str | None = None) -> Page:
        name = str(Location(self._location.bucket, prefix))
        return self._retry(lambda: self._store.page(prefix, to_slash=to_slash, following=following), name)

    def _expanded(self, node: _Node, done: Future[Page]) -> _Frontier:
        """The content that replaces a prefix once a page of it has been listed."""
        try:
            page = done.result()
        except Fault as fault:
            name = str(Location(self._location.bucket, node.prefix))
            more = "; the keys before were read" if node.following else ""
            return [self._run([Unreadable(name, f"it cannot be listed: {reason(fault, 'list')}{more}")])]
        here = trail_prefix(node.prefix) if node.to_slash else None
        logs_below = any(trail_prefix(prefix) for prefix in page.prefixes)
        if node.to_slash and here is None and len(page.prefixes) > _WIDTH and not logs_below and not node.following:
            return [_Node(node.prefix, to_slash=False, depth=node.depth)]
        expanded: _Frontier = []
        items: list[ListedObject | str] = sorted(
            (*page.objects, *page.prefixes), key=lambda item: item if isinstance(item, str) else item.key
        )
        for item in items:
            if isinstance(item, str):
                if (below := self._below(item, node.depth + 1)) is not None:
                    expanded.append(below)
            elif (found := self._object(item)) is not None:
                if not (expanded and isinstance(expanded[-1], list)):
                    expanded.append([])
                expanded[-1] += self._run([found])  # type: ignore[operator]  # a list, as was just seen to
        if page.following is not None:
            expanded.append(_Node(node.prefix, to_slash=node.to_slash, depth=node.depth, following=page.following))
        return expanded

    def _run(self, found: list[Found]) -> list[Found]:
        self._held += len(found)
        self._anything = True
        return found

    # --- what is asked for

    def _below(self, prefix: str, depth: int) -> _Node | None:
        """The node for a prefix to list; `None` if the filters exclude it, which is counted."""
        self._anything = True
        here = trail_prefix(prefix)
        if here is None:
            return _Node(prefix, to_slash=depth <= _DEPTH, depth=depth)
        if here.stage == "account" and here.delivery.account is not None:
            self._accounts.add(here.delivery.account)
        if not self._filter.keeps_prefix(here, prefix):
            return None
        return _Node(prefix, to_slash=self._by_parts(here), depth=depth)

    def _by_parts(self, here: TrailPrefix) -> bool:
        """Whether to list a prefix part by part: all down to the months, and months that are only partly selected."""
        if here.stage != "month":
            return here.stage != "day"
        delivery = here.delivery
        if delivery.first is None or delivery.end is None:
            return False
        window = self._selection.window
        edges = [(delivery.first, delivery.first + _DAY), (delivery.end - _DAY, delivery.end)]
        return not all(self._selection.near(first, end) for first, end in edges) if window.bounded else False

    def _object(self, item: ListedObject) -> Found | None:
        """The source for an object; `None` if it is not selected."""
        if (why := packed(item.key)) is not None and item.key != self._location.prefix:
            return Unreadable(str(Location(self._location.bucket, item.key)), why)
        return item if self._asked_for(item.key) else None

    def _asked_for(self, key: str) -> bool:
        """Whether an object is selected; others are counted, except markers of empty folders."""
        self._anything = self._anything or key != self._location.prefix or not key.endswith("/")
        return self._filter.keeps(key, whatever_its_end=key == self._location.prefix)

    # --- the beginning and the end of the listing

    def _begin(self) -> _Frontier:
        """The first nodes: the given prefix as a folder or one object if it exists, else as the beginning of keys."""
        prefix = self._location.prefix
        if not prefix or prefix.endswith("/"):
            return [self._start(prefix)]
        folder = f"{prefix}/"
        try:
            first = self._page(prefix, to_slash=True)
            inside = folder in first.prefixes
            if not inside and first.following is not None:  # it may be on a later page
                below = self._page(folder, to_slash=True)
                inside = bool(below.objects or below.prefixes)
        except Fault as fault:
            if fault.kind != "denied":
                name = str(self._location)
                return [self._run([Unreadable(name, f"it cannot be listed: {reason(fault, 'list')}")])]
            # A policy may allow listing only below the prefix, or reading the object without any listing.
            if ending_of(prefix) in LOG_ENDINGS - {""}:
                return [self._run([ListedObject(prefix, None)])]
            return [self._start(folder)]
        exact: list[Found] = [item for item in first.objects if item.key == prefix and self._asked_for(prefix)]
        if exact or inside:
            return [self._run(exact), *([self._start(folder)] if inside else [])]
        return [_Node(prefix, to_slash=True, depth=0)]

    def _start(self, prefix: str) -> _Node:
        """The node for the given prefix, which is always listed."""
        here = trail_prefix(prefix)
        if here is None:
            return _Node(prefix, to_slash=True, depth=0)
        if here.delivery.account is not None:
            self._accounts.add(here.delivery.account)
        return _Node(prefix, to_slash=here.stage != "service" and self._by_parts(here), depth=0)

    def _missing(self) -> Iterator[Unreadable]:
        """Report a prefix without objects, and accounts that do not occur; most likely they are mistyped."""
        if not self._anything:
            hint = f"; {_NO_PATTERNS}" if has_magic(self._location.prefix) else ""
            yield NothingThere(str(self._location), f"there are no objects under this prefix{hint}")
            return
        wanted = self._selection.accounts
        if wanted and self._accounts and not wanted & self._accounts:
            yield Unreadable(
                str(self._location),
                f"all logs here are {OTHER_ACCOUNTS}: {', '.join(sorted(self._accounts)[:5])}"
                + (f" and {len(self._accounts) - 5} more" if len(self._accounts) > 5 else ""),
            )
