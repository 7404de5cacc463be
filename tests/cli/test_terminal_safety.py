"""What records, files and rules say never reaches the terminal as anything but text on the line where it belongs.

Every command is run on hostile text as on a terminal, without colors, so that no control character at all may be in
what it writes but the line feeds between its own lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
import tty
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from effort import fuzz
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from cloudsigma.cli import main
from cloudsigma.escaping import printable, printable_json, printable_lines

FORGED = "NOT-READ-FORGED"
"""If a line begins with this, a record has written a line of ours."""

HOSTILE = [
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b[2J\x1b[H", "\x9b31m", "\x90q\x9c", "\r" + FORGED, "\n" + FORGED,
    "\x0b" + FORGED, "\x0c" + FORGED, "\x1c" + FORGED, "\x85" + FORGED, "\u2028" + FORGED, "\u2029" + FORGED,
    "\u202egpj.exe", "\u2066x\u2069", "\u200fx", "\x08\x08\x08", "\x7f\x7f", "\x00", "\ud800", "\udc80", "\U000e0041",
    "\ufeff", "\u00ad", "[bold red]x[/]", "[link=https://example.org]x[/link]", "宽字符", "👩\u200d👩", "e\u0301",
    "{0}%s",
]  # fmt: skip
hostile_texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), min_size=1, max_size=4).map("".join)


def record(text: str, **changes: Any) -> dict[str, Any]:
    """A record of which everything that it is free to say is hostile."""
    return {
        "eventVersion": "1.11",
        "eventType": "AwsApiCall",
        "eventTime": "2025-03-04T10:15:30Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateGroup",
        "eventID": f"id{text}",
        "awsRegion": f"r{text}",
        "recipientAccountId": f"a{text}",
        "sourceIPAddress": text,
        "userAgent": text,
        "userIdentity": {"type": text, "arn": f"arn:{text}", "userName": text, "accountId": text},
        "requestParameters": {"groupName": text, text: {text: text}},
        "responseElements": {"group": {"arn": f"arn:{text}", "groupName": text}},
        **changes,
    }


class Terminal:
    """A terminal that gives what is written to it as it is; `stream` is its end for programs."""

    def __init__(self) -> None:
        self._control, program_end = pty.openpty()
        tty.setraw(program_end)
        self.stream = open(program_end, "w", encoding="utf-8", errors="backslashreplace", newline="\n")  # noqa: SIM115  # `text` closes it
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the end of a terminal
            while chunk := os.read(self._control, 1 << 16):
                self._seen += chunk

    def text(self) -> str:
        """All that was written; nothing more can be."""
        self.stream.close()
        self._reader.join()
        os.close(self._control)
        return self._seen.decode()


def shown(*arguments: str | Path, columns: int = 200, ours: str = "") -> str:
    """Everything that a command writes to the terminal; fails where some of it is not safe, beside what is `ours`."""
    variables = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": str(columns), "LINES": "50"}
    out, err = Terminal(), Terminal()
    with (
        mock.patch.dict(os.environ, variables),
        mock.patch("sys.stdout", out.stream),
        mock.patch("sys.stderr", err.stream),
    ):
        code = main(list(map(os.fspath, arguments)))
    text = out.text() + err.text()
    assert code in {0, 1, 2, 3, 4, 5}
    unsafe = {character for character in text if not character.isprintable()} - {"\n", *ours}
    assert not unsafe, text
    assert not [line for line in text.split("\n") if line.startswith(FORGED)], text
    return text


fast = fuzz(25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, *records: Any) -> Path:
    path = Path(name)
    path.write_text("\n".join(map(json.dumps, records)))
    return path


# --- records ------------------------------------------------------------------------------------------------


@fast
@given(hostile_texts)
@example("".join(HOSTILE))
def test_scan_in_every_form(text: str) -> None:
    write("a.json", record(text), record(text), record(text, eventTime=text))
    for columns in (200, 80):
        table = shown("scan", "a.json", "--format", "table", "--coverage", columns=columns)
        assert "03-04 10:15:30Z" in table
        drawn = table.split("\n1 match")[0].split("\n2 matches")[0]
        assert max(map(cell_len, drawn.split("\n"))) <= columns
    shown("scan", "a.json", "--format", "ids", "--no-dedup", ours="\t")
    lines = shown("scan", "a.json", "--format", "jsonl")
    match = json.loads(lines.split("\n")[0])
    if not re.search("[\ud800-\udfff]", text):  # which JSON lines write as escapes of their own
        assert match["record"] == record(text)
    ledger = shown("scan", "a.json", "--coverage", "--output", "out.jsonl", "--ledger", "-")
    plain, _ = json.JSONDecoder().raw_decode(ledger)
    assert plain["ledger"]["coverage"]["regions"][0]["records"] == 2


@fast
@given(hostile_texts)
@example("".join(HOSTILE))
def test_explain(text: str) -> None:
    write("a.json", record(text))
    rule = "aa459000-af6c-425c-acc2-07c64acfaa76"
    assert "✓" in shown("explain", rule, "--record", "a.json")
    shown("explain", rule, "--record", "a.json", "--format", "json")
    Path("own.yml").write_text(
        "title: T\nlogsource: {product: aws}\n"
        "detection: {s: {userAgent|contains: nowhere, awsRegion: x}, condition: s}\n"
    )
    told = shown("explain", "own.yml", "--record", "a.json")
    assert "the record has " in told


@fast
@given(hostile_texts)
@example("".join(HOSTILE))
def test_losses(text: str) -> None:
    """Names of members that stand in messages, and of files."""
    strange: list[Any] = [
        {text: 1},
        {"Records": [{text: 1}, text, {"eventName": "x", "Sns": text}]},
        text,
        {"events": [{text: 2}]},
    ]
    write("a.json", *strange)
    Path("b.csv").write_text(f"{text},eventName\nx\n", errors="replace")
    assert "NOT READ" in shown("scan", ".")
    assert "NOT READ" in shown("explain", "aa459000-af6c-425c-acc2-07c64acfaa76", "--record", "a.json")


# --- names --------------------------------------------------------------------------------------------------

names = hostile_texts.map(lambda text: re.sub("[/\0\ud800-\udbff]|[\udc00-\udc7f]", "", text)).filter(
    lambda name: 0 < len(os.fsencode(name)) < 100 and name not in {".", ".."}
)


@fast
@given(names)
@example("\n" + FORGED)
@example("a\udc80\udcff")
def test_names_of_files(name: str) -> None:
    """What was read, what was not, where a match is, an ending that is passed over."""
    shutil.rmtree("folder", ignore_errors=True)
    Path("folder").mkdir()
    for made in (f"a{name}.json", f"b{name}.json"):
        Path("folder", made).write_text(json.dumps(record("x")))
    Path("folder", f"c{name}.json").write_text("no JSON")
    Path("folder", f"d.x{name}").write_text("")
    told = shown("scan", "folder", "--coverage")
    assert "NOT READ, 1 place" in told
    shown("scan", f"-{name}", f"no{name}")
    shown("scan", "folder", "--output", f"nowhere{name}/x")
    shown("scan", "folder", "--ledger", f"nowhere{name}/x")
    shown("compile", "-o", f"made{name}")
    shown("compile", "-o", f"nowhere{name}/x")
    shown("rules", "--rules", f"no{name}")
    shown("test", f"no{name}")


@fast
@given(names)
@example("--\x1b[31m")
@example("\u202e")
def test_arguments(text: str) -> None:
    for option in (
        "--since",
        "--account",
        "--region",
        "--format",
        "--jobs",
        "--max-inflated",
        "--level",
        "--rule-id",
        "--tag",
    ):
        shown("scan", "x", f"{option}={text}")
    shown("scan", "x", f"--{text}")
    shown(text)
    shown("explain", f"r{text}")


# --- rules --------------------------------------------------------------------------------------------------

rule_texts = hostile_texts.filter(lambda text: not re.search("[\ud800-\udfff\0]", text))


@fast
@given(rule_texts)
@example("".join(text for text in HOSTILE if text not in ("\ud800", "\udc80", "\x00")))
@example("[link=https://example.org]x[/link]")
def test_rules_and_their_errors(text: str) -> None:
    quoted = json.dumps(text)
    Path("r").mkdir(exist_ok=True)
    good = {
        "title": f"T{text}", "name": "own", "description": text, "author": text, "tags": ["attack.t1098"],
        "falsepositives": [text], "level": "high", "logsource": {"product": "aws"},
        "detection": {"s": {"eventName": [f"x{text}", "CreateGroup"], f"f{text}": f"*{text}*"}, "condition": "s"},
    }  # fmt: skip
    Path("r/good.yml").write_text(json.dumps(good))
    start = f"title: {quoted}\nlogsource: {{product: aws}}\n"
    bad = [
        f"{start}detection: {{s: {{a|{text[:1] or 'x'}: 1}}, condition: s}}\n",
        f"{start}detection: {{s: {{a: 1}}, condition: {json.dumps('s and ' + text)}}}\n",
        f"{start}level: {quoted}\ndetection: {{s: {{a: 1}}, condition: s}}\n",
        f"{start}id: {quoted}\ndetection: {{{quoted}: {{a: 1}}, condition: s}}\n",
        text,
    ]
    for number, content in enumerate(bad):
        Path(f"r/bad{number}.yml").write_text(content)
    told = shown("rules", "--rules", "r", "--no-bundled", "--no-cache")
    assert "error" in told
    shown("rules", "--rules", "r", "--no-bundled", "--no-cache", "--format", "jsonl")
    write("a.json", record(text))
    ours = {"ids": "\t", "markdown": "\u200d"}  # a joiner without width keeps an address from being a link
    for form in ("table", "jsonl", "ids", "csv", "markdown", "ocsf", "timesketch"):
        chosen = ("--rules", "r", "--no-bundled", "--no-cache", "--format", form)
        shown("scan", "a.json", *chosen, "--coverage", ours=ours.get(form, ""))
    shown("explain", "own", "--rules", "r", "--no-bundled", "--no-cache")
    shown("explain", "own", "--rules", "r", "--no-bundled", "--no-cache", "--record", "a.json")


@fuzz(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule_texts)
@example("".join(text for text in HOSTILE if text not in ("\ud800", "\udc80", "\x00")))
def test_cases_beside_rules(text: str) -> None:
    Path("t").mkdir(exist_ok=True)
    Path("t/own.yml").write_text(
        json.dumps(
            {
                "title": f"T{text}", "name": "own", "logsource": {"product": "aws"},
                "detection": {"s": {"eventName": "CreateGroup", "userAgent": f"x{text}"}, "condition": "s"},
            }
        )
    )  # fmt: skip
    cases = [
        {"name": f"n{text}", "matches": True, "record": record(text)},
        {"name": "other", "matches": False, "record": record(text, userAgent=f"x{text}")},
        {"name": text, text: text},
    ]
    Path("t/own.cases.yml").write_text(json.dumps({"cases": cases[:2]}))
    told = shown("test", "t")
    assert "failed" in told
    shown("test", "t", "--json", "-")
    Path("t/own.cases.yml").write_text(json.dumps({"cases": cases}))
    shown("test", "t")


# --- on a real terminal -------------------------------------------------------------------------------------


def test_with_colors_on_a_real_terminal() -> None:
    """Only our own colors arrive, whatever the record says."""
    text = "".join(HOSTILE)
    write("a.json", record(text))
    control, terminal_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cloudsigma", "scan", "a.json", "--coverage"],
        stdin=subprocess.DEVNULL, stdout=terminal_end, stderr=terminal_end,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"},
    ):  # fmt: skip
        os.close(terminal_end)
        seen = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while chunk := os.read(control, 1 << 16):
                seen += chunk
    os.close(control)
    said = seen.decode().replace("\r\n", "\n")
    assert "IAM Group Created" in said
    ours = re.sub(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]", "", said)
    assert not [character for character in ours if not character.isprintable() and character != "\n"]
    assert "\x1b[31mred" not in said
    assert not re.search(rf"^{FORGED}", ours, re.MULTILINE)


# --- the functions ------------------------------------------------------------------------------------------


@given(st.text() | hostile_texts)
def test_printable_is_printable_and_settled(text: str) -> None:
    safe = printable(text)
    assert safe.isprintable()
    assert printable(safe) == safe
    lines = printable_lines(text)
    assert lines.count("\n") == text.count("\n")
    assert lines.replace("\n", "").isprintable()


@given(
    st.recursive(
        st.none() | hostile_texts | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(hostile_texts, inner)
    )
)
def test_printable_json_is_the_same_json(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value, indent=1)):
        safe = printable_json(text)
        assert safe.replace("\n", "").isprintable()
        assert json.loads(safe) == json.loads(json.dumps(value))  # halves of a character that meet are one
