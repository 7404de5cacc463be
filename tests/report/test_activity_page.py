"""The pages of `who` and `timeline`: the numbers of the text, hostile text as text, and a bounded size."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from group_calls import create_group

from cloudsigma.cli import exit_codes, main

HOSTILE = '</style><script>alert(1)</script>"\u202e\x00{{ 7 * 7 }}'


def page(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = exit_codes.DONE) -> str:
    assert main([*map(str, arguments), "--format", "html", "-q"]) == code
    return capsys.readouterr().out


def texts(page: str) -> str:
    """What a person reads, on one line."""
    body = page.partition("<body>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def written(folder: Path, records: list[dict[str, Any]]) -> Path:
    (folder / "log.json").write_text(json.dumps({"Records": records}))
    return folder / "log.json"


def test_who_has_the_answers(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = page(capsys, "who", "jordan", root / "examples" / "trail", "--baseline", "2026-11-17T13:28")
    said = texts(made)
    assert "Complete. Everything that was given could be read." in said
    assert "47 own events, 2026-11-17 12:00:00 to 2026-11-17 14:46:03." in said
    assert "medium: IAM Group Created" in said
    assert "New addresses" in said
    assert "default-src 'none'" in made


def test_a_timeline_has_its_events_and_marks(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = texts(page(capsys, "timeline", root / "examples" / "trail", "--resource", "incident-responders"))
    assert "2026-11-17 14:20:57 ok iam.amazonaws.com DeleteGroup incident-responders" in said
    assert "low: IAM Group Deleted" in said


@pytest.mark.parametrize("command", [["who", "alice"], ["timeline"]], ids=lambda command: command[0])
def test_hostile_text_stays_text(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = create_group(
        HOSTILE, sourceIPAddress=HOSTILE, awsRegion=HOSTILE, userAgent=HOSTILE, requestParameters={"groupName": HOSTILE}
    )
    plain = create_group("x", sourceIPAddress="x", awsRegion="x", userAgent="x", requestParameters={"groupName": "x"})
    pages = [page(capsys, *command, written(tmp_path, [each])) for each in (record, plain)]
    tags = [re.findall(r"<(/?\w+)", each) for each in pages]
    assert tags[0] == tags[1]
    assert not {"\x00", "\u202e"} & set(pages[0])
    assert "<script" not in pages[0]


def test_pages_are_bounded_and_count_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, [create_group(str(at), sourceIPAddress=f"name-{at}-{'x' * 400}") for at in range(3000)])
    for command in (["timeline"], ["who", "alice"]):
        made = page(capsys, *command, path)
        assert "and 2,500 more." in texts(made)
        assert len(made) < 5_000_000


def test_a_page_that_is_not_complete_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, [create_group("a")])
    (tmp_path / "bad.json").write_text("{")
    for command in (["timeline"], ["who", "alice"]):
        made = texts(page(capsys, *command, tmp_path, code=exit_codes.INPUT_LOST))
        assert "NOT COMPLETE: something could not be read" in made
        assert "What could not be read" in made
        assert "bad.json" in made
