"""What a rule set remembers is bounded in entries and in bytes, and is freed with the set."""

from __future__ import annotations

import gc
import itertools
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import cloudsigma
from cloudsigma.engine.memo import LONGEST, MOST_BYTES, Budget
from cloudsigma.rulesets.rule_set import RuleSet

RULES = """\
title: Keywords
logsource: {product: aws}
detection: {k: [marker], condition: k}
---
title: Not
logsource: {product: aws}
detection: {s: {eventName|startswith: 'Not'}, a: {userAgent|re: 'ab+c'}, condition: not s and not a}
---
title: Agent
logsource: {product: aws}
detection: {s: {userAgent|contains: kali, errorCode|re: 'Acc.*ied', awsRegion|exists: true}, condition: s}
---
title: Path
logsource: {product: aws}
detection: {s: {userIdentity.arn|re: 'a.n', eventName: [GetUser, Put]}, condition: s}
"""


def compiled() -> RuleSet:
    return cloudsigma.compile_text(RULES)


def record_of(number: int, length: int) -> dict[str, Any]:
    text = f"{number:08} kali arn marker" + "x" * length
    return {
        "eventName": text if number % 2 else "GetUser", "eventSource": text, "userAgent": text,
        "errorCode": "AccessDenied", "awsRegion": text, "userIdentity": {"arn": text}, "requestID": text,
    }  # fmt: skip


def grown(use: Callable[[dict[str, Any]], object], records: Iterator[dict[str, Any]]) -> int:
    gc.collect()
    tracemalloc.start()
    for record in records:
        use(record)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held


@pytest.mark.parametrize(
    ("count", "length", "bound"),
    [(100, 100_000, 4 << 20), (500, 10_000, 4 << 20), (3_000, LONGEST - 50, 2 * MOST_BYTES)],
)
def test_a_set_holds_no_more_than_its_budget(count: int, length: int, bound: int) -> None:
    """Texts of any length under event names, sources, agents and keywords."""
    rules = compiled()
    rules.match(record_of(0, 0))
    records = (record_of(number, length) for number in range(count))
    assert grown(rules.match, records) < bound
    assert rules._matcher.remembered <= MOST_BYTES


def test_memory_is_freed_with_the_set() -> None:
    """No cache of the process holds a text of a record once the set is gone."""

    use_all(compiled(), 1)
    gc.collect()
    tracemalloc.start()
    rules = compiled()
    use_all(rules, 500)
    held, _ = tracemalloc.get_traced_memory()
    assert held > 1 << 20  # something was remembered
    del rules
    gc.collect()
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 512 << 10


def use_all(rules: RuleSet, count: int) -> None:
    for number in range(count):
        record = record_of(number, 900)
        rules.match(record)
        rules.rules[1].predicate(record)  # type: ignore[misc]  # a detection rule has one
        rules.explain(record, rules.rules[2].id)


def test_remembered_answers_are_those_of_a_fresh_set() -> None:
    """Full memos are cleared, and give the same verdicts and evidence before and after."""
    rules = compiled()
    rules._matcher._budget._most = 100_000
    rules._evidence._budget._most = 50_000
    for number in itertools.chain(range(150), range(150)):
        record = record_of(number, 300)
        assert rules.verdicts(record) == compiled_once.verdicts(record)
        assert [match.evidence for match in rules.match(record)] == [
            rule.evidence(record) for rule in compiled_once if rule.id in compiled_once.verdicts(record)
        ]
    assert rules._matcher.remembered <= 100_000


compiled_once = compiled()


def test_memos_share_a_budget() -> None:
    """One memo is cleared when it has its most entries, all of them when their bytes are spent."""
    budget = Budget(10_000)
    first, second = budget.memo(str.upper, entries=5), budget.memo(str.lower, entries=1_000)
    assert [first[f"a{number}"] for number in range(7)] == [f"A{number}" for number in range(7)]
    assert set(first) == {"a5", "a6"}
    assert first.cleared == 1
    for number in range(200):
        second[f"{number}"]
        assert budget.used <= 10_000
    assert second.cleared > 0
    assert first.cleared > 1
    assert first["x" * (LONGEST + 1)] not in first
    second["kept"]
    del second
    gc.collect()
    assert budget.used == first.bytes


def test_memos_are_bounded_under_threads() -> None:
    budget = Budget(20_000)
    memos = [budget.memo(str.upper, entries=100) for _ in range(3)]
    wrong: list[str] = []

    def work(start: int) -> None:
        for number in range(start, start + 5_000):
            text = f"a{number % 700}"
            if memos[number % 3][text] != text.upper():
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert budget.used <= 20_000
    assert all(len(memo) <= 100 for memo in memos)
