"""The audit: everything that a verdict depends on is on the page, and the same input gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from commands import run

EPOCH = {"SOURCE_DATE_EPOCH": "1796083200"}


def audit(
    root: Path, folder: Path, *more: object, trail: Path | None = None, name: str = "audit.html"
) -> tuple[int, str, dict]:
    """Audit the sample trail: exit code, page and manifest."""
    examples, page = root / "examples", folder / name
    done = run("audit", trail or examples / "trail", "--from", "2026-11-17", "--until", "2026-11-18",
               "--approvals", examples / "approvals.yml", "--register", examples / "register.yml",
               "--correlations", "-o", page, *more, env=EPOCH)  # fmt: skip
    assert page.exists(), done.stderr
    return done.returncode, page.read_text(), json.loads(page.with_suffix(".manifest.json").read_text())


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_page_answers_what_an_auditor_asks(root: Path, tmp_path: Path) -> None:
    code, page, _ = audit(root, tmp_path)
    assert code == 1
    text = text_of(page)
    for answer in (
        "CloudTrail audit",
        "Everything that was given could be read",  # was everything read?
        "111122223333 eu-central-1 205 3 2026-11-17 12:00",  # what was covered?
        "Of 6 matches, 1 is an approved change",  # what was approved?
        "CHG0031337 used, ended",  # by whom?
        "team-platform",
        "still-happening 1 match that it would cover came after its end open",  # what is still open?
        "not-registered IAM group support-tier2 (111122223333) it has no purpose in the register",
        "There are no digest files, so it is not known whether log files were altered or removed",
        "Rules in force",
        "The audit is of these files",
    ):
        assert answer in text, answer
    assert "<script" not in page


def test_the_same_input_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    first = audit(root, tmp_path)
    copy = shutil.copytree(root / "examples" / "trail", tmp_path / "copy")
    second = audit(root, tmp_path, name="again.html")
    assert first == second
    assert audit(root, tmp_path, trail=copy, name="copy.html")[2] == first[2]
    changed = next(copy.rglob("*.json.gz"))
    changed.write_bytes(gzip.compress(gzip.decompress(changed.read_bytes()), 1))
    assert audit(root, tmp_path, trail=copy, name="changed.html")[2]["sha256"] != first[2]["sha256"]


def test_the_manifest_names_every_input(root: Path, tmp_path: Path) -> None:
    _, _, manifest = audit(root, tmp_path)
    trail = root / "examples" / "trail"
    wanted = {
        file.relative_to(trail).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in trail.rglob("*")
        if file.is_file()
    }
    assert {each["path"]: each["sha256"] for each in manifest["inputs"]} == wanted
    assert set(manifest["files"]) == {"approvals.yml", "register.yml"}
    assert len(manifest["rules"]) == 11
    assert (manifest["since"], manifest["until"]) == ("2026-11-17T00:00:00Z", "2026-11-18T00:00:00Z")


def test_the_period_bounds_matches_and_the_inventory_is_that_of_its_end(root: Path, tmp_path: Path) -> None:
    page = tmp_path / "early.html"
    done = run("audit", root / "examples" / "trail", "--from", "2026-11-17T13:00", "--until", "2026-11-17T13:20",
               "-o", page, env=EPOCH)  # fmt: skip
    assert "1 matches, 1 not approved" in done.stderr
    text = text_of(page.read_text())
    assert "support-tier2" in text
    assert "build-agents" in text  # made before the period
    assert "incident-responders" not in text  # deleted after it


def test_an_altered_log_file_is_in_the_answer(root: Path, tmp_path: Path) -> None:
    bucket = shutil.copytree(root / "examples" / "trail", tmp_path / "bucket")
    log = next(bucket.rglob("*.json.gz"))
    account = log.name.partition("_")[0]
    name = f"{account}_CloudTrail-Digest_eu-central-1_main_eu-central-1_20261117T130000Z.json.gz"
    digest = bucket / "AWSLogs" / account / "CloudTrail-Digest" / name
    digest.parent.mkdir(parents=True)
    digest.write_bytes(gzip.compress(json.dumps({
        "awsAccountId": account, "digestStartTime": "2026-11-17T12:00:00Z", "digestEndTime": "2026-11-17T13:00:00Z",
        "digestS3Bucket": "b", "digestS3Object": f"AWSLogs/{account}/CloudTrail-Digest/{name}",
        "logFiles": [{"s3Bucket": "b", "s3Object": log.name, "hashValue": "0" * 64, "hashAlgorithm": "SHA-256"}],
    }).encode()))  # fmt: skip
    _, page, _ = audit(root, tmp_path, trail=bucket)
    assert "1 log or digest files are NOT as CloudTrail delivered them" in text_of(page)


def test_a_loss_is_on_the_page_and_in_the_exit_code(root: Path, tmp_path: Path) -> None:
    trail = shutil.copytree(root / "examples" / "trail", tmp_path / "trail")
    (trail / "bad.json").write_text('{"Records": [')
    code, page, _ = audit(root, tmp_path, trail=trail)
    assert code == 4
    assert "bad.json" in page


@pytest.mark.parametrize(
    "wrong",
    [
        ["--from", "2026-11-17"], ["--until", "2026-11-18"], ["--from", "2026-11-18", "--until", "2026-11-17"],
        ["--from", "soon", "--until", "2026-11-18"],
    ],
)  # fmt: skip
def test_a_period_is_two_times(root: Path, tmp_path: Path, wrong: list[str]) -> None:
    assert run("audit", root / "examples" / "trail", *wrong, "-o", tmp_path / "a.html").returncode == 2


def test_inputs_are_not_overwritten(root: Path, tmp_path: Path) -> None:
    trail = shutil.copytree(root / "examples" / "trail", tmp_path / "trail")
    log = next(trail.rglob("*.json.gz"))
    done = run("audit", trail, "--from", "2026-11-17", "--until", "2026-11-18", "-o", log)
    assert done.returncode == 2
    register = shutil.copy(root / "examples" / "register.yml", tmp_path / "r.yml")
    done = run("audit", trail, "--from", "2026-11-17", "--until", "2026-11-18", "--register", register, "-o", register)
    assert done.returncode == 2
