"""Checks of arguments: a wrong one raises an error of ours that says what was given and what to give."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from cloudsigma.errors import FileAccessError, MissingPackageError, UsageError, WrongTypeError

_DEPENDENCIES = {"sigma": "pysigma", "yaml": "pyyaml", "pyparsing": "pyparsing", "jsonpath_ng": "jsonpath-ng",
                 "re2": "google-re2"}  # fmt: skip
"""Modules of packages that may be missing → what to install."""


def check_flag(argument: str, value: object) -> None:
    """Raise where a value is neither True nor False."""
    if not isinstance(value, bool):
        raise WrongTypeError(argument, value, "True or False")


def check_callable(argument: str, value: object) -> None:
    """Raise where a value is neither a function nor None."""
    if value is not None and not callable(value):
        raise WrongTypeError(argument, value, "a function, or None")


def check_instance(argument: str, value: object, kind: type, wanted: str) -> None:
    """Raise where a value is neither None nor an instance of a class."""
    if value is not None and not isinstance(value, kind):
        raise WrongTypeError(argument, value, wanted)


def check_paths(paths: Iterable[object], what: str) -> None:
    """Raise where something among the paths is no path, such as a list that must be unpacked."""
    for path in paths:
        if isinstance(path, (list, tuple, set, frozenset)):
            raise WrongTypeError("a path", path, f"each path as a separate argument: {what}(*paths)")
        check_path("a path", path)


def check_path(argument: str, path: object) -> None:
    """Raise where a value is not a path that can be opened."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise WrongTypeError(argument, path, "a path as text or pathlib.Path")
    if "\0" in os.fspath(path):
        raise UsageError(f"{argument} has a NUL character, which no path can have")


def texts(argument: str, value: object, wanted: str) -> tuple[str, ...]:
    """One text or several as a tuple; `()` for `None`."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, Mapping)):
        listed = tuple(value)
        for each in listed:
            if not isinstance(each, str):
                raise WrongTypeError(f"one of {argument}", each, wanted)
        return listed
    raise WrongTypeError(argument, value, wanted)


@contextmanager
def compiling(needed_for: str) -> Iterator[None]:
    """Turn the absence of a package that rules are compiled with into an error that names it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = _DEPENDENCIES.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        raise MissingPackageError(
            f"{needed_for} needs the package {package}: pip install {package}. "
            "Rule sets that were compiled elsewhere do not need it: cloudsigma.load_rules(FILE)"
        ) from error


@contextmanager
def opening(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an `OSError` about a file into a `FileAccessError`."""
    try:
        yield
    except OSError as error:
        raise FileAccessError(os.fspath(path), error) from error
