"""Processing pipelines: what they change, what is put right, and what is refused before pySigma sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from commands import run

import cloudsigma
from cloudsigma.cli import group
from cloudsigma.compiler.pipeline import read_pipelines

RULE = """\
title: T
id: 6d8f3a52-6c5b-4d3e-9b0e-2f3f7f1b6a10
name: rule_t
logsource: {product: aws, service: cloudtrail}
fields: [user]
detection:
    selection:
        user: alice
    condition: selection
"""


@pytest.fixture(autouse=True)
def careless_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever these variables allow, nothing from outside may come in."""
    for name in ("PYSIGMA_ALLOW_EXTERNAL_SOURCES", "PYSIGMA_ALLOW_TEMPLATE_VARS"):
        monkeypatch.setenv(name, "1")


def written(folder: Path, transformations: str, name: str = "p.yml", top: str = "") -> Path:
    """A pipeline file."""
    path = folder / name
    path.write_text(f"name: {path.stem}\n{top}transformations:\n{transformations}", encoding="utf-8")
    return path


def compiled(text: str, *pipelines: str | Path, **options: Any) -> cloudsigma.Rule:
    (rule,) = cloudsigma.compile_text(text, pipelines=pipelines, **options)
    return rule


def matches(rule: cloudsigma.Rule, record: dict[str, Any]) -> bool:
    assert rule.predicate is not None
    return rule.predicate(record)


def detection(text: str) -> str:
    """The rule with another selection."""
    return RULE.replace("        user: alice\n", f"        {text}\n")


# --- what pipelines do --------------------------------------------------------------------------------------

MAPPING = "- {type: field_name_mapping, mapping: {user: who.name, other: who.other}}\n"
TO_TWO = "- {type: field_name_mapping, mapping: {user: [a, b]}}\n"


def test_fields_are_mapped_in_items_references_and_the_list_of_fields(tmp_path: Path) -> None:
    """A mapping reaches the fields of items, those of `fieldref`, and `fields`."""
    pipeline = written(tmp_path, MAPPING)
    rule = compiled(RULE, pipeline)
    assert (matches(rule, {"who": {"name": "Alice"}}), matches(rule, {"user": "alice"})) == (True, False)
    assert rule.fields == ("who.name",)
    rule = compiled(detection("user|fieldref: other"), pipeline)
    assert matches(rule, {"who": {"name": "x", "other": "x"}})
    assert not matches(rule, {"who": {"name": "x", "other": "y"}})


@pytest.mark.parametrize(
    ("item", "record", "expected"),
    [
        ("user: x", {"a": "x", "b": "y"}, True),
        ("user: x", {"a": "y", "b": "y"}, False),
        ("user|neq: x", {"a": "x", "b": "y"}, False),
        ("user|neq: x", {"a": "y", "b": "y"}, True),
        ("user|neq: [x, z]", {"a": "y", "b": "z"}, False),
        ("user|exists: true", {"b": 1}, True),
        ("user|exists: false", {"b": 1}, False),
        ("user|exists: false", {}, True),
        ("user: null", {"b": 1}, False),
        ("user: null", {}, True),
        ("user|neq: null", {"b": 1}, True),
        ("user|neq: null", {}, False),
    ],
)
def test_one_field_under_two_names(tmp_path: Path, item: str, record: dict[str, Any], expected: bool) -> None:
    """Either name may hold the value; what must not be there must not be there under any name."""
    assert matches(compiled(detection(item), written(tmp_path, TO_TWO)), record) is expected


def test_a_list_of_negated_maps_stays_an_or(tmp_path: Path) -> None:
    """Only what a mapping made of one item is joined by `and`; alternatives of the rule stay alternatives."""
    text = detection("- {user|neq: x}\n        - {other|neq: x}")
    assert matches(compiled(text, written(tmp_path, TO_TWO)), {"a": "x", "b": "x", "other": "y"})


