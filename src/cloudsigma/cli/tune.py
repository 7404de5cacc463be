"""`cloudsigma tune`: a Sigma filter that leaves out known false positives of a rule."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.limit_options import limit_options
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import INPUT, OUTPUT_FILE
from cloudsigma.cli.progress import watching
from cloudsigma.cli.record_files import RECORD_FILE, records_of
from cloudsigma.cli.rule_options import printable_error
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.errors import RuleError, RuleErrors, each_error
from cloudsigma.escaping import printable
from cloudsigma.reading.account.coverage import counted
from cloudsigma.reading.scope.limits import Limits

if TYPE_CHECKING:
    from cloudsigma.drafting.tune import Effect, Tuning


@click.command("tune", cls=GroupedCommand)
@click.argument("rule")
@option(
    "--false-positives", "false_positives", metavar="FILE", type=RECORD_FILE, multiple=True, required=True,
    help="Records that the rule must match no longer. Repeatable.",
)  # fmt: skip
@option(
    "--keep", metavar="FILE", type=RECORD_FILE, multiple=True,
    help="Records that the rule must go on matching. Repeatable.",
)  # fmt: skip
@option(
    "--corpus", metavar="PATH", type=INPUT, multiple=True,
    help="Logs, as for scan: show which other matches the filter leaves out. Repeatable.",
)  # fmt: skip
@option("-o", "--output", metavar="FILE", type=OUTPUT_FILE, required=True, help="File of the filter.")
@limit_options()
def command(
    rule: str,
    false_positives: tuple[Path, ...],
    keep: tuple[Path, ...],
    corpus: tuple[str, ...],
    output: Path,
    limits: Limits,
) -> int:
    """Write a Sigma filter that leaves out known false positives of a rule.

    RULE is a rule file, or the ID or name of a bundled rule. The filter tests all that the false positives share and
    that stays: caller, network, user agent, account, event. Cases of the rule and records of --keep must go on passing;
    if there is no such filter, nothing is written.
    """
    from cloudsigma.drafting.tune import NoFilterError, effect_on, tune  # imports the compiler

    if os.path.lexists(output):
        raise click.UsageError(f"{printable(str(output))} exists. Move it away, or choose another name with -o.")
    path = _file_of(rule)
    found, lost = records_of(false_positives)
    wanted, lost_other = records_of(keep)
    lost = lost or lost_other
    effect = None
    try:
        with usage_errors():
            tuning = tune(path, found, wanted)
    except NoFilterError as error:
        click.echo(f"no filter was written: {printable(str(error))}.", err=True)
        return exit_codes.combined(found=True, rules_left_out=False, input_lost=lost)
    except (RuleError, RuleErrors) as error:
        for each in each_error(error):
            click.echo(printable_error(each), err=True)
        return exit_codes.RULES_LEFT_OUT
    if corpus:
        with watching() as watcher, usage_errors():
            effect = effect_on(tuning, corpus, limits, watcher)
        lost = lost or not effect.ledger.complete
    with writing(output), output.open("x", encoding="utf-8", newline="\n") as file:
        file.write(tuning.text)
    for line in _lines(output, tuning, effect):
        click.echo(printable(line))
    if effect is not None:
        screen().tell_ledger(effect.ledger)
    return exit_codes.combined(found=False, rules_left_out=False, input_lost=lost)


def _file_of(rule: str) -> Path:
    if Path(rule).is_file():
        return Path(rule)
    from cloudsigma.rulesets.bundled import bundled_rules

    path = bundled_rules()[rule].path
    if path is None or not Path(path).is_file():
        raise click.UsageError(f"{printable(rule)} has no file.")
    return Path(path)


def _lines(output: Path, tuning: Tuning, effect: Effect | None) -> Iterator[str]:
    from cloudsigma.cli.side_text import side_lines

    yield f"{output} written: leaves out {counted(len(tuning.false_positives), 'false positive')}"
    for test in tuning.tests:
        yield f"  {test.key}: {'null' if test.value is None else test.value}"
    tried = f"{counted(tuning.cases, 'case')} passed" if tuning.cases else "no case was tried, as the rule has none"
    yield f"with the filter, {tried}; {counted(tuning.kept, 'record')} of --keep matched"
    if tuning.unmatched:
        yield f"{counted(tuning.unmatched, 'record')} of --false-positives: the rule does not match them anyway"
    if tuning.unmatched_kept:
        yield f"{counted(tuning.unmatched_kept, 'record')} of --keep: the rule does not match them, filter or not"
    if effect is None:
        return
    others = effect.others
    yield f"matches in the corpus: {effect.matches:,}, of which false positives: {effect.known:,}"
    if others.events:
        yield f"  also left out: {counted(others.events, 'event')}, such as {', '.join(others.examples)}"
        yield from side_lines(others)
    else:
        yield "  no other match is left out"
