"""Read the templates of records, and fill in their placeholders, `${name}`.

The files are in `templates/`; `templates/README.md` describes them.
"""

from __future__ import annotations

import base64
import datetime as dt
import difflib
import hashlib
import re
import urllib.parse
import uuid
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from cloudsigma.compiler.document import read_documents
from cloudsigma.errors import RuleError, UsageError

SERVICES = ("cloudtrail", "ec2", "iam", "kms", "organizations", "rolesanywhere", "s3", "signin", "sts")
"""The services with templates, one file each."""

_PLACEHOLDER = re.compile(r"\$\{([\w.-]+)\}")


@cache
def read_data(name: str) -> dict[str, Any]:
    """The content of one template file; it is shared and must not be modified."""
    [document] = read_documents(
        files("cloudsigma.testing.records").joinpath("templates", f"{name}.yml").read_bytes(), name
    )
    if isinstance(document, RuleError):
        raise document
    content: dict[str, Any] = document.value
    return content


def calls() -> tuple[str, ...]:
    """The API calls with templates, as `service:Call`, sorted."""
    return tuple(sorted(f"{service}:{call}" for service in SERVICES for call in read_data(service)["calls"]))


def read_call(call: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The data of a service, and of one call with the service's defaults; raises `UsageError`."""
    service, _, name = call.partition(":")
    data = read_data(service) if service in SERVICES else {"calls": {}}
    if name not in data["calls"]:
        raise unknown("template for the call", call, calls())
    return data, {**data.get("defaults", {}), **(data["calls"][name] or {})}


def unknown(what: str, name: Any, known: Iterable[str]) -> UsageError:
    """An error about an unknown name, with the nearest known one."""
    return UsageError(f"there is no {what} {name!r}. {nearest(str(name), known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the nearest known names, and a list of all names if it is short."""
    known = list(known)
    folded = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), folded, n=2, cutoff=0.5)
    hint = [f"Did you mean {' or '.join(repr(folded[each]) for each in near)}?"] if near else []
    listed = [f"There are: {', '.join(known)}."] if len(known) <= 12 or not near else []
    return " ".join([*hint, *listed])


# --- filling in ---------------------------------------------------------------------------------------------


class PlaceholderValues:
    """The values of the placeholders of one record."""

    def __init__(self, seed: str, time: dt.datetime, plain: Mapping[str, Any]) -> None:
        self._seed = seed
        self.plain: dict[str, Any] = {
            "time": f"{time:%Y-%m-%dT%H:%M:%SZ}",
            "earlier": f"{time - dt.timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
            "precise": f"{time:%Y-%m-%dT%H:%M:%S}.{self._digest('precise')[0] * 3906:06}Z",
            "date": _date(time, ""),
            "comma_date": _date(time, ","),
            "expiration": _date(time + dt.timedelta(hours=1), ","),
            "millis": int(time.timestamp()) * 1000,
            **plain,
        }
        self.request: Mapping[str, Any] = {}

    def fill(self, value: Any) -> Any:
        """A copy of the value with its placeholders filled in."""
        if isinstance(value, dict):
            return {key: self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        if whole := _PLACEHOLDER.fullmatch(value):
            return self._value(whole[1])
        return _PLACEHOLDER.sub(lambda found: str(self._value(found[1])), value)

    def _value(self, name: str) -> Any:
        if name in self.plain:
            return self.plain[name]
        kind, _, label = name.partition(".")
        match kind:
            case "request":
                return self.request[label]
            case "encoded":
                return urllib.parse.quote(str(self.request[label]), safe="")
            case "name":
                return str(self.request[label]).rpartition("/")[2]
            case "uuid":
                return str(uuid.UUID(bytes=self._digest(label)[:16], version=4))
            case "hex":
                return "0" + self._digest(label).hex()[:16]
            case "unique":
                return f"{label}{base64.b32encode(self._digest(label)).decode()[:10]}EXAMPLE"
        raise KeyError(name)

    def _digest(self, label: str) -> bytes:
        return hashlib.sha256(f"{self._seed}/{label}".encode()).digest()


def _date(time: dt.datetime, comma: str) -> str:
    """`Nov 20, 2026 10:15:30 AM`, as Java writes it; independent of the locale."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    half = "AM" if time.hour < 12 else "PM"
    return f"{months[time.month - 1]} {time.day}, {time.year}{comma} {time.hour % 12 or 12}:{time:%M:%S} {half}"
