"""The options of a scan that choose its outputs and their formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from cloudsigma.cli.option_groups import Decorator, option, option_value
from cloudsigma.cli.path_types import FILE, OUTPUT_FILE
from cloudsigma.sinks.formats import FORMATS, Format, format_of

_ENDINGS = ", ".join(f"{each.endings[0]} {each.name}" for each in FORMATS.values())

_OPTIONS = (
    option(
        "--output", "-o", "outputs", metavar="FILE", multiple=True, type=OUTPUT_FILE,
        help=f"Write matches to FILE, in the format of its ending ({_ENDINGS}). Repeatable.",
    ),
    option(
        "--format", "form", type=click.Choice(list(FORMATS)),
        help="Whatever the ending. Default: table on a terminal, jsonl elsewhere.",
    ),
    option(
        "--sort", type=click.Choice(["time", "none"]),
        help="time: once all is read, by time, with linked sessions. Default: none for jsonl and ids without "
        "--approvals, time for others.",
    ),
    option(
        "--approvals", metavar="FILE", type=FILE,
        help="Decide which matches are approved changes; the exit code then looks at the others alone.",
    ),
    option(
        "--notify", metavar="FILE", type=FILE,
        help="Send matches to the channels in FILE, too; approved ones are not sent.",
    ),
    option("--show-approved", is_flag=True, help="Show approved matches in table and markdown, too."),
    option("--wide", is_flag=True, help="Cut nothing in a table, however narrow the terminal is."),
    option("--csv-raw", is_flag=True, help="Write cells of csv unchanged: a spreadsheet may run them as formulas."),
    option("--no-record", is_flag=True, help="Leave the records out of jsonl."),
    option("--no-dedup", is_flag=True, help="Give every match, also of an event that is delivered twice."),
    option(
        "--ledger", metavar="FILE", type=click.Path(readable=False, allow_dash=True),
        help="Write the account of the reading to FILE as JSON (- is standard output).",
    ),
    option("--filter-counts", is_flag=True, help="Count the matches that each Sigma filter removes; it costs time."),
    option("--exit-zero", is_flag=True, help="Exit with 0 where matches were found, instead of 1."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """The outputs of a scan."""

    outputs: tuple[Path, ...]
    form: str | None
    sort: str | None
    approvals: Path | None
    notify: Path | None
    show_approved: bool
    wide: bool
    csv_raw: bool
    no_record: bool
    no_dedup: bool
    ledger: str | None
    filter_counts: bool
    exit_zero: bool

    def format_for(self, path: Path | None, *, terminal: bool = False) -> Format:
        """The format of one output; `None` is standard output."""
        if self.form is not None:
            return FORMATS[self.form]
        found = format_of(path) if path is not None else None
        return found or FORMATS["table" if terminal else "jsonl"]

    def by_time(self, *, resumable: bool, terminal: bool) -> bool:
        """Whether matches are written by time.

        Args:
            resumable: Whether the scan has a checkpoint or follows its paths, and writes matches as it finds them.
            terminal: Whether standard output is a terminal.
        """
        if self.sort is not None or resumable:
            return self.sort == "time"
        paths = self.outputs or (None,)
        return self.approvals is not None or any(self.format_for(path, terminal=terminal).by_time for path in paths)

    def matches_file(self) -> str | None:
        """The output that has every match as JSON, if there is one."""
        return next((str(path) for path in self.outputs if self.format_for(path).name == "jsonl"), None)

    @property
    def ledger_files(self) -> tuple[Path, ...]:
        """The file that `--ledger` names, if it names one."""
        return (Path(self.ledger),) if self.ledger is not None and self.ledger != "-" else ()


def output_options() -> Decorator:
    """Add the options to a command, which is given `output`."""
    return option_value("Output", "output", OutputOptions, *_OPTIONS)
