"""Records of the shared corpus in every form and back: the same verdicts of public rules, and the same context."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from form_writers import FORMS, Record

import cloudsigma
from cloudsigma.engine.context.context import Context, read_context
from cloudsigma.reading import read_records

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "forms.md"


@pytest.fixture(scope="module")
def records(shared_corpus: Path) -> list[Record]:
    """All records of the corpus, real ones and own-written ones, that have the shape of a record."""
    found: list[Record] = []
    for file in sorted((shared_corpus / "invictus").rglob("*.json.gz")):
        found += json.loads(gzip.decompress(file.read_bytes()))["Records"]
    for file in sorted((shared_corpus / "stratus").glob("*.json")):
        found += json.loads(file.read_text(encoding="utf-8"))
    probes = (shared_corpus / "sigmahq_probes.jsonl").read_text(encoding="utf-8").splitlines()
    return found + [record for line in probes if is_usual(record := json.loads(line)["record"])]


def is_usual(record: Record) -> bool:
    """Whether the members of an own-written record have the kinds that CloudTrail gives them, which tables rely on."""
    objects = ("userIdentity", "requestParameters", "responseElements", "additionalEventData", "serviceEventDetails")
    identity = record.get("userIdentity")
    arn = identity.get("arn") if isinstance(identity, dict) else None
    return (
        all(
            value is None or isinstance(value, dict if name in objects else (str, bool, list))
            for name, value in record.items()
        )
        and all(isinstance(record.get(name), str) for name in ("eventName", "eventSource"))
        and (arn is None or str(arn).startswith("arn:"))
    )


@pytest.fixture(scope="module")
def rules(shared_corpus: Path) -> cloudsigma.RuleSet:
    """SigmaHQ's and suzaku's rules that compile."""
    folders = [shared_corpus / "sigmahq_rules", shared_corpus / "suzaku_rules"]
    return cloudsigma.compile_rules(*folders, on_error="skip")


def judged(rules: cloudsigma.RuleSet, record: Record) -> tuple[tuple[str, ...], Context]:
    return rules.verdicts(record), read_context(record)


@pytest.fixture(scope="module")
def wanted(records: list[Record], rules: cloudsigma.RuleSet) -> list[Any]:
    """What the records themselves give."""
    return [judged(rules, record) for record in records]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_the_records_back(
    form: str, records: list[Record], rules: cloudsigma.RuleSet, wanted: list[Any]
) -> None:
    written = FORMS[form]
    reader = read_records(written.write(records))
    found = list(reader)
    assert [str(loss) for loss in reader.ledger.losses[:3]] == []
    assert len(found) == len(records)
    if written.drops:
        wanted = [judged(rules, written.carried(record)) for record in records]
    different = [
        (at, judgement, got, records[at], back)
        for at, (judgement, back) in enumerate(zip(wanted, found, strict=True))
        if (got := judged(rules, back)) != judgement
    ]
    assert not different, f"{len(different)} of {len(records)}: {different[0]}"


def test_what_was_compared(records: list[Record], rules: cloudsigma.RuleSet, record_property: Any) -> None:
    """The counts, and that the comparison can fail: many records match."""
    matching = sum(bool(rules.verdicts(record)) for record in records)
    counts = {"records": len(records), "forms": len(FORMS), "rules": len(rules), "records that match": matching}
    for name, count in counts.items():
        record_property(name, count)
        print(f"{name}: {count:,}")
    assert counts["records"] > 3_800
    assert counts["forms"] > 30
    assert counts["rules"] > 700
    assert matching > 500


@pytest.mark.parametrize("form", [name for name, form in FORMS.items() if form.drops])
def test_what_a_form_cannot_carry_is_on_its_page(form: str) -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert FORMS[form].drops in page
