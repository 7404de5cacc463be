"""`cloudsigma test`: run the cases beside rules, without pytest."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.option_groups import GroupedCommand
from cloudsigma.cli.path_types import INPUT
from cloudsigma.cli.quality_options import Wanted, measure, measuring_options
from cloudsigma.cli.rule_options import choosing_options, compile_options, printable_error
from cloudsigma.cli.screen import screen
from cloudsigma.cli.suggestions import needed_beside, suggest_cases, suggest_option
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import CaseError, RuleError
from cloudsigma.escaping import printable, printable_json
from cloudsigma.sinks.overwrite_guard import check_apart, check_spared
from cloudsigma.storage.atomic_file import write_file
from cloudsigma.testing.cases.line_styles import Style, style_of
from cloudsigma.testing.cases.report import FinishedTest, to_dict, to_junit
from cloudsigma.testing.cases.runner import Result
from cloudsigma.testing.cases.suite import Options, RuleTest, Suite, find_tests

_STYLES: Mapping[Style, Mapping[str, Any]] = {
    "plain": {},
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "headline": {"fg": "red", "bold": True},
}
_LISTED = 20
"""List at most this many rules without cases."""


@click.command("test", cls=GroupedCommand)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=INPUT)
@click.option(
    "-k",
    "--keyword",
    "texts",
    metavar="TEXT",
    multiple=True,
    help="Only tests with TEXT in file, name, or the rule's title, ID or tags. Repeatable.",
)
@choosing_options()
@compile_options()
@click.option(
    "--logsource",
    "logsource",
    metavar="KEY=VALUE",
    multiple=True,
    help="Log source of the records: product=, service=, category=. Default: product=aws service=cloudtrail.",
)
@click.option(
    "--record-folder",
    "record_folders",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="Let case files read records from FOLDER, besides their own folder. Repeatable.",
)
@measuring_options
@suggest_option
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit XML to FILE.")
@click.option("--json", "json_path", metavar="FILE", help="Write JSON to FILE (- is standard output).")
def command(
    paths: tuple[str, ...],
    texts: tuple[str, ...],
    logsource: tuple[str, ...],
    pipelines: tuple[str, ...],
    placeholders: Path | None,
    record_folders: tuple[str, ...],
    junit: Path | None,
    json_path: str | None,
    wanted: Wanted,
    *,
    suggest: bool,
    **choice: Any,
) -> int:
    """Run the cases beside rules.

    PATH is a rule file, a case file, or a folder, which is searched to any depth. Only failures are shown in full.
    """
    json_files = [Path(json_path)] if json_path is not None and json_path != "-" else []
    written = {"--junit": [junit] if junit is not None else [], "--json": json_files}
    with usage_errors():
        check_apart(written)
        check_spared([*map(Path, paths), *([placeholders] if placeholders is not None else [])], written)
    existing = [path for path in paths if os.path.lexists(path)]
    for path in (path for path in paths if path not in existing):
        click.echo(f"cloudsigma: there is no file or folder {printable(path)!r}.", err=True)
    if not existing:
        return exit_codes.INPUT_LOST
    if suggest:
        beside = [other for path in existing if Path(path).is_file() for other in needed_beside(Path(path))]
        suite = _suite(list(dict.fromkeys([*existing, *beside])), logsource, pipelines, placeholders, record_folders)
        chosen_rules = _below(_chosen_rules(suite, choice), existing)
        return suggest_cases(suite.rules, chosen_rules, suite.options or Options())
    suite = _suite(existing, logsource, pipelines, placeholders, record_folders)
    tests = _chosen(suite, texts, choice)
    chosen = len(tests) < len(suite.tests)
    untested = () if chosen else suite.untested
    aside = json_path == "-"  # JSON takes standard output

    ran = []
    for test in tests:
        ran.append(_run(test))
        if not ran[-1].result.passed:
            _show(ran[-1].result, err=aside)
    _summarize(ran, untested, suite, err=aside)
    measured = measure(suite, tests, wanted)
    for line in measured.lines():
        _echo(printable(line), err=aside)
    if junit is not None:
        _write(junit, to_junit(ran))
    if json_path is not None:
        text = json.dumps({**to_dict(ran, untested), **measured.to_dict()}, ensure_ascii=True, indent=1)
        click.echo(printable_json(text)) if aside else _write(Path(json_path), f"{text}\n")
    unread = any(test.case is None and isinstance(test.error, CaseError) for test in tests)
    return exit_codes.combined(
        found=any(not each.result.passed for each in ran) or bool(measured.too_low),
        rules_left_out=any(isinstance(test.error, RuleError) for test in suite.tests),
        input_lost=unread or len(existing) < len(paths),
    )


# --- which tests --------------------------------------------------------------------------------------------


def _suite(
    paths: Sequence[str],
    logsource: Sequence[str],
    pipelines: Sequence[str],
    placeholders: Path | None,
    record_folders: Sequence[str],
) -> Suite:
    source = dict(pair.partition("=")[::2] for pair in logsource)
    if any("=" not in pair for pair in logsource):
        raise click.UsageError("--logsource takes KEY=VALUE, such as product=windows.")
    values = None
    if placeholders is not None:
        from cloudsigma.compiler import read_placeholders

        values = read_placeholders(placeholders)
    suite = find_tests(
        *paths,
        pipelines=pipelines,
        logsource=source or None,
        placeholders=values,
        record_folders=record_folders,
    )
    for warning in suite.rules.warnings:
        click.echo(printable_error(warning), err=True)
    for case in (test.case for test in suite.tests if test.case is not None):
        for each in case.warnings:
            click.echo(printable(str(each)), err=True)
    if suite.is_empty:
        named = ", ".join(map(printable, paths))
        raise click.ClickException(f"there are neither rules nor cases in {named}.")
    return suite


def _chosen(suite: Suite, texts: Sequence[str], choice: Mapping[str, Any]) -> list[RuleTest]:
    """The tests that the options select; rules that do not compile and folders that cannot be read always fail."""
    kept = {rule.id for rule in _chosen_rules(suite, choice)}
    tests = [
        test
        for test in suite.tests
        if (test.case is None or test.rule is None or test.rule.id in kept)
        and (not texts or isinstance(test.error, RuleError) or any(text.lower() in _names(test) for text in texts))
    ]
    if suite.tests and not tests:
        raise click.ClickException("no test fits the options.")
    return tests


def _chosen_rules(suite: Suite, choice: Mapping[str, Any]) -> list[Rule]:
    """The rules that the options select."""
    wanted = {key: value or None for key, value in choice.items()}
    rules = suite.rules.where(**{"id" if key == "rule_id" else key: value for key, value in wanted.items()})
    return [rule for rule in rules if rule.id not in rules.supporting - suite.rules.supporting]


def _below(rules: Sequence[Rule], paths: Sequence[str]) -> list[Rule]:
    """The rules that were read from these files, or from files below these folders."""
    wanted = {Path(path).resolve() for path in paths}
    placed = [(rule, Path(rule.path).resolve()) for rule in rules if rule.path is not None]
    return [rule for rule, path in placed if not wanted.isdisjoint((path, *path.parents))]


def _names(test: RuleTest) -> str:
    rule = test.rule
    about = [rule.title, rule.id, rule.name or "", *rule.tags] if rule is not None else []
    return "\n".join([f"{test.path}::{test.name}", *about]).lower()


def _run(test: RuleTest) -> FinishedTest:
    started = time.perf_counter()
    result = test.run()
    return FinishedTest(test, result, time.perf_counter() - started)


# --- output -------------------------------------------------------------------------------------------------


def _show(result: Result, *, err: bool) -> None:
    for line in str(result).splitlines():
        _echo(click.style(printable(line), **_STYLES[style_of(line)]), err=err)
    _echo("", err=err)


def _summarize(ran: Sequence[FinishedTest], untested: Sequence[Rule], suite: Suite, *, err: bool) -> None:
    failed = sum(not each.result.passed for each in ran)
    passed = f"{len(ran) - failed} passed"
    verdict = click.style(
        f"{failed} failed, {passed}" if failed else passed, fg="red" if failed else "green", bold=True
    )
    left = len(suite.tests) - len(ran)
    _echo(verdict + (f", {left} left out by the options" if left else ""), err=err)
    if untested:
        _echo(f"{_counted(len(untested), 'rule has', 'rules have')} no cases:", err=err)
        for rule in untested[:_LISTED]:
            _echo(f"  {printable(rule.path or '<text>')}: {printable(rule.title)}", err=err)
        if len(untested) > _LISTED:
            _echo(f"  … and {len(untested) - _LISTED} more", err=err)
    if suite.ignored:
        _echo(f"{_counted(len(suite.ignored), 'YAML file is', 'YAML files are')} neither rule nor cases", err=True)


def _counted(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _echo(text: str, *, err: bool) -> None:
    chosen = screen().color
    click.echo(text, err=err, color=False if chosen is None and os.environ.get("NO_COLOR") else chosen)


def _write(path: Path, text: str) -> None:
    with writing(path):
        write_file(path, text.encode(errors="backslashreplace"))
