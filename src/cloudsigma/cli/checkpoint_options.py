"""The options of a scan that takes long: a checkpoint to go on from, paths to be followed, an end at the first loss."""

from __future__ import annotations

import datetime as dt
import functools
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudsigma.escaping import printable
from cloudsigma.reading.scope.time_window import TimeWindow
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.checkpoint import Checkpoint, digests
from cloudsigma.scanning.source_queue import Follow

_INTERVAL, _INTERVAL_S3 = 5.0, 60.0
_LATENESS = dt.timedelta(hours=1)
_PAUSE = 60.0
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NO_MATTER = frozenset(
    {
        "jobs", "checkpoint", "interval", "strict", "exit_zero", "ledger", "no_cache", "output", "paths", "rule_paths",
        "no_bundled", "correlations", "compiled", "placeholders", "pipelines", "level", "status", "tag", "rule_id",
        "exclude",
    }
)  # fmt: skip
"""Options that change nothing in the output, or whose effect is told from the rules or the paths themselves."""


if TYPE_CHECKING:
    _SpanType = click.ParamType[dt.timedelta]
else:
    _SpanType = click.ParamType  # takes no parameter before click 8.4


class _Span(_SpanType):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.timedelta:
        if isinstance(value, dt.timedelta):
            return value
        found = re.fullmatch(r"([0-9]{1,7})([smhd])", value, re.ASCII)
        if found is None:
            self.fail(f"{printable(value)!r} is no length of time; give 90s, 15m, 1h or 2d", param, ctx)
        return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})


_OPTIONS = (
    click.option("--strict", is_flag=True, help="Stop at the first file that cannot be read as a whole."),
    click.option(
        "--checkpoint",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Keep in FILE how far the scan is, and go on from there; needs --output.",
    ),
    click.option("--follow", is_flag=True, help="Watch the paths for new files until stopped."),
    click.option(
        "--interval",
        metavar="SECONDS",
        type=click.FloatRange(min=0.1),
        help="Time between two looks of --follow. Default: 5, with S3 60.",
    ),
    click.option(
        "--lateness",
        metavar="TIME",
        type=_Span(),
        help="How late events may come and count in correlations of --follow: 15m, 1h, 2d. Default: 1h.",
    ),
)


def long_work_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options to a command, which is given `work`."""

    @functools.wraps(command)
    def with_work(
        *,
        strict: bool,
        checkpoint: Path | None,
        follow: bool,
        interval: float | None,
        lateness: dt.timedelta | None,
        **others: Any,
    ) -> int:
        return command(work=LongWork(strict, checkpoint, follow, interval, lateness), **others)

    chosen: Callable[..., int] = with_work
    for option in reversed(_OPTIONS):
        chosen = option(chosen)
    return chosen


@dataclass(frozen=True, slots=True)
class LongWork:
    """What was asked for."""

    strict: bool
    checkpoint: Path | None
    follow: bool
    interval: float | None
    lateness: dt.timedelta | None

    def check(self, paths: Sequence[str], form: str | None, output: Path | None) -> None:
        """Refuse what makes no sense, before anything is done; raises `click.UsageError`."""
        if not self.follow:
            for value, name in ((self.interval, "--interval"), (self.lateness, "--lateness")):
                if value is not None:
                    raise click.UsageError(f"{name} is for --follow.")
        if "-" in paths and (self.follow or self.checkpoint is not None):
            name = "--follow" if self.follow else "--checkpoint"
            raise click.UsageError(f"{name} needs files, folders or S3: standard input can be read only once.")
        if self.checkpoint is None:
            return
        if output is None:
            raise click.UsageError("--checkpoint needs --output FILE, which is cut back to what was done.")
        if form == "table":
            raise click.UsageError("--checkpoint needs --format jsonl or ids: a table cannot be gone on with.")
        if _absolute(output) == _absolute(self.checkpoint):
            raise click.UsageError("--checkpoint and --output name one file.")
        if output.exists() and not output.is_file():
            raise click.UsageError(f"--checkpoint needs a regular file as --output; {printable(str(output))} is none.")

    def open_checkpoint(
        self, paths: Sequence[str], rules: RuleSet, window: TimeWindow, output: Path | None
    ) -> Checkpoint | None:
        """The checkpoint, if one was asked for; raises `CloudSigmaError`, of which `UsageError` is one."""
        if self.checkpoint is None or output is None:
            return None
        settings = {
            "rules": digests(rules),
            "PATH": list(paths),
            "folder that it was started in": str(Path.cwd()) if any(map(_relative, paths)) else None,
            "--output": _absolute(output),
            **_options_given(),
        }
        return Checkpoint(self.checkpoint, settings, window, pause=_PAUSE if self.follow else 0.0)

    def announce(self, checkpoint: Checkpoint | None) -> None:
        """Tell where a scan goes on, and how one that follows ends."""
        if checkpoint is not None and checkpoint.resumed:
            files = f"{checkpoint.done:,} {'file is' if checkpoint.done == 1 else 'files are'} done"
            state = (
                "the scan was finished; only what is new or has changed since is read"
                if checkpoint.finished
                else "the scan goes on"
            )
            click.echo(f"{printable(str(self.checkpoint))}: {files}, {state}", err=True)
        if self.follow and sys.stderr.isatty():
            click.echo("watching for new files; Ctrl-C ends it", err=True)

    def own_files(self, output: Path | None) -> list[Path]:
        """The files that are written meanwhile."""
        own = [output] if output is not None else []
        if self.checkpoint is not None:
            own += [self.checkpoint.with_name(self.checkpoint.name + end) for end in ("", "-wal", "-shm", "-journal")]
        return own

    def following(self, paths: Sequence[str], stopping: threading.Event) -> Follow | None:
        """How to follow the paths, if that was asked for."""
        if not self.follow:
            return None
        usual = _INTERVAL_S3 if any(path.startswith("s3:") for path in paths) else _INTERVAL
        lateness = self.lateness if self.lateness is not None else _LATENESS
        return Follow(stopping, self.interval or usual, lateness)


def _relative(path: str) -> bool:
    return not path.startswith("s3:") and not Path(path).is_absolute()


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100  # links are not followed


def _options_given() -> dict[str, Any]:
    """The other options that change what is written, by the name that people know them by."""
    context = click.get_current_context()
    given: dict[str, Any] = {}
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name not in _NO_MATTER and value != parameter.get_default(context):
            given[parameter.opts[0]] = _plain(value)
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
