"""A draft of a rule, its text, and its files: the rule and cases that it passes."""

from __future__ import annotations

import datetime as dt
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudsigma.catalogue import Catalogue
from cloudsigma.compiler import compile_rules
from cloudsigma.errors import UsageError
from cloudsigma.testing.cases.yaml_text import flow
from cloudsigma.testing.mutation.suggestion import write_suggestion

Value = str | int | bool | None
LEVELS = ("informational", "low", "medium", "high", "critical")
_SUFFIX = ".amazonaws.com"
_TECHNIQUE = re.compile(r"attack\.[a-z0-9][a-z0-9.-]*")
_SHOWN = 3
"""Names that a title lists."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new rule tests."""

    sources: tuple[str, ...]
    """Values of `eventSource`."""
    names: tuple[str, ...]
    """Values of `eventName`."""
    fields: Mapping[str, Value] = field(default_factory=dict)
    """Other fields with the value that they must have; `None` if they must have none."""
    dated: bool = False
    """Whether records have the name with a date behind it, as those of Lambda do."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Attributes of a new rule; those that are empty are made from the draft."""

    title: str = ""
    author: str = "unknown"
    level: str = "medium"
    tags: tuple[str, ...] = ()
    """ATT&CK tags, such as `attack.persistence` and `attack.t1098`."""
    date: dt.date = field(default_factory=lambda: dt.datetime.now(dt.UTC).date())


def draft_of_event(event: str, catalogue: Catalogue | None = None) -> Draft:
    """The draft of a rule about one event, `iam:CreateUser`; of a call that changes something, about its success.

    Raises:
        UsageError: It has another form, or the catalogue does not know it; the message names the nearest.
    """
    known = catalogue or Catalogue.load()
    source, colon, name = event.partition(":")
    if not (source and colon and name):
        raise UsageError(f"{event!r} is no event. Write SOURCE:NAME, such as iam:CreateUser")
    if not known.has_source(source):
        near = known.nearest_source(source)
        hint = f"Did you mean {near.removesuffix(_SUFFIX)!r}?" if near else "`cloudsigma fields SOURCE` lists events"
        raise UsageError(f"there is no event source {source!r} (catalogue of {known.made}). {hint}")
    found = known.event(source, name)
    if found is None:
        if elsewhere := known.sources_of(name):
            hint = f"It is an event of {' and '.join(each.removesuffix(_SUFFIX) for each in elsewhere[:_SHOWN])}"
        elif (close := known.nearest_event(name, source)) is not None:
            hint = f"Did you mean {close.name!r}?"
        else:
            hint = f"`cloudsigma fields {source.lower().removesuffix(_SUFFIX)}` lists its events"
        raise UsageError(f"{source} has no event {name!r} (catalogue of {known.made}). {hint}")
    outcome: dict[str, Value] = {} if found.read_only or found.origin == "documented" else {"errorCode": None}
    return Draft((found.source,), (found.name,), outcome, dated=found.undated)


def rule_text(draft: Draft, metadata: Metadata) -> str:
    """The YAML text of a new rule with an ID of its own.

    Raises:
        UsageError: The level or a tag is none of Sigma's.
    """
    if metadata.level not in LEVELS:
        raise UsageError(f"there is no level {metadata.level!r}. There are: {', '.join(LEVELS)}")
    for tag in metadata.tags:
        if not _TECHNIQUE.fullmatch(tag):
            raise UsageError(f"{tag!r} is no ATT&CK tag. Write attack.persistence or attack.t1098.001")
    called = ", ".join(draft.names[:_SHOWN]) + (" and others" if len(draft.names) > _SHOWN else "")
    title = " ".join(metadata.title.split()) or _title(draft)
    lines = [
        f"title: {flow(title)}",
        f"id: {uuid.uuid4()}",
        "status: experimental",
        f"description: {flow(f'Detects {called} of {_services(draft)}.')}",
        f"author: {flow(metadata.author)}",
        f"date: {metadata.date.isoformat()}",
    ]
    if metadata.tags:
        lines += ["tags:", *(f"    - {tag}" for tag in metadata.tags)]
    lines += ["logsource:", "    product: aws", "    service: cloudtrail", "detection:", "    selection:"]
    lines += _test("eventSource", draft.sources)
    lines += _test("eventName|startswith" if draft.dated else "eventName", draft.names)
    for name, value in draft.fields.items():
        lines += _test(name, (value,))
    lines += ["    condition: selection", "falsepositives:", "    - Administrators who do it on purpose"]
    return "\n".join([*lines, f"level: {metadata.level}"]) + "\n"


def file_name(draft: Draft) -> str:
    """The name of a rule's file in SigmaHQ's form: `aws_cloudtrail_iam_create_user.yml`."""
    service = draft.sources[0].partition(".")[0].replace("-", "_")
    return re.sub(r"\W+", "_", f"aws_cloudtrail_{service}_{'_'.join(_words(draft.names[0]))}".lower()) + ".yml"


def write_new(draft: Draft, path: Path, metadata: Metadata | None = None) -> tuple[Path, Path]:
    """Write a rule, and beside it the cases that it passes.

    Returns:
        The rule's file and the case file.

    Raises:
        UsageError: One of them exists, or the metadata have a mistake; then nothing is written.
        NothingToSuggestError: No record was found that the rule matches; then no cases are written.
        OSError: A file cannot be written.
    """
    text = rule_text(draft, metadata or Metadata())
    for each in (path, path.with_suffix(".cases.yml")):
        if os.path.lexists(each):
            raise UsageError(f"{each} exists, so nothing was written. Move it away, or choose another name with -o")
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    rules = compile_rules(path)
    cases, _ = write_suggestion(rules.rules[0], rules)  # the remarks are comments in the file, too
    return path, cases


def _test(name: str, values: tuple[Value, ...]) -> list[str]:
    if len(values) == 1:
        return [f"        {name}: {yaml_value(values[0])}"]
    return [f"        {name}:", *(f"            - {yaml_value(value)}" for value in values)]


def yaml_value(value: Value) -> str:
    """The value in YAML, with Sigma's wildcards as plain characters."""
    return flow(re.sub(r"([*?\\])", r"\\\1", value) if isinstance(value, str) else value)


def _title(draft: Draft) -> str:
    more = f" And {len(draft.names) - 1} More" if len(draft.names) > 1 else ""
    title = f"AWS {_services(draft)} {' '.join(_words(draft.names[0]))}{more}"
    return title if len(title) <= 110 else title[:110].rstrip()  # SigmaHQ's limit


def _services(draft: Draft) -> str:
    services = [source.partition(".")[0] for source in draft.sources]
    return " And ".join(name.upper() if len(name) <= 3 else name.capitalize() for name in services)


def _words(name: str) -> list[str]:
    """`Create`, `DB`, `Cluster` of `CreateDBCluster`."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|\d+", name) or [name]
