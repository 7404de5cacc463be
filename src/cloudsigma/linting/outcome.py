"""Checks of a rule's intent: its outcome, and calls that have the same effect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cloudsigma import ir
from cloudsigma.catalogue import Catalogue
from cloudsigma.catalogue.siblings import SIBLINGS
from cloudsigma.compiler.document import Place
from cloudsigma.ir.walk import all_tests
from cloudsigma.linting.conjunctions import Conjunction
from cloudsigma.linting.notes import Note, RuleDocument

_FAILURE = re.compile(r"\b(?:failed|failure|failures|denied|unsuccessful|rejected)\b", re.IGNORECASE)
_SUCCESS = re.compile(r"\b(?:successful|successfully|succeeded)\b", re.IGNORECASE)
_DATED = re.compile(r"20[0-9]{6}(?:v2)?$")
"""The date behind the names of Lambda's older events."""
_OUTCOME = ("errorCode", "errorMessage", "responseElements", "additionalEventData", "serviceEventDetails")


def intent_notes(
    document: RuleDocument, rule: ir.DetectionRule, ways: Sequence[Conjunction], catalogue: Catalogue
) -> Iterator[Note]:
    """The notes about the outcome that a rule asks for, and the calls that it does not watch.

    `ways`: the rule's conjunctions.
    """
    tests = list(all_tests(rule))
    place = document.document.place(("title",))
    yield from _confusion(document, ways, place)
    written = {text.lower() for test in tests if test.field == "eventName" for text in test.written}
    plain = {_DATED.sub("", text).removesuffix("*") for text in written}
    sources = {name: where for name in written if (where := catalogue.sources_of(name))}
    if not sources:
        return
    if not any((test.field or "").split(".")[0] in _OUTCOME for test in tests):
        events = (catalogue.event(source, name) for name, where in sources.items() for source in where)
        if any(event is not None and not event.read_only for event in events):
            yield Note(
                "outcome-not-tested", place, "the rule also matches calls that were denied or failed",
                "Add errorCode: null for calls that succeeded, if that is meant.",
            )  # fmt: skip
    for group in SIBLINGS:
        watched = [name for name in group if name.lower() in plain]
        missing = [name for name in group if name.lower() not in plain]
        if len(watched) > 1 and missing:
            yield Note(
                "sibling-calls", place, f"{', '.join(missing)} have the same effect as {', '.join(watched)}",
                "Add them, or say in the description why not.",
            )  # fmt: skip


def _confusion(document: RuleDocument, ways: Sequence[Conjunction], place: Place) -> Iterator[Note]:
    title = str(document.value.get("title", ""))
    failure, success = _FAILURE.search(title), _SUCCESS.search(title)
    if bool(failure) is bool(success):
        return
    asks = [_asks_for_success(conjunction) for conjunction in ways]
    if failure and asks and all(each is True for each in asks):
        yield Note("success-failure-confusion", place, f"the title says {failure[0]!r}, and the rule asks for calls "
                   "without an error", "Correct the title or the test of errorCode.")  # fmt: skip
    if success and asks and all(each is False for each in asks):
        yield Note("success-failure-confusion", place, f"the title says {success[0]!r}, and the rule asks for calls "
                   "with an error", "Correct the title or the test of errorCode.")  # fmt: skip


def _asks_for_success(conjunction: Conjunction) -> bool | None:
    """Whether a conjunction asks for a call without an error; `None` if it does not say."""
    for test, wanted in conjunction:
        if test.field not in ("errorCode", "errorMessage") or len(test.matchers) != 1:
            continue
        matcher = test.matchers[0]
        if isinstance(matcher, ir.Null):
            return wanted
        if isinstance(matcher, ir.Exists):
            return matcher.value is not wanted
        if isinstance(matcher, ir.Pattern) and all(part is ir.Wildcard.MANY for part in matcher.parts):
            return not wanted  # any value
        return False if wanted else None
    return None
