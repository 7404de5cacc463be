"""Data that an envelope carries as base64."""

from __future__ import annotations

import binascii
from typing import Any

from cloudsigma.reading.envelope.interface import Carried, NoCalls, NoForm


def from_base64(data: Any, name: str, place: str | None = None, *, kind: str) -> Carried | NoCalls | NoForm:
    """The decoded content, or the text itself if a tool has decoded it already."""
    if data is None or data == "":
        return NoCalls(kind)
    if not isinstance(data, str):
        return NoForm(f"the data of the {kind} is no text", place)
    if data.lstrip()[:1] in ("{", "["):
        return Carried(data, name, place, empty=kind)
    try:
        return Carried(binascii.a2b_base64("".join(data.split()), strict_mode=True), name, place, empty=kind)
    except ValueError:
        return NoForm(f"the data of the {kind} is no base64, or damaged", place)
