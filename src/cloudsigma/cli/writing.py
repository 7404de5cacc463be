"""Files that cannot be written, as errors of the command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from cloudsigma.escaping import printable


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Convert `OSError` to `click.ClickException`, with the name of the file and the reason."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"{printable(os.fspath(path))} cannot be written ({reason}).") from error
