"""`cloudsigma audit`: the report of a period."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from cloudsigma.auditing import AuditRequest, make_audit
from cloudsigma.cli import exit_codes
from cloudsigma.cli.approvals_file import load_approvals
from cloudsigma.cli.inventory import load_register
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE, INPUT, OUTPUT_FILE
from cloudsigma.cli.progress import watching
from cloudsigma.cli.rule_options import Choice, rule_options
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection, select
from cloudsigma.reading.scope.time_window import time_window
from cloudsigma.sinks.made_at import made_at
from cloudsigma.sinks.overwrite_guard import check_apart, check_spared, check_written
from cloudsigma.storage.atomic_file import write_file


@click.command("audit", cls=GroupedCommand)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=INPUT)
@option("--from", "since", metavar="TIME", required=True, help="The beginning of the period.")
@option("--until", metavar="TIME", required=True, help="Its end: events before it.")
@option("--output", "-o", metavar="FILE", type=OUTPUT_FILE, required=True, help="The page, FILE.html.")
@option("--manifest", metavar="FILE", type=OUTPUT_FILE, help="Default: FILE.manifest.json beside the page.")
@option("--approvals", "approvals_file", metavar="FILE", type=FILE, help="The approved changes.")
@option(
    "--register", "register_file", metavar="FILE", type=FILE, help="The purposes of groups, trust anchors, profiles."
)
@option("--account", "accounts", metavar="ID", multiple=True, help="Only events of this account. Repeatable.")
@option("--region", "regions", metavar="NAME", multiple=True, help="Only events of this region. Repeatable.")
@rule_options()
@limit_options()
@option("--exit-zero", is_flag=True, help="Exit with 0 instead of 1 if something is open.")
def command(
    paths: tuple[str, ...],
    since: str,
    until: str,
    output: Path,
    manifest: Path | None,
    approvals_file: Path | None,
    register_file: Path | None,
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    limits: Limits,
    choice: Choice,
    exit_zero: bool,  # noqa: FBT001  # as click passes it
) -> int:
    """Write the audit of a period: matches and approvals, coverage, inventory, integrity, rules, and a manifest.

    PATH is as for `scan`; it is read twice. The same input gives the same bytes if SOURCE_DATE_EPOCH is set. The
    manifest has the SHA-256 of the logs, rules, approvals and register.
    """
    if "-" in paths:
        raise click.UsageError("The logs are read twice, which standard input cannot be: name a file or folder.")
    manifest = manifest or output.with_name(f"{output.stem}.manifest.json")
    given = [file for file in (approvals_file, register_file) if file is not None]
    written = {"--output": [output], "--manifest": [manifest]}
    with usage_errors():
        check_apart(written)
        check_written(paths, written)
        check_spared([*choice.files, *given], written)
        window = time_window(since, until)
        selection = select(None, None, accounts, regions)
        register = load_register(register_file)
    if window.since is None or window.until is None:
        raise click.UsageError("--from and --until are two times.")
    rules = choice.load()
    approvals = load_approvals(approvals_file, choice) if approvals_file is not None else None
    request = AuditRequest(
        paths, window.since, window.until, rules, approvals, register, _hashes(given),
        Selection(accounts=selection.accounts, regions=selection.regions), limits,
    )  # fmt: skip
    if register is not None:
        register.today = window.until.date()
    with watching() as watcher, usage_errors():
        audit = make_audit(request, made_at(), watcher)
    for path, text in ((output, audit.page), (manifest, audit.manifest.to_json())):
        with writing(path):
            write_file(path, text.encode())
    outcome = audit.outcome
    screen().tell(
        f"{outcome.total:,} matches, {outcome.unapproved:,} not approved; {len(audit.deviations):,} lines of the "
        f"inventory to look at; manifest {audit.manifest.digest[:16]}",
        problem=not audit.complete,
    )
    screen().tell_ledger(outcome.ledger)
    return exit_codes.combined(
        found=audit.open, rules_left_out=bool(rules.errors), input_lost=not audit.complete, exit_zero=exit_zero
    )


def _hashes(files: list[Path]) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