def test_conditions_are_added_under_the_same_names_every_time(tmp_path: Path) -> None:
    """An added condition has a fixed name, no pattern of the rule sees it, and the generated source is the same."""
    pipeline = written(
        tmp_path,
        "- {type: add_condition, conditions: {region: eu-west-1}}\n"
        "- {type: add_condition, negated: true, conditions: {service: $service}, template: true}\n",
    )
    text = RULE.replace("condition: selection", "condition: 1 of them")
    rule = compiled(text, pipeline)
    assert rule.source == compiled(text, pipeline).source
    assert matches(rule, {"user": "alice", "region": "eu-west-1"})
    assert not matches(rule, {"user": "bob", "region": "eu-west-1"})
    assert not matches(rule, {"user": "alice", "region": "us-east-1"})
    assert not matches(rule, {"user": "alice", "region": "eu-west-1", "service": "cloudtrail"})


def test_two_conditions_with_one_name_are_both_kept(tmp_path: Path) -> None:
    """The later does not replace the earlier, also across pipelines; a selection of the rule is not replaced."""
    one = written(tmp_path, "- {type: add_condition, name: _more, conditions: {a: 1}}\n", "one.yml")
    two = written(tmp_path, "- {type: add_condition, name: _more, conditions: {b: 1}}\n", "two.yml")
    rule = compiled(RULE, one, two)
    assert [matches(rule, {"user": "alice", **more}) for more in ({"a": 1, "b": 1}, {"a": 1}, {"b": 1})] == [
        True,
        False,
        False,
    ]
    with pytest.raises(cloudsigma.RuleError, match="adds a selection '_more', and the rule has one"):
        compiled(RULE.replace("selection", "_more"), one)


def test_the_log_source_is_changed(tmp_path: Path) -> None:
    """A rule for another log source applies once the pipeline says that it does."""
    text = RULE.replace("service: cloudtrail", "service: other")
    pipeline = written(tmp_path, "- {type: change_logsource, product: aws, service: cloudtrail}\n")
    rules = cloudsigma.compile_text(text, pipelines=[pipeline])
    assert len(rules.match({"user": "alice"})) == 1
    assert len(cloudsigma.compile_text(text).match({"user": "alice"})) == 0


def test_pipelines_go_by_priority_and_each_rule_gets_them_once(tmp_path: Path) -> None:
    """The lower priority comes first, whatever the order given; a second rule is not changed twice."""
    late = written(tmp_path, "- {type: field_name_prefix, prefix: late.}\n", "late.yml", "priority: 20\n")
    early = written(tmp_path, "- {type: field_name_prefix, prefix: early.}\n", "early.yml", "priority: 10\n")
    other = RULE.replace("2f3f7f1b6a10", "2f3f7f1b6a11").replace("rule_t", "rule_u")
    rules = cloudsigma.compile_text(f"{RULE}---\n{other}", pipelines=[late, early])
    assert [matches(rule, {"late": {"early": {"user": "alice"}}}) for rule in rules] == [True, True]


def test_nothing_of_one_rule_reaches_the_next(tmp_path: Path) -> None:
    """State, and lists that transformations hand out, start anew with each rule."""
    pipeline = written(
        tmp_path,
        "- {type: set_field, fields: [a]}\n"
        "- {type: add_field, field: b}\n"
        "- {type: set_state, key: k, val: v, rule_conditions: [{type: tag, tag: test.first}]}\n"
        "- type: field_name_prefix\n  prefix: x.\n"
        "  rule_conditions: [{type: processing_state, key: k, val: v}]\n",
    )
    second = RULE.replace("2f3f7f1b6a10", "2f3f7f1b6a11").replace("rule_t", "rule_u")
    rules = cloudsigma.compile_text(f"{RULE}tags: [test.first]\n---\n{second}", pipelines=[pipeline])
    assert [rule.fields for rule in rules] == [("x.a", "x.b"), ("a", "b")]


def test_placeholders_get_values_from_the_pipeline_nested_or_not(tmp_path: Path) -> None:
    """`vars` reach nested transformations too; what has no values is the usual error, or has those of the caller."""
    pipeline = written(
        tmp_path,
        "- type: nest\n  items:\n  - {type: value_placeholders, include: [admins]}\n",
        top="vars: {admins: [alice, 'b*']}\n",
    )
    text = detection("user|expand: ['%admins%', '%others%']")
    rule = compiled(text, pipeline, placeholders={"others": ["carol"]})
    assert [matches(rule, {"user": user}) for user in ("alice", "bob", "carol", "dora")] == [True, True, True, False]
    with pytest.raises(cloudsigma.RuleError, match="%others% has no values"):
        compiled(text, pipeline)


