"""A configuration file → the settings, or every mistake in it with its line and remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from cloudsigma.arguments import check_path, compiling
from cloudsigma.compiler.files import read_file
from cloudsigma.compiler.listed_file import ListedFile
from cloudsigma.compiler.remedies import nearest, quoted
from cloudsigma.compiler.yaml_map import YamlMap
from cloudsigma.errors import Mistake, NotifyError, RuleError, UsageError
from cloudsigma.notifying.channel import Channel, ChannelKind, Secret, Settings
from cloudsigma.notifying.post import check_address
from cloudsigma.rulesets.levels import LEVELS

_TOP = ("outbox", "dead", "pause", "most", "attempts", "heartbeat")
_OWN = ("name", "kind", "level", "approved")
_SECRETS: Mapping[str, tuple[str, ...]] = {
    "webhook": ("url", "secret"), "slack": ("url",), "teams": ("url",), "pagerduty": ("key",),
    "smtp": ("user", "password"),
}  # fmt: skip
"""Kind → roles of its secrets: written `ROLE_env` or `ROLE_file`."""
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "webhook": ("url",), "pagerduty": ("endpoint",), "smtp": ("host", "port", "tls", "from", "to"),
    "sns": ("topic", "region"), "eventbridge": ("bus", "region"), "ses": ("from", "to", "region"),
    "securityhub": ("region",),
}  # fmt: skip
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "webhook": ("url",), "slack": ("url",), "teams": ("url",), "pagerduty": ("key",), "smtp": ("host", "from", "to"),
    "sns": ("topic",), "ses": ("from", "to"),
}  # fmt: skip
_DURATION = re.compile(r"(\d{1,4})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def read_settings(path: str | os.PathLike[str]) -> Settings:
    """The settings of a file; raises `NotifyError` with every mistake."""
    check_path("path", path)
    with compiling("reading a configuration of notifications"):
        data = read_file(path)
        if isinstance(data, RuleError):
            raise NotifyError([Mistake(data.reason, data.location, data.remedy or "Check the path.", None, "notify")])
        return parse_settings(data, os.fspath(path))


def parse_settings(data: bytes | str, path: str) -> Settings:
    """The settings of a text; files are named beside `path`."""
    listed = ListedFile(data, path, "channels", "notify")
    top = listed.top(*_TOP)
    channels: list[Channel] = []
    if top is not None:
        for _, entry in listed.entries("name"):
            channel = _Channel(entry).read()
            if channel.name in {each.name for each in channels}:
                entry.tell("name", f"the name {quoted(channel.name)} is used twice", "Give each channel its own name.")
            channels.append(channel)
        if not channels and not listed.mistakes:
            top.tell("channels", "there is no channel", "Add one: name, kind and its address.")
        beside = Path(path)
        settings = Settings(
            tuple(channels),
            str(beside.with_name(top.text("outbox") or f"{beside.stem}.outbox.db")),
            str(beside.with_name(top.text("dead") or f"{beside.stem}.dead.jsonl")),
            _duration(top, "pause", 900.0),
            top.number("most") or 50,
            top.number("attempts") or 5,
            _duration(top, "heartbeat", 0.0),
        )
        if not listed.mistakes:
            return settings
    raise NotifyError(listed.sorted_mistakes)


def _duration(entry: YamlMap, key: str, default: float) -> float:
    scalar = entry.scalar(key)
    if scalar is None:
        return default
    found = _DURATION.fullmatch(scalar.text)
    if found is None:
        entry.tell_at(scalar, f"{key} is {quoted(scalar.text)}", "Write a time such as 15m, 90s, 24h.")
        return default
    return float(int(found[1]) * _SECONDS[found[2]])


class _Channel:
    """Reads one channel."""

    def __init__(self, entry: YamlMap) -> None:
        self._entry = entry

    def read(self) -> Channel:
        """The channel; of one with mistakes, the values that could be read."""
        entry, kind = self._entry, self._kind()
        if kind is None:
            return Channel("", "webhook")
        roles, options = _SECRETS.get(kind, ()), _OPTIONS.get(kind, ())
        references = [f"{role}{way}" for role in roles for way in ("_env", "_file")]
        self._refuse_literals(roles, options)
        entry.check_keys((*_OWN, *references, *options, *(role for role in roles if role not in options)))
        found = Channel(
            self._name(), kind, self._level(), entry.flag("approved"), self._secrets(roles), self._options(options)
        )
        for key in _NEEDED.get(kind, ()):
            if key not in found.secrets and key not in found.options and not entry.has(key):
                wanted = f"{key}_env: VARIABLE, or {key}_file: FILE" if key in roles else f"{key}: and its value"
                entry.tell("name", f"a channel of kind {kind} needs {key}", f"Write {wanted}.")
        if "password" in found.secrets and found.options.get("tls") == "none":
            entry.tell("tls", "a password would go over an open connection", "Leave tls out, or write tls: tls.")
        return found

    def _name(self) -> str:
        scalar = self._entry.scalar("name")
        if scalar is None:
            if not self._entry.has("name"):
                self._entry.tell("name", "the channel has no name", "Write name: and a word: messages about it use it.")
            return ""
        if not _NAME.fullmatch(scalar.text):
            self._entry.tell_at(
                scalar, f"the name is {quoted(scalar.text)}", "Use letters, digits, - and _, 64 at most."
            )
        return scalar.text

    def _kind(self) -> ChannelKind | None:
        kinds = get_args(ChannelKind)
        found = self._entry.text("kind")
        if found not in kinds:
            self._entry.tell("kind", f"there is no kind {quoted(found or '')}", nearest(found or "", kinds))
            return None
        return cast("ChannelKind", found)

    def _level(self) -> str:
        found = self._entry.text("level")
        if found is not None and found not in LEVELS:
            self._entry.tell("level", f"there is no level {quoted(found)}", nearest(found, LEVELS))
        return found or ""

    def _refuse_literals(self, roles: tuple[str, ...], options: tuple[str, ...]) -> None:
        for role in roles:
            if role not in options and self._entry.has(role):
                remedy = f"Write {role}_env: VARIABLE or {role}_file: FILE, and take the secret out of this file."
                self._entry.tell(role, f"{role} is a secret, and this file is no place for one", remedy)

    def _secrets(self, roles: tuple[str, ...]) -> dict[str, Secret]:
        found = {}
        for role in roles:
            variable, file = self._entry.text(f"{role}_env"), self._entry.text(f"{role}_file")
            if variable is not None and file is not None:
                self._entry.tell(f"{role}_file", f"{role}_env and {role}_file are both there", "Keep one of them.")
            if variable is not None or file is not None:
                found[role] = Secret(variable or "", file or "")
        return found

    def _options(self, names: tuple[str, ...]) -> dict[str, Any]:
        entry = self._entry
        found: dict[str, Any] = {}
        for name in names:
            if not entry.has(name):
                continue
            if name == "to":
                found[name] = tuple(each.text for each in entry.scalars(name) if self._is_address(each.text, name))
            elif name == "port":
                found[name] = entry.number(name)
            elif (text := entry.text(name)) is not None:
                found[name] = text
                self._check(name, text)
        return found

    def _is_address(self, text: str, key: str) -> bool:
        if _ADDRESS.fullmatch(text):
            return True
        self._entry.tell(key, f"{quoted(text)} is no mail address", "Write name@example.org.")
        return False

    def _check(self, name: str, text: str) -> None:
        if name == "from":
            self._is_address(text, name)
        if name == "tls" and text not in ("starttls", "tls", "none"):
            self._entry.tell(name, f"tls is {quoted(text)}", "Write starttls, tls or none.")
        if name in ("url", "endpoint"):
            try:
                check_address(text)
            except UsageError as error:
                self._entry.tell(name, str(error), "Write the address that the receiver has given you.")
