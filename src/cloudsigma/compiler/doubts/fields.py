"""Doubts about a field name: syntax of other languages that Sigma reads as a part of the name."""

from __future__ import annotations

import re
from functools import lru_cache

from sigma.modifiers import modifier_mapping

from cloudsigma.compiler.doubts.texts import invisible_in
from cloudsigma.compiler.remedies import quoted, shortened

_MODIFIERS = "|".join(sorted((name for name in modifier_mapping if len(name) > 1), key=len, reverse=True))
_MODIFIER_BEHIND = re.compile(rf"(.+?)[.:/ ]+({_MODIFIERS})", re.DOTALL)
_NEGATED = re.compile(r"(?:not\s+|!\s*)(.+)|(.+?)\s*!", re.IGNORECASE | re.DOTALL)
_ARRAY_MARK = re.compile(r"\{\}|\[[0-9*@#-]*\]|(?<=\.)[0-9]+(?=\.|$)|(?<=\.)[*#](?=\.|$)")
_PARTS_OF_AN_EVENT = re.compile(r"(?:Records(?:\[[0-9*]*\])?|detail|CloudTrailEvent)\.", re.IGNORECASE)
_SUSPECT = re.compile(
    r"[^A-Za-z0-9_.|-]|\.\.|^\.|\.(?:$|\|)|\.[0-9*#]|^(?:records|detail|cloudtrailevent)\.|\.items\b.*\|neq\b",
    re.IGNORECASE,
)
_SUSPECT_END = re.compile(rf"(?:\.(?:{_MODIFIERS}|keyword)|_(?:contains|startswith|endswith))(?:\||$)")


@lru_cache(maxsize=4_096)
def field_doubt(key: str, *, aws: bool) -> tuple[str, str] | None:
    """Reason and remedy for the key of an item; cached, since rules share most of their fields."""
    if not _SUSPECT.search(key) and not _SUSPECT_END.search(key):
        return None
    name, *modifiers = key.split("|")
    return _doubt(name, "".join(f"|{modifier}" for modifier in modifiers), aws=aws)


def _doubt(name: str, modifiers: str, *, aws: bool) -> tuple[str, str] | None:
    shown = f"the field name {quoted(name)}"
    if hidden := invisible_in(name):
        return f"{shown} has an invisible character ({hidden})", "Type the name again."
    if found := _MODIFIER_BEHIND.fullmatch(name):
        return f"{shown} ends like a modifier", f"Write {_key(found[1], f'|{found[2]}{modifiers}')}."
    if found := _NEGATED.fullmatch(name):
        plain = _key(found[1] or found[2], modifiers)
        return f"{shown} is read with its negation", f"Write {plain} in a selection, and 'not' in the condition."
    if found := re.fullmatch(r"(.+?)(?:\s*[=<>~]+|\.keyword|_(?:contains|startswith|endswith))", name, re.DOTALL):
        ending = name[len(found[1]) :].strip()
        plain = f"{found[1]}|{ending[1:]}" if ending.startswith("_") else found[1]
        return f"{shown} ends with {ending!r}, which is read as a part of it", f"Write {_key(plain, modifiers)}."
    if name.startswith(("$.", "$[")):
        return (
            f"{shown} is a JSONPath, and a detection takes dotted names",
            f"Write {_key(_plain(name[1:]), modifiers)}.",
        )
    if not aws:
        return None
    if found := _PARTS_OF_AN_EVENT.match(name):
        plain = _key(_plain(name[found.end() :]), modifiers)
        return f"{shown} begins with {found[0]!r}, which is no part of a record", f"Write {plain}."
    if _ARRAY_MARK.search(name):
        return (
            f"{shown} marks a list, and lists need no mark: each element is tested",
            f"Write {_key(_plain(name), modifiers)}.",
        )
    if ".." in name or name.startswith(".") or name.endswith("."):
        return f"{shown} has an empty part", f"Write {_key(_plain(name), modifiers)}."
    if found := re.search(r"->|[/:>]", name):
        plain = _key(re.sub(r"\s*(?:->|[/:>])\s*", ".", name), modifiers)
        return f"{shown} has {found[0]!r} between its parts", f"Write {plain}."
    if re.search(r"[*?]", name):
        return f"{shown} has a wildcard, which is read as a part of it", "Write the whole name."
    if ".items." in f"{name}." and "|neq" in modifiers:
        return _list_doubt(name)
    return None


def _list_doubt(name: str) -> tuple[str, str]:
    """CloudTrail writes the lists of EC2 as `items`, and `neq` over a list asks that no element is equal."""
    reason = f"{quoted(name)} is in a list, and neq asks that no element of it passes: one that does hides all others"
    return reason, (
        "If that is meant, write the item without neq and negate its selection in the condition. If one element that "
        "differs is to be found, leave the item out: Sigma cannot ask for it."
    )


def _plain(name: str) -> str:
    """The name without the marks of lists and without empty parts."""
    parts = re.sub(r"\{\}|\[[^\]]*\]", "", name).split(".")
    return ".".join(part for part in parts if part and not re.fullmatch(r"[0-9]+|[*#]", part))


def _key(name: str, modifiers: str) -> str:
    return shortened(f"{name.strip()}{modifiers}")
