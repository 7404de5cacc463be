"""The bundled rules, and `evaluate` and `scan` with them as the default."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from msgspec import structs

from cloudsigma.engine.match import Match
from cloudsigma.errors import UsageError
from cloudsigma.packaged import packaged_correlations, packaged_rules
from cloudsigma.reading.limits import Limits
from cloudsigma.reading.selection import select
from cloudsigma.reading.sources.value import Value
from cloudsigma.reading.time_window import Moment
from cloudsigma.ruleset import RuleSet, from_artifact, load_rules, to_artifact
from cloudsigma.scanner import Scan


def bundled_rules(*, correlations: bool = False) -> RuleSet:
    """The four detections: IAM groups created and deleted, Roles Anywhere profiles and external trust anchors.

    Args:
        correlations: Add the bundled correlations, with rules of their own that they refer to and that give no matches
            themselves.
    """
    return _compiled(correlations)


@lru_cache(maxsize=2)
def _compiled(correlations: bool) -> RuleSet:  # noqa: FBT001  # the key of the cache
    """Read what ships compiled: a process that only evaluates needs neither pySigma nor YAML."""
    rules = load_rules(_artifact(correlations=correlations))
    return _with_paths(rules, lambda path: str(packaged_rules().parent.joinpath(*PurePosixPath(path).parts)))


def _artifact(*, correlations: bool) -> Path:
    return Path(__file__).with_name("bundled_correlations.json" if correlations else "bundled_rules.json")


def _with_paths(rules: RuleSet, changed: Callable[[str], str]) -> RuleSet:
    """The same rules with other paths of their files."""
    definitions = [rule.definition for rule in rules]
    return from_artifact(
        structs.replace(
            to_artifact(rules),
            rules=tuple(
                structs.replace(rule, metadata=structs.replace(rule.metadata, path=changed(rule.metadata.path or "")))
                for rule in definitions
            ),
        )
    )


def write_artifacts() -> None:
    """Compile the bundled rules into the files that ship; `python -m cloudsigma.bundled` does it after a change."""
    from cloudsigma.compiler import compile_rules

    root = packaged_rules().parent
    for correlations in (False, True):
        rules = compile_rules(*([packaged_correlations()] if correlations else []), bundled=True)
        relative = _with_paths(rules, lambda path: Path(path).relative_to(root).as_posix())
        relative.save(_artifact(correlations=correlations))


def evaluate(
    records: Iterable[Mapping[str, Any]], *, rules: RuleSet | None = None, lateness: dt.timedelta | None = None
) -> Iterator[Match]:
    """The matches of records under the bundled rules, or under `rules`; see `RuleSet.evaluate`."""
    return _chosen(rules).evaluate(records, lateness=lateness)


def _chosen(rules: RuleSet | None) -> RuleSet:
    if rules is None:
        return bundled_rules()
    if not isinstance(rules, RuleSet):
        raise UsageError(f"rules is a {type(rules).__name__}; give a RuleSet, such as cloudsigma.compile_rules(PATH)")
    return rules


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
) -> Scan:
    """The matches of files and folders of CloudTrail logs: iterate the result; `result.ledger` says what was read.

    Args:
        paths: Files, folders, patterns of them (`logs/**/*.json`), places in S3 (`s3://bucket/prefix`), values; `-` is
            standard input. See `read_records`.
        rules: Default: the bundled rules.
        dedup: Give one match where the same event matches the same rule more than once.
        jobs: Processes that read and match; `None` for as many as there are cores, where there is enough to read. The
            matches and their order are the same. A script that asks for several needs the usual
            `if __name__ == "__main__":`, since workers import it.
        progress: Called as files are read; see `read_records`.
        stdin: What `-` stands for; default: the process's standard input.
        since: Only events of this time or later; see `read_records`, also for the three below.
        until: Only events before this time.
        accounts: Only events of these accounts.
        regions: Only events of these regions.
        limits: Bounds on sizes, depth and numbers.
        coverage: Count all records by account, region and hour for `ledger.coverage`, which also names the gaps and the
            rules that could not match, since their event never occurred. It costs time.
        strict: Raise `InputLostError` at the first loss; nothing after it is read.
        named_files: Read the files in S3 that notifications name, too; see `read_records`.

    Raises:
        UsageError: A time, account, region or S3 place has no form that there is, or what reads S3 is not installed.
        InputLostError: With `strict`, as the result is iterated: something could not be read.
    """
    return Scan(
        paths,
        _chosen(rules),
        dedup=dedup,
        jobs=jobs,
        progress=progress,
        stdin=stdin,
        selection=select(since, until, accounts, regions),
        limits=limits,
        coverage=coverage,
        strict=strict,
        named_files=named_files,
    )


if __name__ == "__main__":
    write_artifacts()
