"""The report as one HTML page: no script, nothing fetched, and hostile text shown as text.

The page has a strict Content-Security-Policy, so that browsers refuse scripts and requests.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.escaping import printable
from cloudsigma.reading.account.coverage import Gap
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.report.approval_row import ApprovalRow, make_rows, section_of
from cloudsigma.report.chart import Chart, chart
from cloudsigma.report.digest import LEVELS, Digest, top
from cloudsigma.report.row import Row, shorten
from cloudsigma.report.section import Section
from cloudsigma.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template

_LOSSES = 50
_MOMENTS = 20
"""Matches of one principal that are listed by time."""
_GAPS = 50
_RULES = 200


@dataclass(frozen=True, slots=True)
class Account:
    """The scan's data for the report, besides its matches."""

    ledger: Ledger
    rules: int
    """Rules that were evaluated."""
    rules_digest: str = ""
    """Identifies the rules: the same rules have the same digest."""
    rule_errors: Sequence[str] = ()
    """Rules that were left out, and why."""
    notes: Sequence[str] = ()
    """Further lines of the scan's account, such as correlation entries that came too late."""
    matches_file: str | None = None
    """The file that holds every match, if the scan writes one."""
    answers: Sequence[str] = ()
    """Further sentences of the answer, for a manager."""
    sections: Sequence[Section] = ()
    """Further parts of the page, before the list of all matches."""
    approvals: Sequence[ApprovalUse] | None = None
    """The approvals that decided the matches; `None` if there are none."""
    approvals_digest: str = ""
    """Identifies the approvals."""
    title: str = "CloudTrail report"
    """The heading of the page."""


def render(digest: Digest, account: Account, *, made: dt.datetime) -> str:
    """The page.

    Args:
        digest: The matches.
        account: The data that were read, the losses and the rules.
        made: The report's creation time (UTC); nothing else in it depends on the clock.
    """
    from markupsafe import escape

    bars = digest.timeline.bars()
    rows = digest.rows
    approvals = make_rows(account.approvals or (), *_period(digest, account))
    missing = _missing(account)
    return _template("report.html").render(
        made=made,
        version=__version__,
        digest=digest,
        account=account,
        ledger=account.ledger,
        missing=missing,
        answer=escape(_answer(digest, account, missing)),
        levels=[(level, digest.levels[level]) for level in LEVELS if digest.levels[level]],
        groups=list(digest.worst_groups()),
        actors=list(digest.busiest_actors()),
        rows=rows,
        timelines=_timelines(rows),
        chart=chart(bars, _gaps(account), approvals) if bars else Chart((), (), ()),
        bars=[bar for bar in bars if bar.total],
        gaps=_gaps(account)[:_GAPS],
        sections=[*_approvals(account, digest, approvals), *account.sections],
        silent=_silent(account)[:_RULES],
        silent_count=len(_silent(account)),
        losses=account.ledger.losses[:_LOSSES],
        losses_count=len(account.ledger.losses),
        rules=[(*rule, count) for rule, count in digest.rules.most_common(_RULES)],
        top=top,
    )


def _timelines(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Root → its first matches by time, of those that have a row and are no approved changes."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if not row.approved and len(of_root := found.setdefault(row.root or row.principal, [])) < _MOMENTS:
            of_root.append(row)
    return found


def render_sections(
    title: str, sections: Sequence[Section], ledger: Ledger, *, missing: str = "", made: dt.datetime
) -> str:
    """A page of sections alone.

    Args:
        title: The heading of the page.
        sections: Its parts.
        ledger: The data that were read, and the losses.
        missing: Why the page is not complete; empty if it is.
        made: The page's creation time (UTC).
    """
    return _template("sections.html").render(
        title=title,
        sections=sections,
        ledger=ledger,
        missing=missing,
        losses=ledger.losses[:_LOSSES],
        losses_count=len(ledger.losses),
        made=made,
        version=__version__,
    )


def _period(digest: Digest, account: Account) -> tuple[dt.datetime | None, dt.datetime | None]:
    """The first and last time of the events if they were counted, else of the matches."""
    covered = account.ledger.coverage.accounts if account.ledger.coverage is not None else ()
    if covered:
        return min(each.first for each in covered), max(each.end for each in covered)
    return digest.span.first, digest.span.last


def _approvals(account: Account, digest: Digest, rows: Sequence[ApprovalRow]) -> list[Section]:
    """The part about approvals, if there are any."""
    if account.approvals is None:
        return []
    return [section_of(rows, digest.approved, digest.span.count, account.approvals_digest)]


def _missing(account: Account) -> list[str]:
    """Why the report is not complete; empty if it is."""
    ledger, reasons = account.ledger, []
    if ledger.losses:
        count = len(ledger.losses)
        reasons.append(f"{count:,} {'place' if count == 1 else 'places'} of the input could not be read")
    if account.rule_errors:
        count = len(account.rule_errors)
        reasons.append(f"{count:,} {'rule was' if count == 1 else 'rules were'} left out")
    reasons += account.notes
    return reasons


def _answer(digest: Digest, account: Account, missing: Sequence[str]) -> str:
    """One paragraph for a manager."""
    count = digest.span.count
    read = f"{account.ledger.records:,} events were checked against {account.rules:,} rules."
    if not count:
        found = "Nothing matched."
    elif digest.approved == count:
        found = f"{count:,} {'event' if count == 1 else 'events'} matched, all of them approved changes."
    else:
        count -= digest.approved
        worst = next((level for level in LEVELS if digest.levels[level]), "none")
        principals = len(digest.actors)
        found = (
            f"{count:,} {'event' if count == 1 else 'events'} matched, {digest.levels[worst]:,} at level {worst}, "
            f"by {principals:,} {'principal' if principals == 1 else 'principals'}. "
            f"{digest.outcomes['denied']:,} were denied and {digest.outcomes['failed']:,} failed."
        )
        if account.approvals is not None:
            changes = "1 is an approved change" if digest.approved == 1 else f"{digest.approved:,} are approved changes"
            found = f"Of {digest.span.count:,} matches, {changes}. Beside these, {found}"
    sure = "Everything was read." if not missing else "The answer may change: not everything was read."
    return f"{read} {found} {sure}"


def _gaps(account: Account) -> list[Gap]:
    coverage = account.ledger.coverage
    return [gap for covered in coverage.accounts for gap in covered.gaps] if coverage is not None else []


def _silent(account: Account) -> Sequence[Any]:
    coverage = account.ledger.coverage
    return coverage.silent or () if coverage is not None else ()


def _shown(value: Any) -> Any:
    """Format a value of the template, before it is escaped for HTML."""
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    # Escaped text of the template has the type Markup and is left unchanged.
    return shorten(printable(value)) if type(value) is str else value


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cloudsigma.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
