"""A program as a user would write it: type-checked under mypy's strict rules, never run.

What is written out here is promised: a change that makes this file fail is a change of the public types.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

import cloudsigma
from cloudsigma import (
    Approvals,
    Context,
    CorrelationExplanation,
    Correlator,
    Decision,
    Evidence,
    Explanation,
    Ledger,
    Limits,
    Link,
    Loss,
    Match,
    NearMiss,
    Origin,
    Principal,
    Reader,
    Resource,
    Rule,
    RuleLimits,
    RuleSet,
    Scan,
    aws_lambda,
    sinks,
    spark,
    testing,
)

record: dict[str, Any] = {"eventSource": "iam.amazonaws.com", "eventName": "CreateGroup"}

# Compiling
bundled = cloudsigma.bundled_rules()
assert_type(bundled, RuleSet)
assert_type(cloudsigma.bundled_rules(correlations=True), RuleSet)
assert_type(cloudsigma.compile_rules("sigma_rules", Path("mine") / "one.yml"), RuleSet)
assert_type(
    cloudsigma.compile_rules("mine", on_error="skip", bundled=True, limits=RuleLimits(expansions=20_000)), RuleSet
)
assert_type(cloudsigma.compile_text("title: …", logsource={"product": "aws", "service": "cloudtrail"}), RuleSet)
assert_type(bundled + cloudsigma.compile_text("title: …"), RuleSet)
assert_type(bundled.where(level="high", tag=["attack.t1098"], exclude="a-rule"), RuleSet)
assert_type(len(bundled), int)

try:
    cloudsigma.compile_rules("mine")
except cloudsigma.RuleError as error:
    assert_type(error.path, str | None)
    assert_type(error.line, int | None)
    assert_type(error.reason, str)
    category: str = error.category
except cloudsigma.RuleErrors as errors:
    print([str(error) for error in errors.exceptions])
except cloudsigma.CloudSigmaError:
    raise

try:
    list(cloudsigma.scan("trail", strict=True))
except cloudsigma.InputLostError as lost:
    assert_type(lost.path, str)
    assert_type(lost.reason, str)
    assert_type(lost.position, str | None)

# Rules
for rule in bundled:
    assert_type(rule, Rule)
    assert_type(rule.id, str)
    assert_type(rule.title, str)
    assert_type(rule.level, str | None)
    assert_type(rule.tags, tuple[str, ...])
    assert_type(rule.date, dt.date | None)
    predicate: Callable[[Mapping[str, Any]], bool] | None = rule.predicate
    if predicate is not None:  # a correlation has none
        verdict: bool = predicate(record)

# Evaluating
assert_type(cloudsigma.evaluate([record]), Iterator[Match])
assert_type(cloudsigma.evaluate(iter([record]), rules=bundled), Iterator[Match])
assert_type(bundled.match(record), tuple[Match, ...])
assert_type(bundled.verdicts(record), tuple[str, ...])
assert_type(bundled.explain(record, "a rule's ID"), Explanation)
assert_type(bundled.explain([record], "a correlation's ID"), CorrelationExplanation)
bundled.save("rules.json")
assert_type(cloudsigma.load_rules(Path("rules.json")), RuleSet)

# The linter
findings = cloudsigma.lint("sigma_rules", Path("mine"), profile="thorough", ignore=["old-date"])
assert_type(findings, list[cloudsigma.Finding])
assert_type(findings[0].line, int)

# Errors of arguments
try:
    cloudsigma.load_rules("rules.json").where(level="high")["a rule"]
except (cloudsigma.FileAccessError, cloudsigma.MissingPackageError) as problem:
    print(problem)
except cloudsigma.WrongTypeError as wrong:
    assert_type(wrong.argument, str)
except (cloudsigma.UnknownRuleError, cloudsigma.UsageError):
    raise

# Reading
reader = cloudsigma.read_records("trail", limits=Limits(depth=50), since="7d", accounts=["111122223333"])
assert_type(reader, Reader)
assert_type(list(reader), list[dict[str, Any]])
assert_type(reader.ledger, Ledger)
for loss in reader.ledger.losses:
    assert_type(loss, Loss)
scan = cloudsigma.scan("trail", rules=bundled, jobs=2)
assert_type(scan, Scan)
assert_type(list(scan), list[Match])
assert_type(scan.ledger, Ledger)
assert_type(scan.to_html("report.html").complete, bool)
assert_type(scan.to_csv(io.BytesIO(), raw=True).total, int)
print(scan.write, scan.to_jsonl, scan.to_markdown, scan.to_ocsf, scan.to_asff, scan.to_timesketch)

# Correlations
correlator = Correlator(bundled, lateness=dt.timedelta(minutes=15), state="state.db")
assert_type(correlator.feed(bundled.match(record)), tuple[Match, ...])
assert_type(correlator.advance(dt.datetime.now(dt.UTC)), tuple[Match, ...])
assert_type(correlator.close(), tuple[Match, ...])
print(cloudsigma.__version__)

# Matches
for match in cloudsigma.evaluate([record]):
    assert_type(match.rule_id, str)
    assert_type(match.key, str)
    assert_type(match.rule, Rule)
    assert_type(match.evidence, tuple[Evidence, ...])
    assert_type(match.origin, Origin | None)
    assert_type(match.to_json(record=False), str)
    assert_type(match.to_dict(), dict[str, Any])

    context = match.context
    assert_type(context, Context)
    assert_type(context.principal, Principal | None)
    assert_type(context.resource, Resource | None)
    assert_type(context.time, dt.datetime | None)
    assert_type(context.region, str | None)
    if context.principal is not None and context.principal.kind == "root":
        print(context.principal.account, context.principal.mfa)
    if context.outcome == "denied":
        print(context.error_code)

# Sessions
sessions = cloudsigma.Sessions()
sessions.add(record)
link = sessions.link(record)
assert_type(link, Link)

# Approvals
approvals = Approvals.load("approvals.yml", rules=bundled)
for found in approvals.decided(cloudsigma.evaluate([record])):
    assert_type(found.approval, Decision | None)
    decision = approvals.decide(found)
    assert_type(decision, Decision)
    assert_type(decision.by, tuple[str, ...])
    assert_type(decision.near, tuple[NearMiss, ...])
    assert_type(approvals.apply(found), Match)
try:
    Approvals.load("approvals.yml")
except cloudsigma.ApprovalError as bad:
    print([(mistake.location.line, mistake.reason, mistake.remedy) for mistake in bad.mistakes])
assert_type(link.root, str | None)
for step in link.steps:
    print(step.time, step.actor, step.session)

# Tests for rules, and sinks
print(
    testing.ABSENT,
    testing.Case,
    testing.CaseError,
    testing.CaseFile,
    testing.ClauseCoverage,
    testing.Coverage,
    testing.Difference,
    testing.EquivalentMutant,
    testing.ExpectedMatch,
    testing.Generated,
    testing.MutantResult,
    testing.MutationReport,
    testing.NearMiss,
    testing.NothingToSuggestError,
    testing.Obstacle,
    testing.Proposal,
    testing.Result,
    testing.RuleCoverage,
    testing.RuleMutation,
    testing.RuleTest,
    testing.Sample,
    testing.Suite,
    testing.calls,
    testing.case_schema_path,
    testing.default_cache,
    testing.differences,
    testing.find_rule,
    testing.find_tests,
    testing.generate,
    testing.measure_coverage,
    testing.mutate,
    testing.passes,
    testing.read_case_file,
    testing.read_regression,
    testing.record,
    testing.run_case,
    testing.suggest,
)
print(
    sinks.FORMATS,
    sinks.Format,
    sinks.LineOutput,
    sinks.Sink,
    sinks.SinkOptions,
    sinks.format_of,
    sinks.open_output,
    sinks.write_files,
    sinks.write_matches,
)

# A function of Lambda
publish: aws_lambda.Publish = print
call = aws_lambda.handler(bundled, publish, correlations="ignore")
assert_type(call, aws_lambda.Handler)
assert_type(call({"Records": []}, None), dict[str, Any])
assert_type(call.rules, RuleSet)
try:
    call({"Records": [None]})
except cloudsigma.InvocationError as lost_parts:
    assert_type(lost_parts.losses, int)
    assert_type(lost_parts.first, str)

# Spark: a session and its data frames are of PySpark, which is not installed here
session: Any = None
rows = spark.scan(session, ["s3://trail/AWSLogs/", Path("logs")], bundled, since="7d", accounts="111122223333")
spark.match_files(session, "rules.json", limits=Limits(), check=False)
spark.match_table(session, bundled, "value", name="trail")
spark.stream(
    session, bundled, checkpoint="checkpoint", output=lambda frame, number: None, lateness=dt.timedelta(hours=2)
)
assert_type(spark.account(rows), Ledger)
print(spark.matches(rows), spark.ledger(rows), spark.correlate(rows, bundled), spark.missing(session, rows))
assert_type(spark.COLUMNS, dict[str, tuple[str, str]])
assert_type(spark.SETTINGS, dict[str, str])
try:
    spark.scan(session, "logs", bundled)
except cloudsigma.ExecutorError as other:
    assert_type(other.differences, str)

# The inventory
inventory = cloudsigma.Inventory()
inventory.add(record)
register = cloudsigma.Register.load("register.yml")
for deviation in inventory.compare(register):
    assert_type(str(deviation), str)
for item in inventory.state().existing:
    assert_type(item.present("member"), tuple[str, ...])
try:
    cloudsigma.Register.load("register.yml")
except cloudsigma.RegisterError as wrong:
    print([mistake.remedy for mistake in wrong.mistakes])

try:
    print("a configuration of notifications")
except cloudsigma.NotifyError as wrong_channels:
    print([mistake.location for mistake in wrong_channels.mistakes])
