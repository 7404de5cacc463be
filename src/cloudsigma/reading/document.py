"""One JSON text → value, and what is wrong with it in words."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from cloudsigma.reading.limits import Limits

_LONG = 4000


def _integer(digits: str) -> int | Decimal:
    """An integer of any length: Python refuses to make an `int` of very many digits, which takes it too long."""
    return int(digits) if len(digits) < _LONG else Decimal(digits)


TOLERANT = json.JSONDecoder(parse_int=_integer)
"""Takes what the usual decoder refuses though it is JSON, and takes longer."""


class Document(msgspec.Struct, frozen=True):
    """One document of a file: a JSON value, or the row of a table."""

    value: Any
    position: str | None
    """Where it stands, if the file has several."""
    form: str
    """How: `whole`, `lines`, `objects`, `log_lines`, `csv`, `parquet`; `rescued` if the document around is damaged."""
    size: int | None = None
    """Bytes of its text, or more; `None`: unknown."""
    deep: bool = True
    """Whether a record in it may nest too deep, as far as its text says."""


def loads(text: str | bytes) -> Any:
    """One JSON document; raises `ValueError` where it is damaged and `RecursionError` where it nests too deep."""
    if isinstance(text, str):
        text = text.removeprefix("\ufeff")  # bytes may have a byte order mark anyway
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return TOLERANT.decode(text if isinstance(text, str) else text.decode())


def reason(error: Exception, limits: Limits) -> str:
    """What a decoder's exception means, in words for people."""
    if isinstance(error, RecursionError):
        return limits.too_deep  # decoders take more levels than any limit allows
    if isinstance(error, json.JSONDecodeError):
        return f"the JSON is damaged ({error.msg[:1].lower()}{error.msg[1:]})"
    return f"the JSON cannot be read ({str(error).split(';')[0]})"
