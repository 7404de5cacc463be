"""`cloudsigma fields`: browses the catalogue of AWS's events and the fields of records."""

from __future__ import annotations

import click

from cloudsigma.catalogue import Catalogue, Event
from cloudsigma.catalogue.record_fields import VALUES, known_paths
from cloudsigma.cli import exit_codes
from cloudsigma.cli.option_groups import GroupedCommand
from cloudsigma.cli.screen import screen
from cloudsigma.escaping import printable


@click.command("fields", cls=GroupedCommand)
@click.argument("source", required=False)
@click.argument("event", required=False)
def command(source: str | None, event: str | None) -> int:
    """Show which events CloudTrail records and which fields they have.

    Without arguments: the fields of every record. With SOURCE (iam or iam.amazonaws.com): its events. With SOURCE and
    EVENT: the members of its request and response.
    """
    catalogue = Catalogue.load()
    if source is None:
        for path in sorted(known_paths()):
            values = f"  {', '.join(sorted(VALUES[path]))}" if path in VALUES else ""
            click.echo(f"{path}{values}")
        screen().tell(f"{len(catalogue.sources):,} event sources (catalogue of {catalogue.made})")
    elif not catalogue.has_source(source):
        near = catalogue.nearest_source(source)
        raise click.UsageError(
            f"there is no source {printable(source)!r}." + (f" Did you mean {near}?" if near else "")
        )
    elif event is None:
        for each in catalogue.events(source).values():
            click.echo(f"{each.name:50} {_kind(each)}".rstrip())
    else:
        found = catalogue.event(source, event)
        if found is None:
            close = catalogue.nearest_event(event, source)
            hint = f" Did you mean {close.name}?" if close else ""
            raise click.UsageError(f"{printable(source)} has no event {printable(event)!r}.{hint}")
        click.echo(f"{found.source} {found.name}: {_kind(found)}".rstrip(": "))
        members = catalogue.members(source, event)
        if members is None:
            click.echo("its members are not in the catalogue")
        else:
            for part, names in (("requestParameters", members.request), ("responseElements", members.response)):
                if part == "responseElements" and found.read_only:
                    continue
                for name in names:
                    click.echo(f"{part}.{name}")
    return exit_codes.combined(found=False, rules_left_out=False, input_lost=False)


def _kind(event: Event) -> str:
    marks = ["reads" if event.read_only else "writes"]
    if event.origin != "model":
        marks.append({"action": "from IAM's actions", "documented": "no API call"}.get(event.origin, event.origin))
    if event.alias:
        marks.append("another name of a call")
    if event.undated:
        marks.append("recorded with a date behind the name")
    if event.retired:
        marks.append("retired")
    return ", ".join(marks)
