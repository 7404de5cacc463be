"""Errors of arguments as click's usage errors, which exit with 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from cloudsigma.errors import UsageError
from cloudsigma.escaping import printable


@contextmanager
def usage_errors(option: str | None = None) -> Iterator[None]:
    """Convert `UsageError` to `click.UsageError`; with `option`, the message begins with the name of the option."""
    try:
        yield
    except UsageError as error:
        told = printable(str(error))
        raise click.UsageError(f"{option}: {told}" if option is not None else told) from error
