"""What was found, and whether two have found the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

Found = frozenset[tuple[str, str]]
"""Rule ID and event ID; the rule ID is empty where a contender only answers which events."""


class _Event(msgspec.Struct):
    eventID: str = ""  # noqa: N815  # CloudTrail's own name


class _Context(msgspec.Struct):
    event_id: str = ""


class _Row(msgspec.Struct):
    """A line of any contender's output."""

    rule_id: str = ""
    event_id: str = ""
    context: _Context | None = None
    event: _Event | None = None

    def pair(self) -> tuple[str, str]:
        if self.context is not None:
            return self.rule_id, self.context.event_id
        return self.rule_id, self.event.eventID if self.event is not None else self.event_id


Reader = Callable[[Path], Found]


def json_lines(path: Path) -> Found:
    """The matches in JSON lines: this project's, rsigma's, or a peer program's."""
    decode = msgspec.json.Decoder(_Row).decode
    with path.open("rb") as file:
        return frozenset(decode(line).pair() for line in file if line.strip())


def id_lines(path: Path) -> Found:
    """The matches of `cloudsigma scan --format ids`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset((rule, event) for rule, _, event in (line.partition("\t") for line in lines))


def events(found: Found) -> Found:
    """Which events, whatever the rule."""
    return frozenset(("", event) for _, event in found)


def of_rules(found: Found, rule_ids: Iterable[str]) -> Found:
    """The matches of some of the rules."""
    wanted = frozenset(rule_ids)
    return frozenset(pair for pair in found if pair[0] in wanted)


def planted(manifest: Path, rule_ids: dict[str, str]) -> Found:
    """What a corpus says must be found; `rule_ids` by the names that it has for the bundled rules."""
    content = json.loads(manifest.read_bytes())
    return frozenset((rule_ids[entry["rule"]], entry["eventID"]) for entry in content["attacks"])


def planted_names(manifest: Path, names: Iterable[str]) -> Found:
    """The planted events of these names, whether a rule must find them or not."""
    content, wanted = json.loads(manifest.read_bytes()), frozenset(names)
    entries = [*content["attacks"], *content["decoys"]]
    return frozenset(("", entry["eventID"]) for entry in entries if entry["eventName"] in wanted)


def agreement(found: Found, expected: Found) -> str:
    """`same`, or how the two differ, with the rules that differ most."""
    if found == expected:
        return "same"
    missing, more = expected - found, found - expected
    rules = Counter(rule for rule, _ in missing | more)
    named = ", ".join(f"{rule[:8] or 'events'}: {count:,}" for rule, count in rules.most_common(3))
    return f"differs: {len(missing):,} missing, {len(more):,} more, in {len(rules)} rules ({named})"
