"""The handler of a Lambda function: reads an event, evaluates its records, publishes the matches, tells what failed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from cloudsigma.arguments import check_callable, check_instance
from cloudsigma.aws_lambda.log_line import InvocationLog
from cloudsigma.aws_lambda.parts import Part, parts_of
from cloudsigma.engine.match import Match
from cloudsigma.errors import InvocationError, UsageError, WrongTypeError
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.rulesets.saved import load_rules
from cloudsigma.scanning.approving import Approver
from cloudsigma.scanning.config import ScanConfig
from cloudsigma.scanning.scan import Scan

Publish = Callable[[Sequence[Match]], object]
"""Receives the matches of one invocation, never none, and raises if it cannot hand them on."""

RESERVE = 5.0
"""Seconds before the function's timeout in which no further part is begun."""


def handler(
    rules: RuleSet | str | os.PathLike[str],
    publish: Publish,
    *,
    correlations: Literal["refuse", "ignore"] = "refuse",
    approvals: Approver | None = None,
    limits: Limits | None = None,
) -> Handler:
    """Make the handler of a function; call it once, at the top of the function's module.

        lambda_handler = cloudsigma.aws_lambda.handler("rules.json", publish)

    The handler takes the events of SQS, SNS, S3, EventBridge, Kinesis, Firehose and CloudWatch Logs, with records in
    them, or with notifications of files in S3, which it reads. One call of `publish` hands over all matches of an
    invocation, before Lambda gets an answer. Then the log gets one line of JSON.

    Of SQS and Kinesis, parts that could not be read whole are named in the answer (`batchItemFailures`, which the event
    source mapping must be set to report), so that Lambda hands over just these again, and in the end moves them to the
    dead-letter queue. Where an event can only fail whole, the handler raises, after publishing. A match that comes
    twice for this reason has the same `key`.

    Args:
        rules: A rule set, or the path of one that `cloudsigma compile` wrote.
        publish: Takes the matches of an invocation. If it raises, the invocation fails, and Lambda repeats all of it.
        correlations: An invocation sees a few records, so correlations cannot be evaluated. `refuse` raises if the set
            has any; `ignore` leaves them out, and keeps the rules that only they show hidden.
        approvals: Approved changes (`Approvals.load`): each match has its decision in `match.approval`. Approvals with
            `roots` or `max_matches` are refused: they need more than one invocation.
        limits: Bounds on sizes, depth and numbers.

    Raises:
        UsageError: The rules have correlations, the approvals need linked sessions, the extra `s3` is not installed, or
            the file of rules cannot be used.
    """
    check_callable("publish", publish)
    if publish is None:
        raise WrongTypeError("publish", publish, "a function that takes a sequence of matches")
    check_instance("limits", limits, Limits, "a cloudsigma.Limits, or None")
    check_instance("approvals", approvals, Approver, "cloudsigma.Approvals.load(PATH), or None")
    if correlations not in ("refuse", "ignore"):
        raise UsageError(f"correlations is {correlations!r}; give 'refuse' or 'ignore'")
    if not isinstance(rules, RuleSet):
        rules = load_rules(rules)
    config = ScanConfig(named_files=True, limits=limits or Limits(), approvals=approvals)
    return Handler(_detections(rules, correlations), publish, config)


def _detections(rules: RuleSet, correlations: str) -> RuleSet:
    detections = tuple(rule for rule in rules if rule.correlation is None)
    if len(detections) == len(rules):
        return rules
    if correlations == "refuse":
        first = next(rule for rule in rules if rule.correlation is not None)
        raise UsageError(
            f"the rules have correlations (such as {first.title!r}), which need more records than one invocation sees; "
            "run them with `cloudsigma scan --follow` on a queue, or leave them out with correlations='ignore'"
        )
    return RuleSet(detections, rules.errors, rules.warnings, rules.declared, rules.hidden)


class Handler:
    """The handler of a function; `handler` makes it. It keeps nothing between invocations but the clients of S3."""

    def __init__(self, rules: RuleSet, publish: Publish, config: ScanConfig) -> None:
        self.rules = rules
        """The rules that it evaluates."""
        self._publish = publish
        self._config = config
        Scan((), rules, config)  # raises what a scan would raise

    def __call__(self, event: Any, context: Any = None) -> dict[str, Any]:
        """Evaluate an event.

        Returns:
            `{"batchItemFailures": […]}`, as Lambda asks for, empty if all was read.

        Raises:
            InvocationError: Something could not be read, and the event can only fail whole. The matches of all else
                are published.
            Exception: What `publish` raised.
        """
        began = time.monotonic()
        log = InvocationLog(getattr(context, "aws_request_id", None))
        matches: list[Match] = []
        not_begun = 0
        error: str | None = "interrupted"
        try:
            not_begun, lost = self._evaluate(event, _Clock(context), log, matches)
            if matches:
                self._publish(matches)
            error = None
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            line = log.line(rules=len(self.rules), seconds=time.monotonic() - began, not_begun=not_begun, error=error)
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        if lost:
            raise InvocationError(len(log.losses), str(log.losses[0]))
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in log.failed]}

    def _evaluate(self, event: Any, clock: _Clock, log: InvocationLog, matches: list[Match]) -> tuple[int, bool]:
        """Read the parts; gives the number of those that were not begun, and whether one failed that has no name."""
        seen: set[str] = set()
        parts = list(parts_of(event))
        lost = False
        for at, part in enumerate(parts):
            if at and clock.is_late and part.identifier is not None:
                return _leave(parts[at:], log), lost
            complete = self._read(part, log, matches, seen)
            if complete:
                continue
            if part.identifier is None:
                lost = True
                continue
            log.failed.append(part.identifier)
            if part.ordered:
                return len(parts) - at - 1, lost
        return 0, lost

    def _read(self, part: Part, log: InvocationLog, matches: list[Match], seen: set[str]) -> bool:
        """Add the matches of a part; whether all of it could be read."""
        scan = Scan((part.value,), self.rules, self._config)
        for match in scan:
            if match.key in seen:
                log.repeated += 1
                continue
            seen.add(match.key)
            log.matches[match.rule_id] += 1
            matches.append(match)
        ledger = scan.ledger
        log.add(ledger, part.identifier)
        return ledger.complete


def _leave(parts: Sequence[Part], log: InvocationLog) -> int:
    """Give the parts back: Lambda hands them over again, in a stream those after the first, too."""
    log.failed += [part.identifier for part in parts if part.identifier is not None]
    return len(parts)


class _Clock:
    """The time that an invocation has left."""

    def __init__(self, context: Any) -> None:
        self._remaining = getattr(context, "get_remaining_time_in_millis", None)

    @property
    def is_late(self) -> bool:
        """Whether the timeout is near; never without a context."""
        return callable(self._remaining) and self._remaining() < RESERVE * 1000
