"""The options that choose the input: all of them for a scan, the selection of records for other commands."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from cloudsigma.cli.option_groups import Decorator, option, option_value
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.reading.scope.selection import Selection, select

_TITLE = "What to read"
_SELECTING = (
    option("--since", metavar="TIME", help="Only events since: 2025-03-04, 2025-03-04T10:15 (UTC), 90m, 24h, 7d, 2w."),
    option("--until", metavar="TIME", help="Only events before that time; the same forms."),
    option("--account", "accounts", metavar="ID", multiple=True, help="Only events of this account. Repeatable."),
    option("--region", "regions", metavar="NAME", multiple=True, help="Only events of this region. Repeatable."),
)
_OPTIONS = (
    *_SELECTING,
    option(
        "--named-files",
        is_flag=True,
        help="Read the files in S3 that notifications of SNS, SQS, S3 and CloudTrail name, too.",
    ),
    option("--strict", is_flag=True, help="Stop at the first file that cannot be read as a whole."),
    option(
        "--coverage",
        is_flag=True,
        help="Count all records by account, region and hour; name the gaps and the rules that could not match.",
    ),
    option(
        "--jobs", "-j", metavar="N", type=click.IntRange(min=1),
        help="Processes that read files, at most one for each core. Default: one for each core, if there is enough "
        "to read.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """The input of a command, and how to read it."""

    since: str | None
    until: str | None
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    named_files: bool
    strict: bool
    coverage: bool
    jobs: int | None

    def selection(self) -> Selection:
        """The records to select; raises `UsageError` if a value makes no sense."""
        return select(self.since, self.until, self.accounts, self.regions)


def reading_options() -> Decorator:
    """Add the options to a command, which is given `reading`."""
    return option_value(_TITLE, "reading", ReadingOptions, *_OPTIONS)


def selection_options() -> Decorator:
    """Add the options that select records to a command, which is given `selection`."""
    return option_value(_TITLE, "selection", _selection, *_SELECTING)


def _selection(since: str | None, until: str | None, accounts: tuple[str, ...], regions: tuple[str, ...]) -> Selection:
    with usage_errors():
        return select(since, until, accounts, regions)


def or_standard_input(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The named paths; without any, standard input if it is piped, otherwise wrong usage."""
    if paths:
        return paths
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("Name a file or folder, or - for standard input.")
    return ("-",)
