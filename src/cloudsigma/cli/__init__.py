"""The command line: parses, calls and prints; one file a command, imported when it is called."""

from __future__ import annotations

import difflib
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

import cloudsigma
from cloudsigma.cli import exit_codes
from cloudsigma.cli.configuration import Configuration, read_configuration
from cloudsigma.cli.stop_signals import exit_code_of, leave, release_signals
from cloudsigma.errors import CloudSigmaError, UnknownRuleError
from cloudsigma.escaping import printable, printable_lines

_COMMANDS = {
    "approvals": "Check a file of approvals, draft an entry for matches, import changes as drafts.",
    "audit": "Write the report of a period: matches, approvals, coverage, inventory, integrity.",
    "compile": "Write rules to a file that needs neither pySigma nor YAML.",
    "config": "Show the configuration file and the options that it sets.",
    "diff": "Show on which records two versions of rules differ.",
    "explain": "Show the predicate of a rule, or why it matches a record or not.",
    "fields": "Show which events CloudTrail records, and which fields they have.",
    "integrity": "Check whether log files are those that CloudTrail delivered.",
    "inventory": "Show groups, trust anchors and profiles, who changed them, and which have a purpose.",
    "link": "Add the identity behind each session to matches that were written as they were found.",
    "lint": "Find mistakes in rules: what no record can hold, what can never match.",
    "lsp": "Serve an editor: findings, completion, descriptions, fixes, cases.",
    "new": "Write a rule and its cases, from an event or from example records.",
    "notify": "Send matches to Slack, Teams, PagerDuty, mail, webhooks and AWS.",
    "redact": "Write records that can be shown to others, with pseudonyms.",
    "rules": "List rules with level, tags and log source.",
    "scan": "Find what matches in files of CloudTrail records.",
    "schema": "Write the JSON Schema of rules or case files.",
    "summary": "Count the events of a trail by day, principal, address, service or any field.",
    "techniques": "Show which ATT&CK techniques rules are for, and which calls nobody watches.",
    "test": "Run the cases beside rules.",
    "timeline": "Show events by time: around a match, or of a principal, key, address or resource.",
    "tune": "Write a filter that leaves out known false positives of a rule, and keeps its cases.",
    "who": "Show who an identity or address is, what it did, from where, and through which sessions.",
}
"""Each command with its line in `--help`, so that help imports none of them."""

_HEADINGS = {
    "Find and investigate": ("scan", "who", "timeline", "summary", "link"),
    "Review and report": ("approvals", "inventory", "audit", "integrity", "notify", "redact"),
    "Write rules": ("new", "lint", "test", "explain", "tune", "diff", "techniques", "fields", "lsp", "schema"),
    "Use rules": ("rules", "compile", "config"),
}
"""The headings of `--help`; a command that none names stands under the last."""

_FULL = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EFBIG", "EDQUOT", "EIO")
    if hasattr(errno, name)  # not all on Windows
)
"""The errors of a full disk or of a limit on the size of files."""

DEBUG_VARIABLE = "CLOUDSIGMA_DEBUG"
"""Environment variable: if it is set and not empty, an unexpected error shows its traceback, as with `--debug`."""


class _LazyGroup(click.Group):
    """Imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"cloudsigma.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            near = difflib.get_close_matches(args[0], _COMMANDS, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(_COMMANDS)}."
            ctx.fail(f"No such command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # as above
        named = {name for names in _HEADINGS.values() for name in names}
        last = list(_HEADINGS)[-1]
        for heading, names in _HEADINGS.items():
            others = [name for name in _COMMANDS if name not in named] if heading == last else []
            with formatter.section(heading):
                formatter.write_dl([(name, _COMMANDS[name]) for name in (*names, *others) if name in _COMMANDS])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(cloudsigma.__version__, prog_name="cloudsigma")
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.option("--no-config", is_flag=True, help="Read no configuration file.")
@click.pass_context
def group(context: click.Context, *, debug: bool, no_config: bool) -> None:
    """Sigma rules over AWS CloudTrail: who did what to which resource, when and where."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    context.obj = Configuration()
    if not no_config:
        with suppress(FileNotFoundError):  # the working folder is gone
            context.obj = read_configuration(Path.cwd(), lambda: commands_of(context))
        context.default_map = context.obj.defaults


def commands_of(context: click.Context) -> dict[str, click.Command]:
    """All commands but `config`, which are imported."""
    found = {name: group.get_command(context, name) for name in _COMMANDS if name != "config"}
    return {name: command for name, command in found.items() if command is not None}


def _discard_output() -> None:
    """Discard the buffer of standard output: the interpreter would fail to flush it at exit."""
    with suppress(OSError, ValueError, AttributeError):  # it is closed, or a stream in memory
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_output() -> None:
    """Escape characters that the encoding of standard output or standard error lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        return _run(args)
    finally:
        release_signals()


def run(command: click.Command = group, name: str = "cloudsigma") -> NoReturn:
    """Run the command line, or another command, as the process's entry point."""
    code = _run(None, command, name)
    if code > exit_codes.INTERRUPTED - signal.SIGINT:
        leave(code)
    sys.exit(code)


def _run(args: Sequence[str] | None, command: click.Command = group, name: str = "cloudsigma") -> int:
    _escape_output()
    try:
        code = command.main(args, prog_name=name, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(printable_lines(shown.getvalue().rstrip("\n")), err=True)  # it may repeat the user's input
        return exit_codes.USAGE if isinstance(error, click.UsageError) else exit_codes.NOT_DONE
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("interrupted", err=True)
        return exit_code_of(error)
    except (BrokenPipeError, SystemExit) as error:  # click exits by itself for a broken pipe, and after completion
        if isinstance(error, SystemExit) and not error.code:
            return exit_codes.DONE
        # The reader has gone (`| head`).
        _discard_output()
        return exit_codes.NOT_DONE
    except OSError as error:
        if error.errno not in _FULL:
            return _report_unexpected(error)
        _discard_output()
        click.echo(f"cloudsigma: the output cannot be written ({error.strerror})", err=True)
        return exit_codes.NOT_DONE
    except UnknownRuleError as error:
        click.echo(f"cloudsigma: {printable(str(error))}", err=True)
        return exit_codes.USAGE
    except CloudSigmaError as error:
        click.echo(f"cloudsigma: {printable(str(error))}", err=True)
        return exit_codes.NOT_DONE
    except Exception as error:  # noqa: BLE001  # reported as unexpected
        return _report_unexpected(error)
    return code if isinstance(code, int) else exit_codes.DONE


def _report_unexpected(error: Exception) -> int:
    """Report an unexpected error; Python's exit code 1 would mean that something was found."""
    if os.environ.get(DEBUG_VARIABLE):
        import traceback

        click.echo(printable_lines("".join(traceback.format_exception(error)).rstrip("\n")), err=True)
    kind, text = type(error).__name__, str(error)
    click.echo(f"cloudsigma: unexpected error: {kind}{': ' if text else ''}{printable(text)}", err=True)
    if isinstance(error, MemoryError):
        click.echo("There is not enough memory: use fewer --jobs, or lower limits such as --max-document.", err=True)
    else:
        command = "the same command with --debug after `cloudsigma`"
        click.echo(f"This is a bug. Please report it, with the output of {command}.", err=True)
    return exit_codes.NOT_DONE