def test_evidence_shows_the_values_that_were_compared(tmp_path: Path) -> None:
    """Where the pipeline changed a value, the explanation has the new one; the line is that of the rule."""
    pipeline = written(tmp_path, "- {type: map_string, mapping: {alice: carol}}\n")
    rules = cloudsigma.compile_text(RULE, pipelines=[pipeline])
    (match,) = rules.match({"user": "carol"})
    assert [evidence.pattern for evidence in match.evidence] == ["carol"]
    assert "(line 8)" in str(rules.explain({"user": "carol"}, "rule_t"))


# --- filters and correlations -------------------------------------------------------------------------------

FILTER = """\
title: F
logsource: {product: aws}
filter:
    rules: [rule_t]
    known: {other: x}
    condition: not known
"""


def test_a_filter_is_changed_as_the_rule_is(tmp_path: Path) -> None:
    """Conditions on the log source look at the rule's for the fields of its filters, and filters are found before."""
    pipeline = written(
        tmp_path,
        "- type: field_name_prefix\n  prefix: p.\n  rule_conditions: [{type: logsource, service: cloudtrail}]\n"
        "- {type: change_logsource, product: somewhere}\n",
    )
    rules = cloudsigma.compile_text(f"{RULE}---\n{FILTER}", pipelines=[pipeline], logsource={"product": "somewhere"})
    assert len(rules.match({"p": {"user": "alice"}})) == 1
    assert len(rules.match({"p": {"user": "alice", "other": "x"}})) == 0


def test_an_error_in_a_filter_is_told_once_and_leaves_the_rules(tmp_path: Path) -> None:
    """A filter with a placeholder without values is left out, with one error for its two rules."""
    second = RULE.replace("2f3f7f1b6a10", "2f3f7f1b6a11").replace("rule_t", "rule_u")
    bad = FILTER.replace("[rule_t]", "any").replace("other: x", "other|expand: '%none%'")
    rules = cloudsigma.compile_text(
        f"{RULE}---\n{second}---\n{bad}", pipelines=[written(tmp_path, MAPPING)], on_error="skip"
    )
    assert len(rules) == 2
    assert [error.category for error in rules.errors] == ["unsupported"]


CORRELATION = """\
title: C
correlation:
    type: value_count
    rules: [rule_t]
    group-by: [user, same]
    aliases: {same: {rule_t: other}}
    timespan: 1m
    condition: {field: what, gte: 2}
"""


def test_fields_of_correlations_are_mapped(tmp_path: Path) -> None:
    """Groups, aliases and the field of the condition follow the mapping; names of aliases stay."""
    mapping = "{user: who.name, other: who.other, same: nope, what: who.what}"
    logsource = "rule_conditions: [{type: logsource, service: cloudtrail}]"
    pipeline = written(tmp_path, f"- {{type: field_name_mapping, mapping: {mapping}, {logsource}}}\n")
    rules = cloudsigma.compile_text(f"{RULE}---\n{CORRELATION}", pipelines=[pipeline])
    correlation = tuple(rules)[1].correlation
    assert correlation is not None
    assert correlation.group_by == ("who.name", "same")
    assert [alias.fields for alias in correlation.aliases] == [(("6d8f3a52-6c5b-4d3e-9b0e-2f3f7f1b6a10", "who.other"),)]
    assert correlation.threshold is not None
    assert (correlation.threshold.fields, correlation.threshold.value) == (("who.what",), 2)


