"""`cloudsigma lsp`: the language server for editors."""

from __future__ import annotations

from importlib.util import find_spec

import click

from cloudsigma.cli import exit_codes
from cloudsigma.cli.lint import added_events
from cloudsigma.cli.option_groups import GroupedCommand, option
from cloudsigma.errors import MissingPackageError


@click.command("lsp", cls=GroupedCommand)
@option("--profile", type=click.Choice(["default", "thorough", "sigmahq"]), default="default", show_default=True,
        help="Which findings to show.")  # fmt: skip
@option("--ignore", metavar="SLUG", multiple=True, help="Leave out findings of this kind. Repeatable.")
@option(
    "--event", "events", metavar="SOURCE:NAME", multiple=True, help="An event that the catalogue lacks. Repeatable."
)
def command(profile: str, ignore: tuple[str, ...], events: tuple[str, ...]) -> int:
    """Serve an editor on standard input and output, by the Language Server Protocol.

    The editor shows the findings of cloudsigma lint while rules are written, completes names, describes them, corrects
    what can be corrected safely, and runs the cases of a rule.
    """
    if find_spec("pygls") is None:
        raise MissingPackageError("the language server needs pygls: pip install 'cloudsigma-rules[lsp]'")
    from cloudsigma.editor.server import make_server
    from cloudsigma.linting import LintOptions

    make_server(LintOptions(profile, ignore, added_events(events))).start_io()
    return exit_codes.combined(found=False, rules_left_out=False, input_lost=False)
