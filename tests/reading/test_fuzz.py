"""Documents that nobody would write, through `read_records`: only our own account of them, and never slowly.

`CLOUDSIGMA_FUZZ` multiplies their number (1,000); `CLOUDSIGMA_FUZZ_SEED` chooses others.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import effort

import cloudsigma
from cloudsigma.reading import read_records

FORMS = Path(__file__).parent / "forms"
DOCUMENTS = effort(1000)
SEED = int(os.environ.get("CLOUDSIGMA_FUZZ_SEED", "7"))
LONGEST = 1.0
"""Seconds of processor time that one document may take."""

SEEDS = {
    path.name: path.read_bytes()
    for path in sorted(FORMS.iterdir())
    if path.is_file() and path.suffix != ".py" and path.name != "expected.json"
}
HOSTILE: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**25,
        float("nan"),
        float("inf"),
        "",
        " ",
        "null",
        "{}",
        "[]",
        "{",
        "[[[[",
        "\x00",
    ),
    *(
        "\ud800",
        "{a={b=[c, d]}, e=f",
        "{=}",
        "{a=}",
        "{a=b=c}",
        "2025-03-04 10:15:30",
        "9999-12-31T23:59:59+14:00",
        "=",
    ),
    *("H4sIAAAAAAAA", "e30=", "////", "aws:s3", "AwsApiCall", "%FF%00", ".", "..", "a.b.c", [], {}, [[]], [{}], [None]),
    *(
        [1, [2, [3]]],
        {"": ""},
        {"a": {"a": {}}},
        "x" * 10_000,
        "{" * 2_000,
        '{"a":' * 2_000,
        "." * 500,
        list(range(50)),
    ),
]
NAMES = [
    *(
        "Records",
        "records",
        "detail",
        "detail-type",
        "Events",
        "events",
        "CloudTrailEvent",
        "logEvents",
        "message",
        "body",
    ),
    *("Sns", "s3", "kinesis", "data", "awslogs", "results", "ResultSet", "Rows", "QueryResultRows", "_source", "_raw"),
    *("event", "hits", "fields", "aws", "unmapped", "metadata", "class_uid", "eventName", "eventType", "userIdentity"),
    *("requestParameters", "eventname", "useridentity", "p_log_type", "@timestamp", "messageType", "raw_data", "Type"),
]
BYTES = [b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\x1f\x8b", b"PAR1"]
BYTES += [
    b'""',
    b'","',
    b"\r\n",
    b'{"Records":[',
    b"2025-03-04T10:15:30Z {",
    b"=",
    b", a=",
    b"null",
    b"1e999",
    b"\\ud800",
]


def broken_bytes(content: bytes, chance: random.Random) -> bytes:
    """A few places changed, cut out, doubled, or filled from another fixture."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        kind = chance.randrange(6)
        if kind == 0:
            data[at : at + chance.randint(0, 3)] = chance.choice(BYTES)
        elif kind == 1:
            del data[at : at + chance.choice([1, 1, 2, 10, 200])]
        elif kind == 2:
            piece = data[at : at + chance.randint(1, 300)]
            data[at:at] = piece * chance.choice([1, 1, 2, 30])
        elif kind == 3:
            other = chance.choice(list(SEEDS.values()))
            start = chance.randint(0, len(other))
            data[at:at] = other[start : start + chance.randint(1, 500)]
        elif kind == 4:
            data[at : at + 1] = bytes([chance.randrange(256)])
        else:
            del data[at:]
    return bytes(data)


def broken_value(value: Any, chance: random.Random) -> Any:
    """A JSON value with members exchanged, renamed, hostile, or carrying something else."""
    if chance.random() < 0.04:
        return chance.choice(HOSTILE)
    if isinstance(value, dict):
        made = {}
        for name, inner in value.items():
            if chance.random() < 0.03:
                continue
            if chance.random() < 0.03:
                name = chance.choice(NAMES)  # noqa: PLW2901  # another name for the member
            made[name] = broken_value(inner, chance)
        if chance.random() < 0.03:
            made[chance.choice(NAMES)] = chance.choice([*HOSTILE, value])
        return made
    if isinstance(value, list):
        made_list = [broken_value(element, chance) for element in value]
        if chance.random() < 0.05:
            made_list.insert(chance.randint(0, len(made_list)), chance.choice(HOSTILE))
        return made_list
    if isinstance(value, str) and len(value) > 20 and chance.random() < 0.2:
        return broken_text(value, chance)
    return value


def broken_text(text: str, chance: random.Random) -> str:
    """Text that holds JSON or base64, broken inside and put together again."""
    if text.startswith("{"):
        try:
            return json.dumps(broken_value(json.loads(text), chance))
        except ValueError:
            pass
    try:
        data = base64.b64decode(text, validate=True)
        inner = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (ValueError, OSError, EOFError):
        return broken_bytes(text.encode("utf-8", "replace"), chance).decode("utf-8", "replace")
    inner = broken_bytes(inner, chance)
    return base64.b64encode(gzip.compress(inner, 1) if data.startswith(b"\x1f\x8b") else inner).decode()


def document(chance: random.Random) -> bytes:
    content = chance.choice(list(SEEDS.values()))
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    ways: list[Callable[[bytes], bytes]] = [lambda data: broken_bytes(data, chance)]
    try:
        values = [json.loads(line) for line in content.splitlines()] if b"\n" in content else [json.loads(content)]
    except ValueError:
        pass
    else:
        ways = [
            lambda _: "\n".join(json.dumps(broken_value(value, chance)) for value in values).encode(),
            *ways,
            lambda _: broken_bytes(json.dumps(broken_value(values[0], chance)).encode(), chance),
        ]
    made = chance.choice(ways)(content)
    if chance.random() < 0.2:
        made = gzip.compress(made, 1)
        if chance.random() < 0.5:
            made = broken_bytes(made, chance)
    return made


@pytest.mark.fuzz
def test_fuzzed_documents_give_only_our_own_account() -> None:
    """No exception but our own (there is none), every document in time, and nothing lost without a word."""
    rules = cloudsigma.bundled_rules()
    slowest = 0.0
    for number in range(DOCUMENTS):
        content = document(random.Random(f"{SEED}-{number}"))  # noqa: S311  # no secrets
        begun = time.process_time()
        reader = read_records("-", stdin=io.BytesIO(content))
        try:
            found = list(reader)
        except Exception as error:
            error.add_note(f"document {number} of seed {SEED}: {content[:500]!r}")
            raise
        taken = time.process_time() - begun
        slowest = max(slowest, taken)
        assert taken < LONGEST, f"document {number} of seed {SEED} took {taken:.2f} s"
        ledger = reader.ledger
        assert all(type(record) is dict for record in found)
        assert ledger.records == len(found) == sum(ledger.forms.values())
        assert found or ledger.losses or ledger.files == 1
        for record in found:
            rules.match(record)
    print(f"{DOCUMENTS:,} documents, the slowest took {slowest * 1000:.0f} ms")