@pytest.mark.parametrize("field", ["user", "other", "what"])
def test_a_correlation_has_no_field_under_two_names(tmp_path: Path, field: str) -> None:
    """Groups, aliases and conditions take one name; several are an error of the correlation."""
    pipeline = written(tmp_path, f"- {{type: field_name_mapping, mapping: {{{field}: [a, b]}}}}\n")
    rules = cloudsigma.compile_text(f"{RULE}---\n{CORRELATION}", pipelines=[pipeline], on_error="skip")
    assert [rule.title for rule in rules] == ["T"]
    assert [error.category for error in rules.errors] == ["unsupported"]


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transformation", "reason"),
    [
        ("{type: http_placeholders, url: 'http://192.0.2.1/'}", "asks a server"),
        ("{type: command_placeholders, command: 'touch FILE'}", "runs a command"),
        ("{type: file_placeholders, path: FILE}", "opens further files"),
        ("{type: query_expression_placeholders, expression: x}", "writes text into a query"),
        ("{type: regex}", "not anchored"),
        ("{type: hashes_fields, valid_hash_algos: [MD5]}", "loses the modifiers"),
        ("{type: extract_fields, regex: '(?P<a>.)'}", "loses the modifiers"),
        ("{type: nest, items: [{type: command_placeholders}]}", "runs a command"),
        ("{type: nest, items: [{type: nest, items: [{type: http_placeholders}]}]}", "asks a server"),
    ],
)
def test_transformations_that_reach_outside_are_refused(tmp_path: Path, transformation: str, reason: str) -> None:
    """They are refused with their line, at any depth, and nothing is run."""
    pipeline = written(tmp_path, f"- {transformation.replace('FILE', str(tmp_path / 'made'))}\n")
    with pytest.raises(cloudsigma.RuleError, match=reason) as caught:
        cloudsigma.compile_text(RULE, pipelines=[pipeline], on_error="skip")
    assert (caught.value.category, caught.value.path, caught.value.line) == ("unsupported", str(pipeline), 3)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("text", "category", "reason"),
    [
        ("finalizers: [{type: template, template: x}]", "unsupported", "finalizers works on the text"),
        ("postprocessing: [{type: embed}]", "unsupported", "postprocessing works on the text"),
        ("transformation: []", "schema", "no 'transformation' in a pipeline"),
        ("allow_external_sources: true", "schema", "no 'allow_external_sources' in a pipeline"),
        ("priority: high", "schema", "priority is not a whole number"),
        ("vars: {a: {b: c}}", "schema", "'a' is no list"),
        ("transformations: {}", "schema", "transformations is not a list"),
        ("transformations: [field_name_mapping]", "schema", "has no type"),
        ("transformations: [{type: field_name_maping}]", "schema", "no transformation 'field_name_maping'"),
        ("transformations: [{type: field_name_mapping, mapping: {a: [1]}}]", "schema", "'a' is mapped to"),
        ("transformations: [{type: field_name_mapping, mapping: {a: []}}]", "schema", "'a' is mapped to"),
        ("transformations: [{type: nest}]", "schema", "items is not a list"),
        ("transformations: [{type: case, policy: x}]", "schema", "case takes no 'policy'"),
        ("transformations: [{type: case, method: x}]", "schema", "Invalid method 'x'"),
        ("transformations: [{type: case, rule_conditions: [{type: x}]}]", "schema", "Unknown condition type 'x'"),
        ("transformations: [{type: add_condition, conditions: {a: 1}, name: a or b}]", "schema", "no name of a"),
        ("[]", "schema", "is not a map"),
        ("", "schema", "is not a map"),
        ("a: 1\n---\nb: 2", "schema", "several documents"),
        ("a: [", "yaml", "bracket"),
        ("a: !!python/object:os.system x", "yaml", "tag"),
    ],
)
def test_broken_pipelines_say_what_is_wrong(tmp_path: Path, text: str, category: str, reason: str) -> None:
    """Each has a category, its path and a line; none of pySigma's own exceptions comes through."""
    path = tmp_path / "p.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(cloudsigma.RuleError, match=reason) as caught:
        read_pipelines([path])
    assert (caught.value.category, caught.value.path) == (category, str(path))
    assert caught.value.line is not None


def test_files_and_names_that_are_not_there(tmp_path: Path) -> None:
    """A path that is not there is a `file` error, a name that is not there is wrong usage and names the nearest."""
    with pytest.raises(cloudsigma.RuleError, match="cannot be read") as caught:
        read_pipelines([tmp_path / "none.yml"])
    assert caught.value.category == "file"
    with pytest.raises(cloudsigma.UsageError, match="Did you mean 'evtx_json'"):
        read_pipelines(["evtx-json"])
    with pytest.raises(cloudsigma.UsageError, match="give a list"):
        read_pipelines("evtx_json")
    assert read_pipelines([]) is None


