"""The functions that most programs need, with the bundled rules as the default: `evaluate` and `scan`."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from cloudsigma.arguments import check_callable, check_flag, check_instance
from cloudsigma.engine.match import Match
from cloudsigma.errors import WrongTypeError
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import select
from cloudsigma.reading.scope.time_window import Moment
from cloudsigma.reading.sources.value import Value
from cloudsigma.rulesets.bundled import bundled_rules
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.approving import Approver
from cloudsigma.scanning.config import ScanCallbacks, ScanConfig
from cloudsigma.scanning.scan import Scan as _Scan

if TYPE_CHECKING:
    from cloudsigma.scanning.outcome import ScanOutcome
    from cloudsigma.sinks.delivery import Target
    from cloudsigma.sinks.formats import SinkOptions


def evaluate(
    records: Iterable[Mapping[str, Any]], *, rules: RuleSet | None = None, lateness: dt.timedelta | None = None
) -> Iterator[Match]:
    """The matches of records under the bundled rules, or under `rules`; see `RuleSet.evaluate`."""
    return _chosen(rules).evaluate(records, lateness=lateness)


def _chosen(rules: RuleSet | None) -> RuleSet:
    check_instance("rules", rules, RuleSet, "a RuleSet, such as cloudsigma.compile_rules(PATH), or None")
    return rules if rules is not None else bundled_rules()


class Scan(_Scan):
    """An iterable of the matches in files; `outcome` has the counts and the ledger.

    Lazy: reads one file at a time, or one for each job. Iterating again reads the files again, with a new ledger; do
    not run two iterations at the same time.

    Each method below whose name begins with `to_` runs the scan, writes its matches to a file in one format, and
    returns the outcome: its `complete` is false if something could not be read, or if the format cannot hold a match
    (`not_written`). The file is a path, or a binary stream, which stays open. Except JSON lines, matches are written
    at the end of the scan, by time and with linked sessions. They raise `InputLostError` with `strict`,
    `FileAccessError` if the file cannot be written, and `UsageError` if it is one that the scan reads.
    """

    def write(
        self, *files: Target, form: str | None = None, record: bool = True, options: SinkOptions | None = None
    ) -> ScanOutcome:
        """Write the matches to several files in one run, each in the format of its ending.

        Args:
            files: Paths such as `matches.csv`, `report.html`, `findings.ocsf.jsonl`; see `cloudsigma.sinks.FORMATS`.
            form: The format of all files, whatever their endings; streams need it.
            record: Whether the records are written with the matches, where the format has them.
            options: All options of the formats; replaces `record`.
        """
        from cloudsigma.sinks.delivery import write_files
        from cloudsigma.sinks.formats import SinkOptions

        return write_files(self, files, form, options or SinkOptions(record=record))

    def to_jsonl(self, file: Target, *, record: bool = True) -> ScanOutcome:
        """Write JSON lines, as matches are found: `match.to_json(record=record)`."""
        return self.write(file, form="jsonl", record=record)

    def to_csv(self, file: Target, *, raw: bool = False) -> ScanOutcome:
        """Write CSV: the columns of `match.to_row()`.

        A cell that a spreadsheet would run as a formula begins with an apostrophe; `raw` writes all cells unchanged,
        for programs.
        """
        from cloudsigma.sinks.formats import SinkOptions

        return self.write(file, form="csv", options=SinkOptions(raw=raw))

    def to_markdown(self, file: Target) -> ScanOutcome:
        """Write a summary and a table for a ticket, of at most 60,000 characters."""
        return self.write(file, form="markdown")

    def to_html(self, file: Target) -> ScanOutcome:
        """Write the report, one HTML file without scripts."""
        return self.write(file, form="html")

    def to_ocsf(self, file: Target, *, record: bool = True) -> ScanOutcome:
        """Write Detection Findings of OCSF 1.6.0 as JSON lines; `record`: with the record as `raw_data`."""
        return self.write(file, form="ocsf", record=record)

    def to_asff(self, file: Target) -> ScanOutcome:
        """Write batches of findings for AWS Security Hub, one call of `BatchImportFindings` a line."""
        return self.write(file, form="asff")

    def to_timesketch(self, file: Target) -> ScanOutcome:
        """Write events for Timesketch as JSON lines."""
        return self.write(file, form="timesketch")


def scan(
    *paths: str | os.PathLike[str] | Value,
    rules: RuleSet | None = None,
    dedup: bool = True,
    jobs: int | None = 1,
    progress: Callable[..., None] | None = None,
    stdin: BinaryIO | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    accounts: str | Iterable[str] = (),
    regions: str | Iterable[str] = (),
    limits: Limits | None = None,
    coverage: bool = False,
    strict: bool = False,
    named_files: bool = False,
    approvals: Approver | None = None,
) -> Scan:
    """The matches of files and folders of CloudTrail logs: iterate the result.

    `result.outcome` counts the matches, found and left out; `result.ledger` is the account of the reading.

    Args:
        paths: Files, folders, patterns of them (`logs/**/*.json`), places in S3 (`s3://bucket/prefix`), values; `-` is
            standard input. See `read_records`.
        rules: Default: the bundled rules.
        dedup: Return one match if the same event matches the same rule more than once.
        jobs: Processes that read and match, at most one for each core; `None`: one for each core, if there is enough
            to read. The matches and their order are the same. A script that asks for several needs the usual
            `if __name__ == "__main__":`, since workers import it.
        progress: Called as files are read; see `read_records`.
        stdin: A stream for `-`. Default: the process's standard input.
        since: Only events of this time or later; see `read_records`, also for the three below.
        until: Only events before this time.
        accounts: Only events of these accounts.
        regions: Only events of these regions.
        limits: Bounds on sizes, depth and numbers.
        coverage: Count all records by account, region and hour for `ledger.coverage`, which also names the gaps and the
            rules that could not match, since their event never occurred. It costs time.
        strict: Raise `InputLostError` at the first loss; nothing after it is read.
        named_files: Read the files in S3 that notifications name, too; see `read_records`.
        approvals: Approved changes (`Approvals.load`): each match has its decision in `match.approval`. If one has
            `max_matches` or `roots`, read the matches by time: `scan(…).by_time()`.

    Raises:
        UsageError: A time, account, region or S3 URL is not valid, or the extra that reads S3 is not installed.
        InputLostError: With `strict`, as the result is iterated: something could not be read.
    """
    for argument, flag in (
        ("dedup", dedup), ("coverage", coverage), ("strict", strict), ("named_files", named_files),
    ):  # fmt: skip
        check_flag(argument, flag)
    check_callable("progress", progress)
    check_instance("limits", limits, Limits, "a cloudsigma.Limits, or None")
    check_instance("approvals", approvals, Approver, "cloudsigma.Approvals.load(PATH), or None")
    if jobs is not None and type(jobs) is not int:
        raise WrongTypeError("jobs", jobs, "a whole number above 0, or None for as many as there are cores")
    config = ScanConfig(
        dedup=dedup,
        jobs=jobs,
        selection=select(since, until, accounts, regions),
        limits=limits or Limits(),
        coverage=coverage,
        strict=strict,
        named_files=named_files,
        approvals=approvals,
        sessions=approvals is not None and approvals.needs_sessions,
    )
    callbacks = ScanCallbacks(watcher=Watcher(progress) if progress is not None else None)
    return Scan(paths, _chosen(rules), config, callbacks=callbacks, stdin=stdin)
