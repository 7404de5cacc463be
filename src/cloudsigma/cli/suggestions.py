"""`cloudsigma test --suggest`: cases written beside rules that have none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.rule_options import printable_error
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import UsageError
from cloudsigma.escaping import printable
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.cases.file_kinds import CASE_ENDINGS, RULE_ENDINGS
from cloudsigma.testing.cases.suite import Options
from cloudsigma.testing.mutation.suggestion import NothingToSuggestError, case_path, write_suggestion

suggest_option = click.option(
    "--suggest",
    is_flag=True,
    help="Write cases beside the rules: a record that matches, and near misses. Runs no test.",
)


_FILTER = re.compile(rb"^filter\s*:", re.MULTILINE)
_CORRELATION = re.compile(rb"^correlation\s*:", re.MULTILINE)


def needed_beside(path: Path) -> Iterator[str]:
    """Files in the folder of a rule file that its suggestions need: Sigma filters, and for a correlation its rules."""
    refers = _CORRELATION.search(_content(path)) is not None
    for other in sorted(path.parent.iterdir()):
        if other == path or not other.name.lower().endswith(RULE_ENDINGS) or other.name.lower().endswith(CASE_ENDINGS):
            continue
        if refers or _FILTER.search(_content(other)) is not None:
            yield str(other)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


def suggest_cases(rules: RuleSet, chosen: Iterable[Rule], options: Options) -> int:
    """Write cases for rules, and report the files written and the rules left out."""
    wanted = [rule for rule in chosen if rule.id not in rules.hidden]
    for error in rules.errors:
        click.echo(printable_error(error), err=True)
    if not wanted:
        raise click.ClickException("there is no rule to suggest cases for.")
    in_file = Counter(rule.path for rule in wanted)
    refused = False
    for rule in wanted:
        try:
            path, remarks = _written(rule, rules, options, in_file[rule.path])
        except NothingToSuggestError as error:
            refused = True
            click.echo(printable(str(error)), err=True)
        except UsageError as error:
            refused = True
            click.echo(printable(f"cloudsigma: {error}."), err=True)
        except OSError as error:
            refused = True
            click.echo(printable(f"cloudsigma: {case_path(rule)} cannot be written ({error.strerror})."), err=True)
        else:
            click.echo(printable(f"{path} written{_how_to_run(rule, rules)}"))
            for remark in remarks:
                click.echo(printable(f"{rule.path}:{rule.line}: {remark}."), err=True)
    return exit_codes.combined(found=refused, rules_left_out=bool(rules.errors), input_lost=False)


def _written(rule: Rule, rules: RuleSet, options: Options, in_file: int) -> tuple[Path, tuple[str, ...]]:
    if in_file > 1:
        raise UsageError(
            f"{rule.path}: {in_file} rules would share {case_path(rule).name}; "
            f"choose one with --rule-id, such as --rule-id {rule.id}"
        )
    return write_suggestion(rule, rules, options)


def _how_to_run(rule: Rule, rules: RuleSet) -> str:
    """The options that cases of a rule for another log source need."""
    if rule.logsource is None or rule.logsource.covers(rules.declared):
        return ""
    named = str(rule.logsource).split()
    return "; run with " + " ".join(f"--logsource {pair}" for pair in named)