@pytest.mark.parametrize(
    ("transformation", "text", "line", "reason"),
    [
        ("{type: rule_failure, message: not here}", RULE, 1, "not here"),
        ("{type: detection_item_failure, message: not here}", RULE, 8, "not here"),
        ("{type: drop_detection_item}", RULE, 7, "leaves nothing"),
        ("{type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [user]}]}",
         detection("- {user: a}\n        - {other: b}"), 7, "leaves nothing"),
        ("{type: value_placeholders}", detection("user|expand: '%x%'"), 8, "%x% has no values"),
        ("{type: map_string, mapping: {a: [b, c]}}", detection("user|all: [a, d]"), 8, "several values"),
    ],
)  # fmt: skip
def test_what_a_pipeline_cannot_do_to_a_rule_is_an_error_of_the_rule(
    tmp_path: Path, transformation: str, text: str, line: int, reason: str
) -> None:
    """The rule is left out with its place; it never becomes wider without a word."""
    rules = cloudsigma.compile_text(text, pipelines=[written(tmp_path, f"- {transformation}\n")], on_error="skip")
    (error,) = rules.errors
    assert len(rules) == 0
    assert (error.category, error.line) == ("unsupported", line)
    assert reason in error.reason


def test_an_error_of_the_rule_itself_is_the_same_with_a_pipeline(tmp_path: Path) -> None:
    """Category, line and column of a bad condition do not depend on pipelines."""
    text = RULE.replace("condition: selection", "condition: selektion")
    errors = []
    for pipelines in ([], [written(tmp_path, MAPPING)]):
        errors += cloudsigma.compile_text(text, pipelines=pipelines, on_error="skip").errors
    assert errors[0] == errors[1]
    assert (errors[0].category, errors[0].line) == ("condition", 9)


def test_the_command_applies_pipelines(tmp_path: Path) -> None:
    """`--pipeline` changes the bundled rules; one that cannot be used ends the command with its place."""
    pipeline = written(tmp_path, "- {type: field_name_prefix, prefix: detail.}\n")
    arguments = ["explain", "aws_cloudtrail_iam_group_created", "--pipeline", str(pipeline)]
    done = CliRunner().invoke(group, arguments)
    assert done.exit_code == 0
    assert "field('detail.eventSource')" in done.output
    pipeline.write_text("finalizers: []\n", encoding="utf-8")
    failed = subprocess.run(
        [sys.executable, "-m", "cloudsigma", *arguments], text=True, capture_output=True, check=False
    )
    assert failed.returncode not in (0, 1)
    assert f"{pipeline}:1:1: unsupported error" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_pipeline_that_changes_nothing_changes_nothing(tmp_path: Path, shared_corpus: Path) -> None:
    """The stages with a pipeline come to the same rules, errors and warnings as those without, for all of SigmaHQ."""
    folder = shared_corpus / "sigmahq_all"
    plain = cloudsigma.compile_rules(folder, on_error="skip")
    pipeline = written(tmp_path, "- {type: field_name_mapping, mapping: {no such field: x}}\n")
    through = cloudsigma.compile_rules(folder, pipelines=[pipeline], on_error="skip")
    assert [(rule.id, rule.source) for rule in through] == [(rule.id, rule.source) for rule in plain]
    assert set(through.errors) == set(plain.errors)
    assert through.warnings == plain.warnings


# --- the pipeline that comes with the package ---------------------------------------------------------------


def test_evtx_json_maps_windows_events() -> None:
    """A category becomes channel and event ID, fields become event data; rules for others are left alone."""
    text = RULE.replace("product: aws, service: cloudtrail", "product: windows, category: process_creation")
    rule = compiled(text, "evtx_json")
    system = {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1}
    assert matches(rule, {"Event": {"System": system, "EventData": {"user": "alice"}}})
    assert not matches(rule, {"Event": {"System": {**system, "EventID": 3}, "EventData": {"user": "alice"}}})
    assert matches(compiled(RULE, "evtx_json"), {"user": "alice"})


