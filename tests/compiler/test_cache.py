"""Compiled rules on disk: the same rules as without, and whatever is wrong with an entry is a miss."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.compiler import cache, stages
from cloudsigma.storage import disk_cache

RULE = """\
title: {title}
logsource: {{product: aws, service: cloudtrail}}
detection:
    selection: {{eventName: {title}}}
    condition: selection
"""


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.OFF_VARIABLE)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    for title in ("One", "Two"):
        (folder / f"{title}.yml").write_text(RULE.format(title=title))
    return folder


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each compilation that was really done."""
    done: list[int] = []
    compile_documents = stages.compile_documents

    def counted(*arguments: Any, **options: Any) -> Any:
        done.append(1)
        return compile_documents(*arguments, **options)

    monkeypatch.setattr(stages, "compile_documents", counted)
    return done


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.rules.json"))


def test_the_second_time_nothing_is_compiled(rules: Path, tmp_path: Path, compilations: list[int]) -> None:
    folder = tmp_path / "cache"
    first = cloudsigma.compile_rules(rules, cache=folder)
    second = cloudsigma.compile_rules(rules, cache=folder)
    assert first == second == cloudsigma.compile_rules(rules)
    assert len(compilations) == 2
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_everything_that_decides_is_in_the_key(rules: Path, tmp_path: Path, compilations: list[int]) -> None:
    folder, pipeline = tmp_path / "cache", tmp_path / "p.yml"
    pipeline.write_text("name: p\npriority: 1\ntransformations: []\n")
    changes: list[Callable[[], Any]] = [
        lambda: cloudsigma.compile_rules(rules, cache=folder),
        lambda: cloudsigma.compile_rules(rules, cache=folder, bundled=True),
        lambda: cloudsigma.compile_rules(rules, cache=folder, logsource={"product": "aws"}),
        lambda: cloudsigma.compile_rules(rules, cache=folder, placeholders={"a": ["b"]}),
        lambda: cloudsigma.compile_rules(rules, cache=folder, pipelines=[pipeline]),
        lambda: (
            (rules / "One.yml").write_text(RULE.format(title="Other")) and cloudsigma.compile_rules(rules, cache=folder)
        ),
        lambda: (
            pipeline.write_text("name: p\npriority: 2\ntransformations: []\n")
            and cloudsigma.compile_rules(rules, cache=folder, pipelines=[pipeline])
        ),
        lambda: (rules / "One.yml").rename(rules / "Three.yml") and cloudsigma.compile_rules(rules, cache=folder),
    ]
    for number, change in enumerate(changes, start=1):
        change()
        assert len(compilations) == number
    assert len(entries(folder)) == len(changes)


def test_errors_are_told_from_the_cache_too(rules: Path, tmp_path: Path, compilations: list[int]) -> None:
    (rules / "bad.yml").write_text(RULE.format(title="Bad").replace("eventName", "eventName|no"))
    skipped = cloudsigma.compile_rules(rules, cache=tmp_path / "cache", on_error="skip")
    for _ in range(2):
        with pytest.raises(cloudsigma.RuleError) as error:
            cloudsigma.compile_rules(rules, cache=tmp_path / "cache")
        assert error.value == skipped.errors[0]
    assert len(compilations) == 1


def test_an_unreadable_file_is_never_cached(rules: Path, tmp_path: Path) -> None:
    (rules / "gone.yml").symlink_to(tmp_path / "nowhere")
    found = cloudsigma.compile_rules(rules, cache=tmp_path / "cache", on_error="skip")
    assert [error.category for error in found.errors] == ["file"]
    assert entries(tmp_path / "cache") == []


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _writable_by_others(path: Path) -> None:
    path.chmod(0o666)


def _folder_writable_by_others(path: Path) -> None:
    path.parent.chmod(0o777)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are those of POSIX")
@pytest.mark.parametrize("damage", [_cut, _flip, _empty, _writable_by_others, _folder_writable_by_others])
def test_an_entry_that_cannot_be_believed_is_a_miss(
    rules: Path, tmp_path: Path, compilations: list[int], damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "cache"
    good = cloudsigma.compile_rules(rules, cache=folder)
    [entry] = entries(folder)
    damage(entry)
    assert cloudsigma.compile_rules(rules, cache=folder) == good
    assert len(compilations) == 2


def test_a_folder_that_cannot_be_written_is_no_error(rules: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(cloudsigma.compile_rules(rules, cache=tmp_path / "file" / "cache")) == 2


def test_entries_not_used_for_longest_go_first(rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_ENTRIES", 2)
    kept = []
    for number in range(3):
        (rules / "One.yml").write_text(RULE.format(title=f"R{number}"))
        cloudsigma.compile_rules(rules, cache=tmp_path / "cache")
        kept = entries(tmp_path / "cache")
        time.sleep(0.01)
    assert len(kept) == 2


def test_a_warm_start_imports_nothing_that_compiles(rules: Path, tmp_path: Path) -> None:
    code = f"""
import sys, cloudsigma
cloudsigma.compile_rules({str(rules)!r}, cache={str(tmp_path / "cache")!r})
print(sorted({{"sigma", "yaml", "pyparsing", "jsonpath_ng", "re2"}} & set(sys.modules)))
"""
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60).stdout
        for _ in range(2)
    ]
    assert "sigma" in runs[0]
    assert runs[1].strip() == "[]"


def test_the_variable_turns_it_off(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[int]
) -> None:
    monkeypatch.setenv(cache.OFF_VARIABLE, "1")
    for _ in range(2):
        cloudsigma.compile_rules(rules, cache=tmp_path / "cache")
    assert len(compilations) == 2
    assert not (tmp_path / "cache").exists()


def test_the_default_folder_can_be_named(rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(disk_cache.DIRECTORY_VARIABLE, str(tmp_path / "named"))
    cloudsigma.compile_rules(rules, cache=True)
    assert len(entries(tmp_path / "named")) == 1


def test_public_rules_are_the_same_from_the_cache(shared_corpus: Path, tmp_path: Path) -> None:
    folders = [shared_corpus / "sigmahq_rules", shared_corpus / "suzaku_rules"]
    fresh = cloudsigma.compile_rules(*folders, on_error="skip", cache=tmp_path / "cache")
    warm = cloudsigma.compile_rules(*folders, on_error="skip", cache=tmp_path / "cache")
    assert len(entries(tmp_path / "cache")) == 1
    assert warm == fresh
    assert warm.errors == fresh.errors
