"""Paths with `*`, `?`, `[…]` and `**` that no shell has expanded."""

from __future__ import annotations

import glob
import json
import os
from pathlib import Path

import pytest
from effort import fuzz
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.reading import read_records
from cloudsigma.reading.sources.pattern import matching

FILES = (
    "a.json", "b.json", "notes.txt", ".hidden.json", "x[1].json",
    "2025/01/a.json", "2025/01/b.json.gz", "2025/02/a.json", "2026/01/a.json", ".git/01/a.json", "2025/.cache/a.json",
)  # fmt: skip
CASES = {
    "*.json": ["a.json", "b.json", "x[1].json"],
    "?.json": ["a.json", "b.json"],
    "[ac].json": ["a.json"],
    "[!a].json": ["b.json"],
    "x[1].json": ["x[1].json"],
    "x[[]*": ["x[1].json"],
    ".*.json": [".hidden.json"],
    "*.txt": ["notes.txt"],
    "*/01/a.json": ["2025/01/a.json", "2026/01/a.json", "linked/01/a.json"],
    "2025/*/a.json": ["2025/01/a.json", "2025/02/a.json", "2025/circle/a.json"],
    "202?": ["2025/01/a.json", "2025/01/b.json.gz", "2025/02/a.json", "2026/01/a.json"],
    "*/02": ["2025/02/a.json", "linked/02/a.json"],
    "**/a.json": ["a.json", "2025/01/a.json", "2025/02/a.json", "2026/01/a.json"],
    "2025/**/*.json": ["2025/01/a.json", "2025/02/a.json"],
    "**/01": ["2025/01/a.json", "2025/01/b.json.gz", "2026/01/a.json"],
    "2025/**": ["2025/01/a.json", "2025/01/b.json.gz", "2025/02/a.json"],
    "**/**/01/**/a.json": ["2025/01/a.json", "2026/01/a.json"],
    "2025/../2026/*/a.json": ["2025/../2026/01/a.json"],
    "linked/0*/a.json": ["linked/01/a.json", "linked/02/a.json"],
    "**/nothing": [],
    "a.json/*": [],
    "nothing/*": [],
    "nul\0*": [],
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"Records": [{"eventName": "CreateGroup", "eventID": name}]}))
    (tmp_path / "linked").symlink_to(tmp_path / "2025", target_is_directory=True)
    (tmp_path / "2025" / "circle").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("pattern", CASES)
def test_what_a_pattern_stands_for(pattern: str, tree: Path) -> None:
    """The same with and without a folder before it; each file once, whatever matches it."""
    reader = read_records(pattern)
    assert [origin.path for _, origin in reader.with_origin()] == CASES[pattern]
    reader = read_records(tree / pattern)
    found = [origin.path for _, origin in reader.with_origin()]
    assert found == [str(tree / name) for name in CASES[pattern]]
    if not found:
        assert [loss.reason for loss in reader.ledger.losses] == [
            "there is no such file or folder, and none matches it as a pattern"
        ] or "null" in reader.ledger.losses[0].reason
    else:
        assert reader.ledger.complete


def test_a_scan_takes_patterns(tree: Path) -> None:
    assert len(list(cloudsigma.scan("202?/0*/*.json", rules=cloudsigma.compile_text(RULE)))) == 3


RULE = "title: T\nlogsource: {product: aws}\ndetection: {s: {eventName: CreateGroup}, condition: s}\n"


def test_a_folder_that_cannot_be_read_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hides nothing else, and is named once."""
    real = os.scandir

    def scandir(path: str) -> object:
        if os.fspath(path).endswith("02"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for pattern in ("2025/0*/*.json", "2025/**/**/*.json", "2025/0*"):
        reader = read_records(pattern)
        assert [record["eventID"] for record in reader][:1] == ["2025/01/a.json"]
        assert [(loss.path, loss.reason) for loss in reader.ledger.losses] == [
            ("2025/02", "the folder cannot be read: permission denied")
        ]


def test_names_that_are_not_utf8_match(tree: Path) -> None:
    name = os.fsdecode(b"odd\xff.json")
    try:
        (tree / name).write_text('{"Records": [{"eventName": "CreateGroup"}]}')
    except OSError:
        pytest.skip("this file system has no such names")
    assert len(list(read_records("odd?.json"))) == 1


NAMES = st.sampled_from(["a", "b", "ab", "a.json", "[", "*"])


@fuzz(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=6),
    st.lists(st.sampled_from(["*", "**", "a", "a*", "?", "[ab]", "*.json", "[[]"]), min_size=1, max_size=4),
)
def test_the_standard_library_finds_the_same(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str], parts: list[str]
) -> None:
    """Where nothing is hidden, linked or forbidden; what lies in a folder that matches is that folder's."""
    root = tmp_path_factory.mktemp("tree")
    for path in sorted(paths):
        (root / path).mkdir(parents=True, exist_ok=True)
    pattern = "/".join([*parts, "*"])
    expected = {
        os.path.normpath(root / path)
        for path in glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207  # pathlib's knows other rules
    }
    found = list(matching(str(root / pattern), lambda _, error: pytest.fail(str(error))))
    assert len(found) == len(set(found))
    assert set(found) == {
        path for path in expected if not any(str(parent) in expected for parent in Path(path).parents)
    }
