"""Finds the sources at paths (files, folders, S3, standard input), in the order of reading."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, cast

from cloudsigma.errors import WrongTypeError
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.file_name_facts import facts_of
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.files import StandardInput, find_sources
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.reading.sources.s3.clients import check_location
from cloudsigma.reading.sources.value import Value, as_source, is_path

_S3 = "s3:/"  # with one slash: `pathlib` merges two


class SourceFinder:
    """Finds the sources at paths; skips those whose names show that the filters exclude all their records."""

    def __init__(
        self, paths: Sequence[str | os.PathLike[str] | Value], selection: Selection, stdin: BinaryIO | None = None
    ) -> None:
        """Raises `UsageError` if an S3 URL is malformed, or the extra that reads S3 is not installed.

        Also if an argument is neither a path nor a readable value, or is JSON text instead of a path.
        """
        self._given: list[str | Source] = []
        for path in paths:
            if isinstance(path, (list, tuple)) and path and all(map(is_path, path)):
                raise WrongTypeError("a path", path, "each path as a separate argument: scan(*paths)")
            source = as_source(path, 1 + sum(isinstance(each, Source) for each in self._given))
            if source is not None:
                self._given.append(source)
                continue
            try:
                name = os.fspath(cast("os.PathLike[str]", path))
            except TypeError:
                raise WrongTypeError("a path", path, "paths, or an event as dict, list or bytes") from None
            if name[: len(_S3)].lower() == _S3:
                name = name[: len(_S3)].lower() + name[len(_S3) :]
                check_location(name)
            self._given.append(name)
        self._selection = selection
        self._stdin = StandardInput(stdin)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths as passed by the caller."""
        return tuple(path for path in self._given if isinstance(path, str))

    def find(self, recorder: Recorder, wanted: Callable[[Source], bool] | None = None) -> Iterator[Source | Unreadable]:
        """List the sources lazily; the recorder notes skipped files.

        Files and S3 objects that are not `wanted` are skipped before they are fetched.
        """
        for path in self._given:
            if isinstance(path, Source):
                yield path
            elif path == "-":
                yield self._stdin
            elif path.startswith(_S3):
                from cloudsigma.reading.sources.s3.source import find_objects

                yield from find_objects(path, recorder, self._selection, wanted=wanted)
            else:
                for source in self._asked_for(find_sources(path, recorder.pass_over), recorder):
                    if wanted is None or isinstance(source, Unreadable) or wanted(source):
                        yield source

    def _asked_for(self, sources: Iterator[Source | Unreadable], recorder: Recorder) -> Iterator[Source | Unreadable]:
        for source in sources:
            delivery = facts_of(source.name) if isinstance(source, Source) else None
            if delivery is not None and (why := self._selection.leaves_out(delivery)):
                recorder.left_out[f"files {why}"] += 1
            else:
                yield source
