"""The options of a scan that say what is read."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cloudsigma.cli.option_groups import Decorator, option, option_value
from cloudsigma.reading.scope.selection import Selection, select

_OPTIONS = (
    option("--since", metavar="TIME", help="Only events since: 2025-03-04, 2025-03-04T10:15 (UTC), 90m, 24h, 7d, 2w."),
    option("--until", metavar="TIME", help="Only events before that time; the same forms."),
    option("--account", "accounts", metavar="ID", multiple=True, help="Only events of this account. Repeatable."),
    option("--region", "regions", metavar="NAME", multiple=True, help="Only events of this region. Repeatable."),
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
        help="Processes that read files, at most one for each core. Default: one for each core, where there is enough "
        "to read.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What to read, and how."""

    since: str | None
    until: str | None
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    named_files: bool
    strict: bool
    coverage: bool
    jobs: int | None

    def selection(self) -> Selection:
        """Which records are asked for; raises `UsageError` where a value makes no sense."""
        return select(self.since, self.until, self.accounts, self.regions)


def reading_options() -> Decorator:
    """Add the options to a command, which is given `reading`."""
    return option_value("What to read", "reading", ReadingOptions, *_OPTIONS)
