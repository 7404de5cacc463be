"""A corpus with planted events: what the manifest names is found, and nothing else, by every way through the code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.reading import read_records

RECORDS = 20_000
RULES = {
    "iam_group_created": "IAM Group Created",
    "iam_group_deleted": "IAM Group Deleted",
    "rolesanywhere_profile_created": "AWS IAM Roles Anywhere Profile Created",
    "rolesanywhere_trust_anchor_external_ca": "AWS IAM Roles Anywhere Trust Anchor Created with External CA",
}


@pytest.fixture(scope="module", params=["s3", "jsonl"])
def corpus(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "made"
    command = [
        sys.executable, str(shared / "tools" / "make_corpus.py"), "--records", str(RECORDS), "--layout", request.param,
        "--attack-rate", "0.01", "--decoy-rate", "0.02", "--seed", "7", "--out", str(folder),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


def planted(corpus: Path) -> set[tuple[str, str]]:
    manifest: dict[str, Any] = json.loads((corpus / "manifest.json").read_bytes())
    found = {(RULES[entry["rule"]], entry["eventID"]) for entry in manifest["attacks"]}
    assert len(found) == 200
    assert len(manifest["decoys"]) == 400
    return found


def of(matches: Any) -> set[tuple[str, str]]:
    listed = [(match.rule.title, match.context.event_id) for match in matches]
    assert len(listed) == len(set(listed))
    return set(listed)


def records_in(corpus: Path) -> list[dict[str, Any]]:
    (corpus / "manifest.json").rename(corpus.parent / "manifest.json")
    try:
        records = list(read_records(corpus))
    finally:
        (corpus.parent / "manifest.json").rename(corpus / "manifest.json")
    assert len(records) == RECORDS
    return records


def test_a_scan_finds_what_was_planted(corpus: Path) -> None:
    for jobs in (1, 2):
        scan = cloudsigma.scan(corpus, jobs=jobs)
        assert of(scan) == planted(corpus)
        assert scan.ledger.records == RECORDS


def test_so_do_records_in_memory_and_every_predicate_alone(corpus: Path) -> None:
    records = records_in(corpus)
    rules = cloudsigma.bundled_rules()
    assert of(rules.evaluate(records)) == planted(corpus)
    alone = {
        (rule.title, record["eventID"])
        for record in records
        for rule in rules
        if rule.predicate is not None and rule.predicate(record)
    }
    assert alone == planted(corpus)
