"""`cloudsigma lint`: mistakes in rules that the compiler accepts, and those that it does not."""

from __future__ import annotations

from pathlib import Path

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.cli.path_types import FILE, OUTPUT_FILE
from cloudsigma.cli.screen import screen
from cloudsigma.cli.usage_errors import usage_errors
from cloudsigma.cli.writing import writing
from cloudsigma.escaping import printable, printable_lines
from cloudsigma.linting.checks import PROFILES, checks, page_of
from cloudsigma.linting.fixes import diff_of, fixed_texts
from cloudsigma.linting.formats import FORMATS, summary_of
from cloudsigma.linting.run import LintOptions, LintResult, run_lint
from cloudsigma.sinks.overwrite_guard import check_spared
from cloudsigma.storage.atomic_file import write_file


@click.command("lint", cls=GroupedCommand)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=FILE)
@option("--profile", type=click.Choice(PROFILES), default="default", show_default=True, help="Which findings to show.")
@option("--ignore", metavar="SLUG", multiple=True, help="Leave out findings of this kind. Repeatable.")
@option(
    "--event", "events", metavar="SOURCE:NAME", multiple=True, help="An event that the catalogue lacks. Repeatable."
)
@option("--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True)
@option("--output", "-o", metavar="FILE", type=OUTPUT_FILE, help="Write the findings to FILE.")
@option("--fix", is_flag=True, help="Correct what can be corrected safely.")
@option("--diff", is_flag=True, help="Show what --fix would change.")
@option("--explain", metavar="SLUG", help="Describe a kind of finding, with a bad and a good rule.")
@option("--list", "lists", is_flag=True, help="List the kinds of findings.")
@option("--exit-zero", is_flag=True, help="Exit with 0 instead of 1 if there are findings.")
def command(
    paths: tuple[Path, ...],
    profile: str,
    ignore: tuple[str, ...],
    events: tuple[str, ...],
    form: str,
    output: Path | None,
    fix: bool,  # noqa: FBT001  # as click passes it
    diff: bool,  # noqa: FBT001  # as above
    explain: str | None,
    lists: bool,  # noqa: FBT001  # as above
    exit_zero: bool,  # noqa: FBT001  # as above
) -> int:
    """Find mistakes in rules: values that no CloudTrail record can hold, parts that exclude each other, typing errors.

    PATH is a rule file or folder. A comment `# cloudsigma: ignore[SLUG] reason` silences a finding on its line or, on
    the first line of a rule, in all of it.
    """
    if explain is not None:
        if explain not in checks():
            raise click.UsageError(f"there is no finding {printable(explain)!r}; cloudsigma lint --list shows all.")
        click.echo(page_of(explain))
        return exit_codes.combined(found=False, rules_left_out=False, input_lost=False)
    if lists:
        for slug, check in checks().items():
            click.echo(f"{slug:26} {check.severity:8} {check.profile:9} {check.what}")
        return exit_codes.combined(found=False, rules_left_out=False, input_lost=False)
    if not paths:
        raise click.UsageError("Name a rule file or folder.")
    with usage_errors():
        if output is not None:
            check_spared(paths, {"--output": [output]})
        options = LintOptions(profile, ignore, added_events(events))
        result = run_lint(paths, options)
        if fix or diff:
            result = _fixed(paths, options, result, write=fix)
    text = FORMATS[form](result)
    if output is not None:
        with writing(output):
            write_file(output, f"{text}\n".encode())
        screen().tell(summary_of(result), problem=bool(result.findings))
    else:
        click.echo(text)
    return exit_codes.combined(
        found=bool(result.findings),
        rules_left_out=any(finding.severity == "error" and finding.slug != "file-error" for finding in result.findings),
        input_lost=any(finding.slug == "file-error" for finding in result.findings),
        exit_zero=exit_zero,
    )


def added_events(events: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The events that `--event` adds: source → names."""
    found: dict[str, tuple[str, ...]] = {}
    for each in events:
        source, colon, name = each.partition(":")
        if not colon or not source or not name:
            raise click.UsageError(
                f"--event {printable(each)}: give SOURCE:NAME, such as iam.amazonaws.com:CreateGroup."
            )
        found[source] = (*found.get(source, ()), name)
    return found


def _fixed(paths: tuple[Path, ...], options: LintOptions, result: LintResult, *, write: bool) -> LintResult:
    for path, (before, after) in fixed_texts(result.findings).items():
        if write:
            with writing(path):
                write_file(Path(path), after.encode())
            screen().tell(f"{path}: fixed")
        else:
            click.echo(printable_lines("\n".join(diff_of(path, before, after).splitlines())))
    return run_lint(paths, options) if write else result
