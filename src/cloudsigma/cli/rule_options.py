"""The options that choose rules, shared by all commands."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudsigma.cli.option_groups import Decorator, option, option_group, option_value
from cloudsigma.cli.path_types import FILE
from cloudsigma.escaping import printable

if TYPE_CHECKING:
    from cloudsigma.compiler import RuleLimits
    from cloudsigma.rulesets.rule_set import RuleSet

_LEVELS = ("informational", "low", "medium", "high", "critical")
_STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
_TITLE = "Rules"
_ENVELOPE_MEMBERS = frozenset(
    {"detail", "Records", "Message", "Sns", "CloudTrailEvent", "logEvents", "_raw", "_source"}
)
"""Members in which EventBridge, log files, SNS, `lookup-events`, CloudWatch Logs and SIEMs hold records."""


def _parsed_limits(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> dict[str, int]:
    parsed: dict[str, int] = {}
    for value in values:
        name, _, number = value.partition("=")
        if not number.isascii() or not number.isdigit():
            raise click.BadParameter(f"{printable(value)!r} is not NAME=N, such as expansions=20000")
        parsed[name] = int(number[:18])
    return parsed


def _parsed_logsource(
    _context: click.Context, _option: click.Parameter, values: Sequence[str]
) -> dict[str, str] | None:
    if any("=" not in pair for pair in values):
        raise click.UsageError("--logsource takes KEY=VALUE, such as product=windows.")
    return dict(pair.partition("=")[::2] for pair in values) or None


_PATHS = (
    option(
        "--rules",
        "rule_paths",
        metavar="PATH",
        multiple=True,
        type=FILE,
        help="A rule file or folder, beside the bundled rules. Repeatable.",
    ),
    option("--no-bundled", is_flag=True, help="Leave the four bundled detections out."),
    option("--correlations", is_flag=True, help="Add the bundled correlations."),
    option(
        "--compiled",
        metavar="FILE",
        type=FILE,
        help="Use only this rule set, written by `cloudsigma compile`.",
    ),
    option("--no-cache", is_flag=True, help="Compile the rules without the cache on disk."),
)
_COMPILING = (
    option(
        "--placeholders",
        metavar="FILE",
        type=FILE,
        help="A YAML file with the values of placeholders: name: [value, ...].",
    ),
    option(
        "--pipeline",
        "pipelines",
        metavar="PATH",
        multiple=True,
        help="A processing pipeline: a YAML file, or the name of one that comes with the package. Repeatable.",
    ),
)
LOGSOURCE = option(
    "--logsource",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_parsed_logsource,
    help="Log source of the records: product=, service=, category=. Default: product=aws service=cloudtrail.",
)
_LIMITING = (
    LOGSOURCE,
    option(
        "--rule-limit",
        "rule_limits",
        metavar="NAME=N",
        multiple=True,
        callback=_parsed_limits,
        help="Change a limit on the cost of a rule; errors name the limit. Repeatable.",
    ),
)
_CHOOSING = (
    option("--level", type=click.Choice(_LEVELS, case_sensitive=False), help="The minimum level."),
    option(
        "--status",
        multiple=True,
        type=click.Choice(_STATUSES, case_sensitive=False),
        help="Only rules of this status. Repeatable.",
    ),
    option("--tag", multiple=True, help="Only rules with this tag, such as attack.t1098. Repeatable."),
    option("--rule-id", multiple=True, metavar="ID", help="Only the rule with this ID or name. Repeatable."),
    option("--exclude", multiple=True, metavar="ID", help="Not the rule with this ID or name. Repeatable."),
)


def rule_options() -> Decorator:
    """Add the options to a command, which is given `choice`."""
    return option_value(_TITLE, "choice", Choice, *_PATHS, *_COMPILING, *_LIMITING, *_CHOOSING)


def compile_options() -> Decorator:
    """Add only the options for compiling: `placeholders`, `pipelines`."""
    return option_group(_TITLE, *_COMPILING)


def choosing_options() -> Decorator:
    """Add only those that choose among rules: the arguments of `RuleSet.where`, each a tuple but `level`."""
    return option_group(_TITLE, *_CHOOSING)


@dataclass(frozen=True, slots=True)
class Choice:
    """The rules that a command line selects."""

    rule_paths: tuple[Path, ...]
    no_bundled: bool
    correlations: bool
    placeholders: Path | None
    pipelines: tuple[str, ...]
    logsource: Mapping[str, str] | None
    rule_limits: Mapping[str, int]
    compiled: Path | None
    no_cache: bool
    level: str | None
    status: tuple[str, ...]
    tag: tuple[str, ...]
    rule_id: tuple[str, ...]
    exclude: tuple[str, ...]

    @property
    def files(self) -> list[Path]:
        """The files and folders that are read for the rules."""
        single = [each for each in (self.placeholders, self.compiled) if each is not None]
        return [*self.rule_paths, *single, *map(Path, self.pipelines)]

    def with_paths(self, paths: Sequence[Path]) -> Choice:
        """The rules at paths, if any are named, instead of the bundled ones."""
        return dataclasses.replace(self, rule_paths=(*self.rule_paths, *paths), no_bundled=True) if paths else self

    def load(self) -> RuleSet:
        """Compile the rules, report the errors of bad ones, and choose among the rest.

        Raises:
            CloudSigmaError: No rule is left, or a name is not known.
            click.UsageError: No rules were asked for.
        """
        rules = self._compiled()
        for problem in rules.errors:
            click.echo(printable_error(problem), err=True)
        for warning in rules.warnings:
            click.echo(printable_error(warning), err=True)
        if self.pipelines:
            _warn_of_wrapped_fields(rules)
        return self.chosen_from(rules)

    def chosen_from(self, rules: RuleSet) -> RuleSet:
        """The rules that the options choose among all; raises `click.ClickException` if none is left."""
        chosen = rules.where(
            level=self.level,
            status=self.status or None,
            tag=self.tag or None,
            id=self.rule_id or None,
            exclude=self.exclude or None,
        )
        if not len(chosen):
            why = "every rule is bad" if rules.errors and not len(rules) else "no rule fits the options"
            raise click.ClickException(f"no rule is left: {why}.")
        return chosen

    def without_choice(self) -> RuleSet:
        """All good rules, without a choice among them; nothing is reported."""
        return self._compiled()

    def _compiled(self) -> RuleSet:
        if self.compiled is not None:
            return self._read(self.compiled)
        if not (
            self.rule_paths
            or self.no_bundled
            or self.pipelines
            or self.placeholders
            or self.rule_limits
            or self.logsource
        ):
            from cloudsigma.rulesets.bundled import bundled_rules

            return bundled_rules(correlations=self.correlations)
        from cloudsigma.compiler import compile_rules, read_placeholders
        from cloudsigma.rulesets.resources import packaged_correlations

        paths = ([packaged_correlations()] if self.correlations else []) + list(self.rule_paths)
        if not paths and self.no_bundled:
            raise click.UsageError("--no-bundled leaves no rules: add --rules PATH.")
        values = read_placeholders(self.placeholders) if self.placeholders is not None else None
        return compile_rules(
            *paths,
            on_error="skip",
            bundled=not self.no_bundled,
            placeholders=values,
            pipelines=self.pipelines,
            cache=not self.no_cache,
            logsource=self.logsource,
            limits=self._limits(),
        )

    def _limits(self) -> RuleLimits:
        from cloudsigma.compiler import RuleLimits

        known = RuleLimits.__struct_fields__
        for name in self.rule_limits:
            if name not in known:
                raise click.UsageError(f"there is no rule limit {printable(name)!r}: there are {', '.join(known)}.")
        return RuleLimits(**self.rule_limits)

    def _read(self, file: Path) -> RuleSet:
        if self.rule_paths or self.no_bundled or self.correlations or self.pipelines or self.placeholders:
            raise click.UsageError("--compiled FILE holds all the rules: leave out the options that compile others.")
        from cloudsigma.rulesets.saved import load_rules

        try:
            return load_rules(file)
        except OSError as error:
            raise click.ClickException(f"{printable(str(file))} cannot be read ({error.strerror}).") from error


def _warn_of_wrapped_fields(rules: RuleSet) -> None:
    """Warn if a pipeline makes rules look inside an envelope: records are unwrapped before rules see them."""
    from cloudsigma import ir
    from cloudsigma.ir.walk import all_tests

    found: dict[str, int] = {}
    for rule in rules:
        if isinstance(rule.definition, ir.DetectionRule):
            tests = all_tests(rule.definition)
            for name in {(test.field or "").partition(".")[0] for test in tests} & _ENVELOPE_MEMBERS:
                found[name] = found.get(name, 0) + 1
    for name, count in sorted(found.items()):
        which = "1 rule looks" if count == 1 else f"{count:,} rules look"
        click.echo(
            f"warning: after the pipeline {which} below {name!r}, where envelopes hold records. Records are unwrapped "
            "before rules see them: write the pipeline for the record itself.",
            err=True,
        )


def printable_error(error: Exception) -> str:
    """An error's text for a terminal, with a caret under its place if known."""
    lines = [printable(str(error))]
    excerpt = getattr(error, "excerpt", None)
    if excerpt:
        from rich.cells import cell_len

        text, _, caret = excerpt.rpartition("\n")
        before = cell_len(printable(text[: len(caret) - 1]))  # a character may take two cells, an escape four
        lines += [f"    {printable(text)}", f"    {' ' * before}^"]
    return "\n".join(lines)
