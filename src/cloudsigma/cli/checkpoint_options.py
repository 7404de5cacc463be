"""The options of long scans: a checkpoint to resume from, and paths to follow."""

from __future__ import annotations

import datetime as dt
import math
import os
import sys
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudsigma.cli.option_groups import Decorator, option, option_value
from cloudsigma.cli.output_options import OutputOptions
from cloudsigma.cli.path_types import OUTPUT_FILE
from cloudsigma.cli.queue_options import QueueChoice
from cloudsigma.cli.screen import screen
from cloudsigma.escaping import printable
from cloudsigma.reading.scope.time_window import SPANS, TimeWindow, read_span
from cloudsigma.reading.sources.sqs.location import is_queue
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.scanning.config import Follow
from cloudsigma.scanning.monitor import Monitor
from cloudsigma.scanning.reload import Reloader
from cloudsigma.scanning.rule_digests import digests
from cloudsigma.sinks.formats import FORMATS

_INTERVAL, _INTERVAL_S3 = 5.0, 60.0
_LATENESS = dt.timedelta(hours=1)
_PAUSE = 60.0
_NO_MATTER = frozenset(
    {
        "jobs", "checkpoint", "interval", "strict", "exit_zero", "ledger", "no_cache", "outputs", "paths", "rule_paths",
        "no_bundled", "correlations", "compiled", "placeholders", "pipelines", "level", "status", "tag", "rule_id",
        "exclude", "once", "idle_close", "buckets", "dead", "listen", "metrics_by_rule",
    }
)  # fmt: skip
"""Options that do not change the output, or whose effect is compared by the rules or paths themselves."""
_RELOADED = frozenset({"logsource", "rule_limits", "approvals"})
"""Further options that may change while paths are followed: they belong to the rules and their approvals."""


if TYPE_CHECKING:
    _SpanType = click.ParamType[dt.timedelta]
else:
    _SpanType = click.ParamType  # takes no parameter before click 8.4


class _Span(_SpanType):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.timedelta:
        if isinstance(value, dt.timedelta):
            return value
        span = read_span(value)
        if span is None:
            self.fail(f"{printable(value)!r} is not a length of time; give {SPANS}", param, ctx)
        return span


class _Seconds(click.FloatRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):  # no comparison with NaN is true
            self.fail(f"nan is not in the range {self.min}<=x<={self.max}.", param, ctx)
        return seconds


_OPTIONS = (
    option(
        "--checkpoint",
        metavar="FILE",
        type=OUTPUT_FILE,
        help="Keep in FILE how far the scan is, and resume from there; needs --output.",
    ),
    option("--follow", is_flag=True, help="Watch the paths for new files until stopped."),
    option(
        "--interval",
        metavar="SECONDS",
        type=_Seconds(0.1, 86_400),
        help="Time between two looks of --follow. Default: 5, with S3 60.",
    ),
    option(
        "--lateness",
        metavar="TIME",
        type=_Span(),
        help="How late events may come and count in correlations of --follow, and how long --sort time holds its "
        "matches: 15m, 1h, 2d. Default: 1h.",
    ),
)


def long_work_options() -> Decorator:
    """Add the options to a command, which is given `work`."""
    return option_value("Long scans", "work", LongWork, *_OPTIONS)


@dataclass(frozen=True, slots=True)
class LongWork:
    """The checkpoint to resume from, and the paths to watch."""

    checkpoint: Path | None
    follow: bool
    interval: float | None
    lateness: dt.timedelta | None

    def check(self, paths: Sequence[str], output: OutputOptions) -> None:
        """Refuse options that make no sense together, before anything is done; raises `click.UsageError`."""
        if not self.follow:
            for value, name in ((self.interval, "--interval"), (self.lateness, "--lateness")):
                if value is not None:
                    raise click.UsageError(f"{name} is for --follow.")
        if output.sort == "time" and self.checkpoint is not None:
            raise click.UsageError("--sort time holds matches back; --checkpoint writes them immediately.")
        if "-" in paths and (self.follow or self.checkpoint is not None):
            name = "--follow" if self.follow else "--checkpoint"
            raise click.UsageError(f"{name} needs files, folders or S3: standard input can be read only once.")
        if self.checkpoint is None:
            return
        if not output.outputs:
            raise click.UsageError("--checkpoint needs --output FILE, which is truncated to what was done.")
        for path in output.outputs:
            form = output.format_for(path)
            if not form.resumable:
                usable = " or ".join(each.name for each in FORMATS.values() if each.resumable)
                raise click.UsageError(
                    f"--checkpoint needs --format {usable}: output in the format {form.name} cannot be resumed."
                )
            if path.exists() and not path.is_file():
                raise click.UsageError(f"--checkpoint needs a regular file as --output, not {printable(str(path))}.")

    def open_checkpoint(
        self, paths: Sequence[str], rules: RuleSet, window: TimeWindow, outputs: Sequence[Path]
    ) -> Checkpoint | None:
        """The checkpoint, if one was asked for; raises `CloudSigmaError`, of which `UsageError` is one."""
        if self.checkpoint is None:
            return None
        settings = {
            "rules": None if self.follow else digests(rules),  # a following scan reloads them
            "PATH": list(paths),
            "current folder": str(Path.cwd()) if any(map(_is_relative, paths)) else None,
            "--output": [_absolute(path) for path in outputs],
            **_options_given(_NO_MATTER | _RELOADED if self.follow else _NO_MATTER),
        }
        return Checkpoint(self.checkpoint, settings, window, pause=_PAUSE if self.follow else 0.0)

    def announce(self, checkpoint: Checkpoint | None, rules: RuleSet) -> None:
        """Report where a scan resumes, with which rules, and how to stop one that follows."""
        if checkpoint is not None and checkpoint.resumed:
            files = f"{checkpoint.done:,} {'file is' if checkpoint.done == 1 else 'files are'} done"
            state = (
                "the scan was finished; only new and changed files are read"
                if checkpoint.finished
                else "the scan goes on"
            )
            screen().tell(f"{printable(str(self.checkpoint))}: {files}, {state}")
            if changed := checkpoint.changed_rules(rules):
                screen().tell(f"rules since the last start: {printable(changed)}")
        if self.follow and sys.stderr is not None and sys.stderr.isatty():
            screen().tell("watching for new files; stop with Ctrl-C")

    @property
    def files(self) -> list[Path]:
        """The files of the checkpoint."""
        if self.checkpoint is None:
            return []
        return [self.checkpoint.with_name(self.checkpoint.name + end) for end in ("", "-wal", "-shm", "-journal")]

    def following(
        self,
        paths: Sequence[str],
        stop: threading.Event,
        queue: QueueChoice,
        reloader: Reloader | None,
        monitor: Monitor | None,
    ) -> Follow | None:
        """How to follow the paths, if that was asked for."""
        if not self.follow:
            return None
        usual = _INTERVAL_S3 if any(path.startswith("s3:") for path in paths) else _INTERVAL
        lateness = self.lateness if self.lateness is not None else _LATENESS
        return Follow(stop, self.interval or usual, lateness, queue.options(self.interval), reloader, monitor)


def _is_relative(path: str) -> bool:
    return not path.startswith("s3:") and not is_queue(path) and not Path(path).is_absolute()


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100  # links are not followed


def _options_given(without: Collection[str]) -> dict[str, Any]:
    """The options that change the output, without some: option name → JSON value."""
    context = click.get_current_context()
    given: dict[str, Any] = {}
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name not in without and value != parameter.get_default(context):
            given[parameter.opts[0]] = _plain(value)
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