# --- values that transformations did not reach ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("transformation", "item", "record", "expected"),
    [
        ("{type: replace_string, regex: enc, replacement: command}", "user|windash|contains: '-enc'",
         {"user": "x /command"}, True),
        ("{type: replace_string, regex: enc, replacement: command}", "user|windash|contains: '-enc'",
         {"user": "x -encoded"}, False),
        ("{type: replace_string, regex: enc, replacement: command}", "user|windash|contains|all: ['-enc', '-x']",
         {"user": "/command /x"}, True),
        ("{type: case, method: upper}", "user|windash|cased: '-enc'", {"user": "-ENC"}, True),
        ("{type: convert_type, target_type: num}", "user: '9007199254740993'", {"user": 9007199254740993}, True),
        ("{type: convert_type, target_type: num}", "user: '9007199254740993'", {"user": 9007199254740992}, False),
        ("{type: convert_type, target_type: str}", "user: 9007199254740993", {"user": "9007199254740993"}, True),
        ("{type: wildcard_placeholders}", "user|re|expand: '^adm%x%in$'", {"user": "admXin"}, True),
        ("{type: wildcard_placeholders}", "user|re|expand: '^adm%x%in$'", {"user": "adin"}, False),
        ("{type: map_string, mapping: {a: [b, c]}}", "user|neq: a", {"user": "c"}, False),
    ],
)  # fmt: skip
def test_every_variant_and_digit_is_reached(
    tmp_path: Path, transformation: str, item: str, record: dict[str, Any], expected: bool
) -> None:
    rule = compiled(detection(item), written(tmp_path, f"- {transformation}\n"))
    assert matches(rule, record) is expected


def test_a_text_that_is_encoded_already_is_not_changed_in_silence(tmp_path: Path) -> None:
    """The rule is refused where the transformation would have changed its text, and left as it is elsewhere."""
    pipeline = written(tmp_path, "- {type: replace_string, regex: enc, replacement: command}\n")
    with pytest.raises(cloudsigma.RuleError, match="which base64 has encoded before") as caught:
        compiled(detection("user|base64: 'x enc'"), pipeline)
    assert caught.value.category == "unsupported"
    assert matches(compiled(detection("user|base64: 'abc'"), pipeline), {"user": "YWJj"})


def test_an_absence_under_several_names_stays_one_after_its_value_was_changed(tmp_path: Path) -> None:
    """What a field must not be, it must not be under any name, also where another transformation came between."""
    pipeline = written(
        tmp_path,
        "- {type: field_name_mapping, mapping: {user: [a, b]}}\n- {type: map_string, mapping: {alice: carol}}\n",
    )
    rule = compiled(detection("user|neq: alice"), pipeline)
    assert [matches(rule, {"a": a, "b": "x"}) for a in ("carol", "dora")] == [False, True]


def test_the_command_warns_of_a_prefix_for_an_envelope_and_reads_windows_events(tmp_path: Path) -> None:
    """Records are unwrapped before rules see them; events of Windows stay as they are."""
    trail = tmp_path / "e.jsonl"
    channel = "Microsoft-Windows-Sysmon/Operational"
    trail.write_text(
        f'{{"Event": {{"System": {{"Channel": "{channel}", "EventID": 1}}, "EventData": {{"a": "b"}}}}}}\n'
    )
    rule = tmp_path / "r.yml"
    rule.write_text(
        "title: T\nlogsource: {product: windows, category: process_creation}\n"
        "detection:\n    s: {a: b}\n    condition: s\n"
    )
    done = run(
        "scan", trail, "--no-bundled", "--rules", rule, "--pipeline", "evtx_json", "--logsource", "product=windows",
        "--format", "jsonl", "--no-record",
    )  # fmt: skip
    assert '"form":"evtx"' in done.stdout
    prefix = written(tmp_path, "- {type: field_name_prefix, prefix: detail.}\n")
    done = run("scan", trail, "--pipeline", prefix)
    assert "4 rules look below 'detail'" in done.stderr
