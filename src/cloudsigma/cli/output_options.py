"""The options of a scan that say what is written, where, and in which format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from cloudsigma.cli.option_groups import Decorator, option, option_value
from cloudsigma.cli.path_types import OUTPUT_FILE
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
    option("--no-record", is_flag=True, help="Leave the records out of jsonl."),
    option("--no-dedup", is_flag=True, help="Give every match, also of an event that is delivered twice."),
    option(
        "--ledger", metavar="FILE", type=click.Path(readable=False, allow_dash=True),
        help="Write what was read to FILE as JSON (- is standard output).",
    ),
    option("--exit-zero", is_flag=True, help="Exit with 0 where matches were found, instead of 1."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What to write."""

    outputs: tuple[Path, ...]
    form: str | None
    no_record: bool
    no_dedup: bool
    ledger: str | None
    exit_zero: bool

    def format_for(self, path: Path | None, *, terminal: bool = False) -> Format:
        """The format of one output; `None` is standard output."""
        if self.form is not None:
            return FORMATS[self.form]
        found = format_of(path) if path is not None else None
        return found or FORMATS["table" if terminal else "jsonl"]

    @property
    def ledger_files(self) -> tuple[Path, ...]:
        """The file that `--ledger` names, if it names one."""
        return (Path(self.ledger),) if self.ledger is not None and self.ledger != "-" else ()


def output_options() -> Decorator:
    """Add the options to a command, which is given `output`."""
    return option_value("Output", "output", OutputOptions, *_OPTIONS)
