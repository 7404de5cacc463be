"""An audit: the logs of a period, scanned and decided, with coverage, rules, approvals, inventory and integrity."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from cloudsigma.approvals import Approvals
from cloudsigma.approvals.check import Finding, check
from cloudsigma.auditing.manifest import Manifest, hashed_inputs
from cloudsigma.integrity import Integrity, check_integrity
from cloudsigma.inventory import Deviation, Inventory, Register
from cloudsigma.inventory.pages import sections as inventory_sections
from cloudsigma.inventory.register import weaknesses
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.scope.time_window import TimeWindow
from cloudsigma.report import Account, Digest, Section, render
from cloudsigma.report.section import Table
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.config import ScanCallbacks, ScanConfig
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks.html import digest_of_rules, notes_of


class AuditRequest(msgspec.Struct, frozen=True):
    """What to audit, and by what."""

    paths: tuple[str, ...]
    since: dt.datetime
    until: dt.datetime
    rules: RuleSet
    approvals: Approvals | None = None
    register: Register | None = None
    files: dict[str, str] = {}
    """Approvals and register → SHA-256 of the file."""
    selection: Selection = Selection()
    limits: Limits = Limits()


class Audit(msgspec.Struct, frozen=True):
    """The outcome of an audit."""

    outcome: ScanOutcome
    history: Ledger
    """The reading of the time before the period, for the inventory."""
    deviations: tuple[Deviation, ...]
    findings: tuple[Finding, ...]
    """Of the approvals."""
    integrity: Integrity | None
    """`None`: there are no digest files."""
    manifest: Manifest
    page: str

    @property
    def complete(self) -> bool:
        """Whether everything could be read."""
        unreadable = self.integrity is not None and self.integrity.unreadable
        return self.outcome.complete and self.history.complete and not unreadable

    @property
    def open(self) -> bool:
        """Whether something is left to look at: a match without approval, a deviation, a file that was altered."""
        contradicted = self.integrity is not None and not self.integrity.intact
        return bool(self.outcome.unapproved or self.deviations or contradicted)


def make_audit(request: AuditRequest, made: dt.datetime, watcher: Watcher | None = None) -> Audit:
    """Audit a period; nothing but `made` depends on the clock.

    Matches, coverage and approvals are those of the period. The inventory takes in the events before it, too, and is
    that of its end.
    """
    window = TimeWindow(request.since, request.until)
    selection = Selection(window, request.selection.accounts, request.selection.regions)
    config = ScanConfig(
        sessions=True, coverage=True, selection=selection, limits=request.limits, approvals=request.approvals
    )
    scan = Scan(request.paths, request.rules, config, callbacks=ScanCallbacks(watcher=watcher))
    digest = Digest()
    for match in scan.by_time():
        digest.add(match)
    outcome = scan.outcome
    inventory = Inventory()
    earlier = Selection(TimeWindow(None, request.until), selection.accounts, selection.regions)
    history = inventory.read(request.paths, earlier, request.limits, watcher)
    state = inventory.state()
    deviations = request.register.compare(state) if request.register is not None else weaknesses(state)
    findings = _findings(request, outcome)
    integrity = _integrity(request)
    inputs, elsewhere = hashed_inputs(request.paths)
    rules = {rule.id: rule.identity for rule in request.rules}
    manifest = Manifest(
        _iso(request.since), _iso(request.until), inputs, dict(sorted(rules.items())), request.files, elsewhere
    )
    parts = [
        _period_section(request, manifest),
        _coverage_section(outcome.ledger),
        *_approval_section(findings),
        *inventory_sections(state, deviations),
        _integrity_section(integrity),
        _rules_section(request.rules),
        _manifest_section(manifest),
    ]
    account = Account(
        outcome.ledger, len(request.rules), rules_digest=digest_of_rules(request.rules),
        rule_errors=[str(error) for error in request.rules.errors], notes=notes_of(outcome),
        approvals=outcome.approvals.uses if outcome.approvals is not None else None,
        approvals_digest=outcome.approvals.digest if outcome.approvals is not None else "",
        title="CloudTrail audit", answers=_answers(deviations, integrity, findings), sections=parts,
    )  # fmt: skip
    page = render(digest, account, made=made)
    return Audit(outcome, history, tuple(deviations), tuple(findings), integrity, manifest, page)


def _findings(request: AuditRequest, outcome: ScanOutcome) -> list[Finding]:
    if request.approvals is None or outcome.approvals is None:
        return []
    uses = {use.id: use for use in outcome.approvals.uses}
    return check(request.approvals, request.until, uses, outcome.ledger.coverage)


def _integrity(request: AuditRequest) -> Integrity | None:
    local = [path for path in request.paths if "://" not in path and path != "-"]
    found = check_integrity(local, limits=request.limits) if local else None
    return found if found is not None and found.digests else None


# --- the page -----------------------------------------------------------------------------------------------


def _answers(deviations: Sequence[Deviation], integrity: Integrity | None, findings: Sequence[Finding]) -> list[str]:
    found = []
    if deviations:
        found.append(f"The inventory has {len(deviations)} {'line' if len(deviations) == 1 else 'lines'} to look at.")
    open_findings = [finding for finding in findings if not finding.is_note]
    if open_findings:
        found.append(f"{len(open_findings)} remarks on approvals are open.")
    if integrity is None:
        found.append("There are no digest files, so it is not known whether log files were altered or removed.")
    elif integrity.intact:
        found.append(f"All {integrity.verified:,} log files that digest files name are as CloudTrail delivered them.")
    else:
        found.append(f"{len(integrity.problems)} log or digest files are NOT as CloudTrail delivered them.")
    return found


def _period_section(request: AuditRequest, manifest: Manifest) -> Section:
    lines = [
        f"Audited: events from {manifest.since} until before {manifest.until}.",
        f"Paths: {', '.join(request.paths)}.",
    ]
    if request.selection.accounts:
        lines.append(f"Only accounts: {', '.join(sorted(request.selection.accounts))}.")
    if request.selection.regions:
        lines.append(f"Only regions: {', '.join(sorted(request.selection.regions))}.")
    return Section("audit-period", "The period", lines)


def _coverage_section(ledger: Ledger) -> Section:
    """The hours with and without records, of each account and region."""
    coverage = ledger.coverage
    rows = [
        [
            each.account or "no account", each.region or "no region", f"{each.records:,}", f"{each.hours:,}",
            f"{each.first:%Y-%m-%d %H:%M}", f"{each.end:%Y-%m-%d %H:%M}", "; ".join(map(str, each.gaps)) or "none",
        ]
        for each in (coverage.regions if coverage is not None else ())
    ]  # fmt: skip
    heads = (
        "Account",
        "Region",
        "Records",
        "Hours with records",
        "First (UTC)",
        "Until (UTC)",
        "Hours without records",
    )
    lines = ["An hour without records is not a loss: if nothing happens, nothing is delivered."]
    if not rows:
        lines = ["There are no records of the period."]
    return Section("audit-coverage", "Coverage", lines, tables=[Table(heads, rows)] if rows else [])


def _approval_section(findings: Sequence[Finding]) -> list[Section]:
    if not findings:
        return []
    rows = [
        [finding.approval, finding.kind, finding.message, "note" if finding.is_note else "open"] for finding in findings
    ]
    table = Table(("Approval", "Kind", "What", "State"), rows)
    return [Section("audit-approvals", "Approvals: remarks at the end of the period", tables=[table])]


def _integrity_section(integrity: Integrity | None) -> Section:
    title = "Are the log files those that CloudTrail delivered?"
    if integrity is None:
        return Section("audit-integrity", title, ["Not known: there are no digest files among the paths."])
    rows = [[problem.kind, problem.path, problem.text] for problem in integrity.problems]
    tables = [Table(("Kind", "File", "What"), rows)] if rows else []
    return Section("audit-integrity", title, [f"{integrity.summary}."], tables=tables)


def _rules_section(rules: RuleSet) -> Section:
    rows = [[rule.title, rule.level or "", rule.id, rule.identity[:16], rule.author or ""] for rule in rules]
    rows.sort()
    return Section("audit-rules", "Rules in force", tables=[Table(("Rule", "Level", "ID", "Digest", "Author"), rows)])


def _manifest_section(manifest: Manifest) -> Section:
    rows = [[each.path, f"{each.bytes:,}", each.sha256] for each in manifest.inputs]
    lines = [f"The audit is of these files. Its manifest has the SHA-256 {manifest.digest}."]
    lines += [f"{name}: SHA-256 {digest}." for name, digest in sorted(manifest.files.items())]
    if manifest.not_hashed:
        lines.append(f"Not hashed, since they are not on this machine: {', '.join(manifest.not_hashed)}.")
    return Section(
        "audit-manifest", "How to reach the same verdict", lines, tables=[Table(("File", "Bytes", "SHA-256"), rows)]
    )


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
