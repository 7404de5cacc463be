"""`cloudsigma timeline`: events by time, with matches and issued credentials marked."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from contextlib import closing

import click
from msgspec import structs

from cloudsigma.activity.target import Target, parse_target
from cloudsigma.activity.timeline import Line, Timeline, timeline
from cloudsigma.cli import exit_codes
from cloudsigma.cli.activity_text import OUTCOMES, call_text
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import INPUT
from cloudsigma.cli.progress import watching
from cloudsigma.cli.reading_options import selection_options
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.who import rules_of
from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable, printable_json
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.scope.time_window import TimeWindow
from cloudsigma.report import render_sections
from cloudsigma.report.activity_page import timeline_sections
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.config import ScanCallbacks, ScanConfig
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks.made_at import made_at

_WITHIN = re.compile(r"([0-9]{1,4})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DEFAULT = "30m"


@click.command("timeline", cls=GroupedCommand)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=INPUT)
@option("--around", metavar="KEY[:TIME]", help="Only events near a match: its key or event ID, and 30m, 90s, 2h, 1d.")
@option("--within", metavar="TIME", help=f"Of --around: how long before and after. Default: {_DEFAULT}.")
@option("--principal", metavar="X", help="Only calls by an ARN, or by a user, role or session of this name.")
@option("--key", metavar="ID", help="Only calls with this access key.")
@option("--ip", metavar="ADDRESS", help="Only calls from this address.")
@option("--resource", "resources", metavar="NAME", multiple=True, help="Only calls on this ARN or name. Repeatable.")
@option("--format", "form", type=click.Choice(["text", "jsonl", "html"]), default="text", show_default=True)
@rule_options()
@selection_options()
@limit_options()
def command(
    paths: tuple[str, ...],
    around: str | None,
    within: str | None,
    principal: str | None,
    key: str | None,
    ip: str | None,
    resources: tuple[str, ...],
    form: str,
    choice: Choice,
    selection: Selection,
    limits: Limits,
) -> int:
    """Show events by time, a line each; matches and issued credentials are marked, repeats are folded.

    With --around, the match and the events that issued its session are marked, too, however long before they were.

    PATH is as for `scan`. The events are held on disk until all are read.
    """
    if around is None and within is not None:
        raise click.UsageError("--within needs --around KEY.")
    if around is not None and "-" in paths:
        raise click.UsageError("With --around the logs are read twice, which standard input cannot be.")
    given = {"--principal": principal, "--key": key, "--ip": ip}
    targets = [_target(name, text) for name, text in given.items() if text is not None]
    rules = choice.load()
    center: Match | None = None
    if around is not None:
        key, span = _around(around, within)
        center = _center(key, paths, rules, selection, limits)
        selection = structs.replace(selection, window=_window(center, key, span))
    with watching() as watcher:
        made, ledger = timeline(
            paths, targets=targets, resources=resources, selection=selection, limits=limits, rules_of=rules_of(rules),
            center=center, watcher=watcher,
        )  # fmt: skip
    with closing(made):
        if form == "html":
            missing = "" if ledger.complete else "something could not be read"
            page = render_sections("Timeline", timeline_sections(made), ledger, missing=missing, made=made_at())
            click.echo(page, nl=False)
        else:
            for text in _texts(made, form):
                click.echo(text)
    screen().tell_ledger(ledger)
    return exit_codes.combined(found=False, rules_left_out=bool(rules.errors), input_lost=not ledger.complete)


def _texts(made: Timeline, form: str) -> Iterator[str]:
    if form == "jsonl":
        return (printable_json(json.dumps(entry.to_dict())) for entry in made)
    return map(line_text, made.lines)


def line_text(line: Line) -> str:
    """One line: time, outcome, call, repeats, resource, principal, address, region, marks."""
    first, last = line.first, line.last
    when = f"{first.time:%Y-%m-%d %H:%M:%S}" if first.time is not None else "without a time     "
    call = call_text(f"{first.event_source or '-'} {first.event_name or '-'}")
    if line.events > 1:
        call += f" ×{line.events:,}"
        if first.time is not None and last.time is not None and last.time != first.time:
            call += f" {first.time:%H:%M}–{last.time:%H:%M}"
    where = (
        first.resource if line.events == 1 else None,
        f"by {first.principal or '-'}",
        first.source_ip,
        first.region,
    )
    marks = [f"! {(level or '-').upper()} {title}" for level, title in first.rules]
    marks += [f"→ {session}" for session in first.issued]
    if first.around is not None:
        marks.append("<< this match" if first.around == "match" else "<< its chain")
    parts = [when, f"{OUTCOMES.get(first.outcome, '?'):6}", call, *(part for part in where if part), *marks]
    return "  ".join(printable(part) for part in parts)


def _target(name: str, text: str) -> Target:
    with usage_errors(name):
        target = parse_target(text)
    if name == "--key":
        return Target(target.text, "key")
    if name == "--ip":
        return Target(target.text, "address")
    return target


def _around(around: str, within: str | None) -> tuple[str, dt.timedelta]:
    """The key of a match, and the time before and after it."""
    key, _, behind = around.rpartition(":")
    if not key or not _WITHIN.fullmatch(behind):
        key, behind = around, ""
    if behind and within is not None:
        raise click.UsageError("Give the time once: --around KEY:TIME, or --around KEY --within TIME.")
    length = _WITHIN.fullmatch(within or behind or _DEFAULT)
    if length is None:
        raise click.UsageError(f"--within {printable(within or '')!r} is not a time such as 30m, 90s, 2h or 1d.")
    return key, dt.timedelta(**{_UNITS[length[2]]: int(length[1])})


def _center(key: str, paths: tuple[str, ...], rules: RuleSet, selection: Selection, limits: Limits) -> Match:
    """The match of a key or event ID, with its session linked."""
    with watching() as watcher:
        config = ScanConfig(selection=selection, limits=limits, jobs=1, sessions=True)
        scan = Scan(paths, rules, config, callbacks=ScanCallbacks(watcher=watcher))
        for match in scan.by_time():
            if key in (match.key, match.context.event_id):
                return match
    raise click.UsageError(
        f"--around: no match has the key or event ID {printable(key)!r}; `cloudsigma scan` shows the matches."
    )


def _window(center: Match, key: str, span: dt.timedelta) -> TimeWindow:
    time = center.context.time
    if time is None:
        raise click.UsageError(f"the match {printable(key)} has no time")
    return TimeWindow(time - span, time + span + dt.timedelta(seconds=1))
