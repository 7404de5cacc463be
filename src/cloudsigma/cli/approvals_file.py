"""The approvals file of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudsigma.cli.rule_options import Choice
from cloudsigma.errors import ApprovalError
from cloudsigma.escaping import printable
from cloudsigma.rulesets.bundled import bundled_rules

if TYPE_CHECKING:
    from cloudsigma.approvals import Approvals


def load_approvals(file: Path, choice: Choice) -> Approvals:
    """Read a file of approvals, and report its mistakes.

    Args:
        file: The file.
        choice: The rules of the command. Approvals may name these without the choice among them, and every bundled
            rule: `--rule-id` or a missing `--correlations` does not make the file wrong.

    Raises:
        click.ClickException: The file cannot be used.
    """
    try:
        return read_approvals(file, choice)
    except ApprovalError as error:
        for mistake in error.mistakes:
            click.echo(printable(str(mistake)), err=True)
        raise click.ClickException(
            f"{printable(str(file))} cannot be used, and a scan that ignored it would show approved changes as others."
        ) from error


def read_approvals(file: Path, choice: Choice) -> Approvals:
    """Read a file of approvals for the rules of a command; raises `ApprovalError` with its mistakes."""
    from cloudsigma.approvals import Approvals

    return Approvals.load(file, [*choice.without_choice(), *bundled_rules(correlations=True)])
