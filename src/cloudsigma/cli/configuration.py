"""Options from `.cloudsigma.toml`, or `[tool.cloudsigma]` in `pyproject.toml`, in this folder or one above it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from cloudsigma.escaping import printable

OWN_FILE = ".cloudsigma.toml"
PYPROJECT = "pyproject.toml"
_MEANT_BY_NAME = frozenset({"pipeline", "baseline"})
"""Options whose value may be a path; it is one where that file exists."""
_NOT_SET = frozenset({"help"})

Commands = Callable[[], Mapping[str, click.Command]]
"""Returns all commands by name; they are imported only if a file was found."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The options that a file sets."""

    file: Path | None = None
    """The file; `None` if not found."""
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Command → option, without `--` → value; paths are absolute."""
    defaults: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The same by parameter, as click's `default_map`; of a command with parts, by part and parameter."""
    parts: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """Command → part (`approvals check`) → its parameters; an option is set for each part that has it."""


def read_configuration(folder: Path, commands: Commands) -> Configuration:
    """The nearest configuration, looked for from a folder upwards.

    Raises:
        click.UsageError: The file cannot be read, or sets what no option is or takes.
    """
    for above in (folder, *folder.parents):
        for name in (OWN_FILE, PYPROJECT):
            file = above / name
            if (table := _table(file)) is not None:
                return _checked(file, table, commands())
    return Configuration()


def _table(file: Path) -> dict[str, Any] | None:
    """The table of a file; `None` if the file is not there, or is of a project that sets nothing."""
    try:
        if not file.is_file():
            return None
        text = file.read_text(encoding="utf-8")
        if file.name == PYPROJECT and "cloudsigma" not in text:
            return None
        import tomllib

        document = tomllib.loads(text)
    except OSError as error:
        raise click.UsageError(f"{_shown(file)} cannot be read ({error.strerror or error}).") from error
    except ValueError as error:  # of TOML, and of UTF-8
        raise click.UsageError(f"{_shown(file)} is not TOML: {printable(str(error))}") from error
    if file.name == OWN_FILE:
        return document
    tools = document.get("tool")
    table = tools.get("cloudsigma") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise click.UsageError(f"{_shown(file)}: tool.cloudsigma is not a table.")
    return table


def _checked(file: Path, table: dict[str, Any], commands: Mapping[str, click.Command]) -> Configuration:
    options = {name: dict(_options(command)) for name, command in commands.items()}
    known = {name for of_command in options.values() for name in of_command}
    made = Configuration(file, {name: {} for name in options}, {name: {} for name in options})
    made = replace(made, parts={name: _parts(command) for name, command in commands.items()})
    sections = {name: value for name, value in table.items() if isinstance(value, dict)}
    for name, value in table.items():
        if name in sections:
            continue
        if name not in known:
            raise _unknown(file, name, "option", {*known, *options})
        for command, of_command in options.items():
            if name in of_command:
                _set(made, command, name, of_command[name], value)
    for command, section in sections.items():
        if command not in options:
            raise _unknown(file, command, "command", options)
        for name, value in section.items():
            if name not in options[command]:
                raise _unknown(file, name, f"option of {command}", options[command])
            _set(made, command, name, options[command][name], value)
    return made


def _parts(command: click.Command) -> dict[str, set[str]]:
    if not isinstance(command, click.Group):
        return {}
    return {name: {each.name or "" for each in part.params} for name, part in command.commands.items()}


def _options(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    parts = command.commands.values() if isinstance(command, click.Group) else ()
    for parameter in [*command.params, *(each for part in parts for each in part.params)]:
        if isinstance(parameter, click.Option):
            name = max(parameter.opts, key=len).removeprefix("--")
            if name not in _NOT_SET:
                yield name, parameter


def _set(made: Configuration, command: str, name: str, option: click.Option, given: Any) -> None:
    assert made.file is not None  # noqa: S101  # made with a file
    value = _value(made.file, name, option, given)
    made.values[command][name] = value
    parameter = option.name or name
    if not made.parts[command]:
        made.defaults[command][parameter] = value
    for part, parameters in made.parts[command].items():
        if parameter in parameters:
            made.defaults[command].setdefault(part, {})[parameter] = value


def _value(file: Path, name: str, option: click.Option, given: Any) -> Any:
    if option.is_flag:
        if not isinstance(given, bool):
            raise click.UsageError(f"{_shown(file)}: {printable(name)} is true or false.")
        return given
    several = given if isinstance(given, list) else [given]
    if any(isinstance(each, bool) or not isinstance(each, (str, int, float)) for each in several):
        raise click.UsageError(f"{_shown(file)}: {printable(name)} is a text or a number, without a table or a date.")
    if isinstance(given, list) and not option.multiple:
        raise click.UsageError(f"{_shown(file)}: {printable(name)} is one value, not a list.")
    values = [_resolved(file, name, option, str(each)) for each in several]
    return values if option.multiple else values[0]


def _resolved(file: Path, name: str, option: click.Option, value: str) -> str:
    """A path as it is from the working folder; other values as they are."""
    by_name = name in _MEANT_BY_NAME
    is_path = isinstance(option.type, click.Path) or option.metavar in {"FILE", "PATH"} or by_name
    if not is_path or value == "-" or "://" in value:
        return value
    path = file.parent / value
    return value if by_name and not path.exists() else str(path)


def _unknown(file: Path, name: str, kind: str, known: Any) -> click.UsageError:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}."
    return click.UsageError(f"{_shown(file)}: there is no {kind} {printable(name)!r}; {hint}")


def _shown(file: Path) -> str:
    return printable(str(file))
