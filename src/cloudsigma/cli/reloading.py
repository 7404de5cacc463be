"""Loads the rules, approvals and configuration of a running scan again, when their files change and on SIGUSR1."""

from __future__ import annotations

import signal
import stat
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cloudsigma.cli.approvals_file import read_approvals
from cloudsigma.cli.configuration import OWN_FILE, PYPROJECT, Configuration, read_configuration
from cloudsigma.cli.rule_options import Choice, printable_error
from cloudsigma.cli.screen import Screen, screen
from cloudsigma.errors import CloudSigmaError, RuleError, UsageError
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.approving import check_stream
from cloudsigma.scanning.reload import LoadedRules, Reload, Reloader

_Key = tuple[str | None, str, str | None]


class RuleFiles:
    """The files from which a command's rules, approvals and configuration come.

    Args:
        choice: The rules that the command line selects.
        approvals: The file of approvals.
        linked: Whether the sessions of matches are linked, which approvals may need.
    """

    def __init__(self, choice: Choice, approvals: Path | None, *, linked: bool = False) -> None:
        self._choice = choice
        self._approvals = approvals
        self._linked = linked
        self._context = click.get_current_context()
        self._folder = Path.cwd()
        self._configuration: Configuration = self._context.obj
        self._reads_configuration = not self._context.find_root().params.get("no_config")
        self._known: frozenset[_Key] = frozenset()

    def state(self) -> Hashable:
        """Names, sizes and times of the files."""
        return tuple(_state_of(path) for path in self._paths())

    def _paths(self) -> Iterator[str]:
        if self._reads_configuration:
            for folder in (self._folder, *self._folder.parents):
                yield from (str(folder / name) for name in (OWN_FILE, PYPROJECT))
        single = [self._choice.placeholders, self._choice.compiled, self._approvals]
        yield from (str(path) for path in [*single, *map(Path, self._choice.pipelines)] if path is not None)
        if self._choice.rule_paths:
            from cloudsigma.compiler.files import rule_files

            for top in self._choice.rule_paths:
                yield from map(str, rule_files(top))

    def note_errors(self, rules: RuleSet) -> None:
        """Note the errors of the rules in use: a set with others than these is refused."""
        self._known = frozenset(map(_key, rules.errors))

    def load(self) -> LoadedRules:
        """Load the files, by the options of the present configuration.

        Raises:
            CloudSigmaError: The rules, the approvals or the configuration cannot be used, or a rule has a mistake that
                no rule in use has.
        """
        try:
            return self._load()
        except click.ClickException as error:
            raise CloudSigmaError(error.format_message()) from error

    def _load(self) -> LoadedRules:
        configuration, notes = self._configuration, []
        if self._reads_configuration:
            configuration = read_configuration(self._folder, lambda: _commands_of(self._context))
            notes += self._need_restart(configuration)
        choice, approvals = self._options(configuration)
        compiled = choice.without_choice()
        if broken := [error for error in compiled.errors if _key(error) not in self._known]:
            more = f"\nand {len(broken) - 1} more" if len(broken) > 1 else ""
            raise CloudSigmaError(printable_error(broken[0]) + more)
        rules = choice.chosen_from(compiled)
        approver = read_approvals(approvals, choice) if approvals is not None else None
        try:
            check_stream(approver, linked=self._linked)
        except UsageError as error:
            raise CloudSigmaError(str(error)) from error
        notes += map(printable_error, compiled.warnings)
        self._choice, self._approvals, self._configuration = choice, approvals, configuration
        self.note_errors(compiled)
        return LoadedRules(rules, approver, tuple(notes))

    def _options(self, configuration: Configuration) -> tuple[Choice, Path | None]:
        """The options for rules and approvals: those of the command line, else those of a configuration."""
        command, name = self._context.command, self._context.info_name or ""
        given = configuration.defaults.get(name, {})
        fresh = command.make_context(name, ["--", *self._context.params["paths"]], default_map=given)
        values: dict[str, Any] = {}
        for option in _RELOADED:
            typed = self._context.get_parameter_source(option) in {
                ParameterSource.COMMANDLINE,
                ParameterSource.ENVIRONMENT,
            }
            values[option] = (self._context if typed else fresh).params[option]
        approvals = values.pop("approvals")
        return Choice(**values), approvals

    def _need_restart(self, configuration: Configuration) -> list[str]:
        """A line that names the options that have changed and are read at the start only."""
        name = self._context.info_name or ""
        then, now = self._configuration.defaults.get(name, {}), configuration.defaults.get(name, {})
        changed = sorted(
            each for each in {*then, *now} if each not in _RELOADED and then.get(each) != now.get(each)
        )  # fmt: skip
        if not changed:
            return []
        file = configuration.file or self._configuration.file
        return [f"{file}: restart the scan to use the changed options: {', '.join(changed)}"]


_RELOADED = frozenset({*Choice.__dataclass_fields__, "approvals"})
"""Options that a reload applies."""


def _commands_of(context: click.Context) -> dict[str, click.Command]:
    from cloudsigma.cli import commands_of  # the package imports this module's users

    return commands_of(context.find_root())


def _key(error: RuleError) -> _Key:
    return error.path, error.reason, error.rule


def _state_of(path: str) -> tuple[str, int, int, int] | str:
    try:
        found = Path(path).stat()
    except OSError:
        return path
    if not stat.S_ISREG(found.st_mode):  # such as the pipe of a shell, which can be read only once
        return path
    return path, found.st_size, found.st_mtime_ns, found.st_ino


@contextmanager
def reloading(files: RuleFiles, state: Hashable) -> Iterator[Reloader]:
    """A reloader that watches the files, and loads them on SIGUSR1, too, where the platform has it.

    Args:
        files: The files.
        state: Their state when the rules in use were loaded.
    """
    reloader = Reloader(files.state, files.load, state)
    reloader.start()
    number = getattr(signal, "SIGUSR1", None)
    before: Any = None
    if number is not None and threading.current_thread() is threading.main_thread():
        before = signal.signal(number, lambda *_: reloader.request())
    try:
        yield reloader
    finally:
        reloader.close()
        if number is not None and before is not None:
            signal.signal(number, signal.SIG_IGN)  # the default ends the process, and it is about to end well


class ReloadReport:
    """Tells the operator about reloads."""

    def __init__(self, rules: RuleSet) -> None:
        """`rules`: those in use."""
        self._identities = {rule.id: rule.identity for rule in rules}
        self._screen: Screen = screen()

    def tell(self, reload: Reload) -> None:
        """Write a line about an attempt."""
        if reload.loaded is None:
            self._screen.tell(f"NOT RELOADED, the rules in use stay: {reload.reason}", problem=True)
            return
        for note in reload.loaded.notes:
            self._screen.tell(note, problem=True)
        then, now = self._identities, {rule.id: rule.identity for rule in reload.loaded.rules}
        counts = {
            "new": len(now.keys() - then.keys()),
            "changed": sum(then.get(rule_id, digest) != digest for rule_id, digest in now.items()),
            "gone": len(then.keys() - now.keys()),
        }
        told = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count) or "none changed"
        self._identities = now
        self._screen.tell(f"rules reloaded: {len(now):,} ({told})")
