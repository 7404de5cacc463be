"""The pytest plugin: what is collected, how failures look, and that pytest's own options work with it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import hypothesis  # noqa: F401  # its plugin imports it at the end of every run otherwise
import pytest

import cloudsigma.compiler.pipeline  # see below
import cloudsigma.testing.pytest.items  # noqa: F401  # as above
from cloudsigma import testing
from cloudsigma.compiler import compile_rules

pytest_plugins = ["pytester"]

# Runs inside of this one forget the modules that they import; those with a C part do not bear it.
testing.find_tests(Path(__file__).parent.parent.parent / "sigma_correlations")
testing.record("iam:CreateGroup")

ROOT = Path(__file__).parent.parent.parent

MISCOUNTED = {
    "0b9ad457-2554-44c1-82c2-d56a99c42377",
    "8fbf3271-1ef6-4e94-8210-03c2317947f6",
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393",
}
"""Three events of these match, read by hand; `info.yml` says 1."""

GROUP = """\
title: Group Created
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10
name: group_created
status: test
level: high
tags: [attack.persistence, attack.t1098.001]
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName: CreateGroup
    eventSource: iam.amazonaws.com
  filter_main:
    userIdentity.type: Root
  condition: selection and not filter_main
"""
CASES = """\
template: {call: 'iam:CreateGroup'}
cases:
  - {name: a user creates a group, reason: that is it., match: true}
  - {name: the root user does, reason: another rule is for that., match: false, template: {principal: root}}
"""
WRONG = """\
  - name: 'deleted :: not [created]'
    reason: the rule is about new groups.
    match: true
    set: {eventName: DeleteGroup}
"""
OTHER = """\
title: Key Created
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d11
level: low
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: CreateAccessKey}, condition: selection}
"""
BROKEN = """\
title: Broken
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d12
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName|contians: Create
  condition: selection
"""
CORRELATION = """\
title: Many Groups
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d13
correlation:
  type: event_count
  rules: [group_created]
  group-by: [userIdentity.arn]
  timespan: 5m
  condition: {gte: 2}
"""
SEQUENCE = """\
template: {call: 'iam:CreateGroup'}
start: '2026-11-20T10:00:00Z'
cases:
  - name: two groups
    reason: two are many here.
    match: true
    records: [{after: 0s}, {after: 1m, template: {request: {groupName: b}}}]
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A rule with two cases, one without, YAML that is none, and no configuration."""
    write(pytester.path, {
        "rules/group.yml": GROUP, "rules/group.cases.yml": CASES, "rules/key.yml": OTHER,
        "rules/notes.yml": "title: notes\n", "compose.yaml": "services: {db: {image: x}}\n",
    })  # fmt: skip
    return pytester.path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def node_ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line and not line.startswith(("FAILED", "ERROR"))]


# --- what is collected --------------------------------------------------------------------------------------


def test_rules_and_cases_are_tests_and_other_yaml_is_none(pytester: pytest.Pytester, project: Path) -> None:
    result = pytester.runpytest("--co", "-q")
    assert node_ids(result) == [
        "rules/group.cases.yml::a user creates a group",
        "rules/group.cases.yml::the root user does",
        "rules/group.yml::compiles",
        "rules/key.yml::compiles",
    ]
    pytester.runpytest().assert_outcomes(passed=4)


def test_collection_can_be_shown_as_a_tree(pytester: pytest.Pytester, project: Path) -> None:
    result = pytester.runpytest("--co", "rules")
    result.stdout.fnmatch_lines(["*<CasesFile group.cases.yml>", "*<RuleCase a user creates a group>"])


@pytest.mark.parametrize(
    ("path", "passed"), [("rules/group.yml", 3), ("rules/group.cases.yml", 2), ("rules", 4), ("rules/key.yml", 1)]
)
def test_paths_choose_and_a_rule_file_brings_its_cases(
    pytester: pytest.Pytester, project: Path, path: str, passed: int
) -> None:
    pytester.runpytest(path).assert_outcomes(passed=passed)


def test_rule_and_cases_named_together_are_run_once(pytester: pytest.Pytester, project: Path) -> None:
    pytester.runpytest("rules/group.yml", "rules/group.cases.yml").assert_outcomes(passed=3)


def test_one_case_by_its_node_id(pytester: pytest.Pytester, project: Path) -> None:
    pytester.runpytest("rules/group.cases.yml::the root user does").assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["a :: b", "a [b] c", "a\\tb", "ä/ö", "a::b[c]"])
def test_any_name_of_a_case_can_be_called_by_its_node_id(pytester: pytest.Pytester, project: Path, name: str) -> None:
    write(project, {"rules/group.cases.yml": CASES.replace("a user creates a group", f'"{name}"')})
    first = node_ids(pytester.runpytest("--co", "-q"))[0]
    pytester.runpytest(first).assert_outcomes(passed=1)


def test_rules_of_other_tools_are_left_alone(pytester: pytest.Pytester) -> None:
    write(pytester.path, {
        "a.yml": "detection: {model: yolo}\n", "b.cases.yml": "suites: []\n", "info.yml": "name: x\n",
        "c.yaml": "on: push\njobs: {detection: {logsource: x}}\n", "d.yml": "[",
    })  # fmt: skip
    pytester.makepyfile("def test(): pass")
    pytester.runpytest("--strict-markers").assert_outcomes(passed=1)


def test_ignored_files_stay_ignored(pytester: pytest.Pytester, project: Path) -> None:
    pytester.runpytest("--ignore=rules/group.cases.yml").assert_outcomes(passed=2)


def test_rule_that_does_not_compile_is_a_failing_test(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"rules/broken.yml": BROKEN, "rules/broken.cases.yml": CASES})
    result = pytester.runpytest("-k", "broken")
    result.assert_outcomes(failed=3, deselected=4)
    result.stdout.fnmatch_lines([
        "rules/broken.cases.yml:3:5: case error: *: its rule does not compile. Correct the rule first.",
        "rules/broken.yml:6:5: modifier error: *: there is no modifier 'contians'. Did you mean 'contains'?",
        "FAILED rules/broken.yml::compiles - there is no modifier 'contians'. *",
    ])  # fmt: skip


@pytest.mark.parametrize("text", ["[", "cases: 1", "record: {}\ncases:\n- {name: a}\n", "{cases: }"])
def test_cases_that_cannot_be_read_are_failing_tests(pytester: pytest.Pytester, project: Path, text: str) -> None:
    write(project, {"rules/group.cases.yml": text})
    result = pytester.runpytest()
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["rules/group.cases.yml:*: case error: *"])


def test_cases_without_their_rule_are_a_failing_test(pytester: pytest.Pytester) -> None:
    write(pytester.path, {"gone.cases.yml": CASES})
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["gone.cases.yml:1: case error: there is no rule file gone.yml beside it. *"])


def test_rules_of_a_run_are_compiled_once_and_together(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, {"more/many.yml": CORRELATION, "more/many.cases.yml": SEQUENCE})
    compiled: list[int] = []

    def counting(*paths: str, **options: Any) -> Any:
        compiled.append(len(paths))
        return compile_rules(*paths, **options)

    monkeypatch.setattr("cloudsigma.testing.cases.suite.compile_rules", counting)
    pytester.runpytest().assert_outcomes(passed=6)
    assert compiled == [3]


def test_correlation_finds_rules_outside_of_what_is_asked_for(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"more/many.yml": CORRELATION, "more/many.cases.yml": SEQUENCE})
    pytester.makeini("[pytest]\n")
    pytester.runpytest("more").assert_outcomes(passed=2)


def test_what_is_wrong_outside_of_what_is_asked_for_is_no_test(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"more/many.yml": CORRELATION, "more/many.cases.yml": SEQUENCE, "other/broken.yml": BROKEN})
    pytester.makeini("[pytest]\n")
    pytester.runpytest("more").assert_outcomes(passed=2)


def test_filter_of_the_project_counts_whatever_is_asked_for(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"tuning/users.yml": """\
title: Users may
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d14
logsource: {product: aws, service: cloudtrail}
filter: {rules: [group_created], selection: {userIdentity.type: IAMUser}, condition: not selection}
"""})  # fmt: skip
    pytester.makeini("[pytest]\ncloudsigma_rules = rules tuning\n")
    pytester.runpytest("rules/group.cases.yml").assert_outcomes(passed=1, failed=1)
    pytester.makeini("[pytest]\n")
    pytester.runpytest("rules/group.cases.yml").assert_outcomes(passed=2)


# --- choosing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("level_high", 3),
        ("level_low", 1),
        ("status_test", 3),
        ("service_cloudtrail", 4),
        ("product_aws and not level_low", 3),
        ("attack_persistence", 3),
        ("attack_t1098", 3),
        ("attack_t1098_001", 3),
        ("level_critical", 0),
        ("attack_t1098 or status_stable", 3),
        ("rule_6e1b0c8e_2f7d_4f5b_9d3e_0c6f8a4b2d11", 1),
        ("rule_group_created", 3),
        ("sigma", 4),
        ("not sigma", 1),
    ],
)
def test_markers(pytester: pytest.Pytester, project: Path, expression: str, chosen: int) -> None:
    pytester.makepyfile("def test(): pass")
    result = pytester.runpytest("--strict-markers", "-W", "error", "-m", expression)
    result.assert_outcomes(passed=chosen, deselected=5 - chosen)


@pytest.mark.parametrize(
    ("text", "chosen"), [("root", 1), ("t1098", 3), ("6e1b0c8e and key", 1), ("Created and not Group", 1), ("nope", 0)]
)
def test_texts(pytester: pytest.Pytester, project: Path, text: str, chosen: int) -> None:
    pytester.runpytest("-k", text).assert_outcomes(passed=chosen, deselected=4 - chosen)


# --- failures -----------------------------------------------------------------------------------------------


def test_failure_shows_why(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"rules/group.cases.yml": CASES + WRONG})
    result = pytester.runpytest("rules")
    result.assert_outcomes(failed=1, passed=4)
    result.stdout.fnmatch_lines(
        [
            "*_ group.cases.yml: deleted : not (created) _*",
            "rules/group.cases.yml:5:5: deleted :: not [[]created]: FAILED",
            "  expected a match, but there is none",
            "  because the rule is about new groups.",
            "  rule 'Group Created' (rules/group.yml:1), decided by",
            "    rules/group.yml:10: eventName: CreateGroup",
            "  the record differs from its base:",
            '    eventName: "DeleteGroup" (was "CreateGroup")',
            "  Group Created (6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10) does not match",
            "    ✗ and",
            '          ✗ eventName: CreateGroup; the record has "DeleteGroup"  (line 10)',
            "      ✓ not",
            "*short test summary*",
            "FAILED rules/group.cases.yml::deleted : not (created) - expected a match*",
        ],
        consecutive=False,
    )
    assert "Traceback" not in result.stdout.str()


def test_failure_has_colors_on_a_terminal(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"rules/group.cases.yml": CASES + WRONG})
    for workers in ([], ["-n", "1"]):
        text = pytester.runpytest("--color=yes", *workers, "rules").stdout.str()
        assert re.search("\x1b\\[31m +✗ eventName", text)
        assert re.search("\x1b\\[32m +✓ eventSource", text)
        assert "\x1b" not in pytester.runpytest("--color=no", *workers, "rules").stdout.str()


def test_control_characters_of_records_do_not_reach_the_terminal(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"rules/group.cases.yml": CASES + WRONG.replace("DeleteGroup", '"\\e[2JDelete"')})
    text = pytester.runpytest("--color=no").stdout.str()
    assert "2JDelete" in text
    assert "\x1b" not in text


def test_junit_xml(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"rules/group.cases.yml": CASES + WRONG})
    pytester.runpytest("--junitxml=out.xml")
    cases = ET.parse(project / "out.xml").getroot().findall(".//testcase")  # noqa: S314  # our own
    assert len(cases) == 5
    [failure] = [failure for case in cases for failure in case.findall("failure")]
    assert failure.get("message") == "expected a match, but there is none"
    assert "✗ eventName: CreateGroup" in (failure.text or "")


def test_only_what_failed_last_and_stop_at_the_first(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"rules/group.cases.yml": CASES + WRONG + WRONG.replace("deleted", "again").replace("Del", "Upd")})
    pytester.runpytest().assert_outcomes(failed=2, passed=4)
    pytester.runpytest("--lf").assert_outcomes(failed=2)
    pytester.runpytest("-x").assert_outcomes(failed=1, passed=2)
    write(project, {"rules/group.cases.yml": CASES + WRONG.replace("match: true", "match: false")})
    pytester.runpytest("--lf").assert_outcomes(passed=1)


def test_workers_of_xdist(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"rules/group.cases.yml": CASES + WRONG, "rules/broken.yml": BROKEN})
    result = pytester.runpytest("-n", "2", "-v", "-m", "sigma")
    result.assert_outcomes(failed=2, passed=4)
    result.stdout.fnmatch_lines(["FAILED rules/broken.yml::compiles - there is no modifier*"])
    result.stdout.fnmatch_lines(["FAILED rules/group.cases.yml::* - expected a match*"])


# --- settings -----------------------------------------------------------------------------------------------


WINDOWS = """\
title: Whoami
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d15
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\whoami.exe'}
  names: {User|expand: '%admins%'}
  condition: selection and names
"""
EVENT = """\
record: {Event: {System: {EventID: 1, Channel: Microsoft-Windows-Sysmon/Operational},
                 EventData: {Image: 'C:\\whoami.exe', User: root}}}
cases: [{name: whoami, reason: that is it., match: true}]
"""


def test_settings(pytester: pytest.Pytester) -> None:
    write(pytester.path, {"r/w.yml": WINDOWS, "r/w.cases.yml": EVENT, "values.yml": "admins: [root]\n"})
    pytester.makeini(
        "[pytest]\ncloudsigma_pipelines = evtx_json\ncloudsigma_placeholders = values.yml\n"
        "cloudsigma_logsource = product=windows category=process_creation\n"
    )
    pytester.runpytest("--strict-config").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cloudsigma_pipelines = nope", "*nope*"),
        ("cloudsigma_placeholders = nope.yml", "*nope.yml*"),
        ("cloudsigma_logsource = windows", "*'windows'; write product=*"),
        ("cloudsigma_rules = nope\ncloudsigma_pipelines =", "*there is no file or folder*nope*"),
    ],
)
def test_settings_that_make_no_sense_stop_the_run(
    pytester: pytest.Pytester, project: Path, setting: str, said: str
) -> None:
    pytester.makeini(f"[pytest]\n{setting}\n")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


# --- tests in Python ----------------------------------------------------------------------------------------


def test_fixtures(pytester: pytest.Pytester, project: Path) -> None:
    pytester.makepyfile("""
        def test_rule(cloudsigma_rules, record):
            rule = cloudsigma_rules["group_created"]
            assert rule.predicate(record("iam:CreateGroup")) is True
            assert rule.predicate(record("iam:CreateGroup", principal="root")) is False

        def test_evaluate(evaluate, record):
            [match] = evaluate(record("iam:CreateGroup", principal="role_session"))
            assert match.context.principal.kind == "role_session"
            assert evaluate([record("iam:DeleteGroup")], rule="group_created") == []
    """)
    pytester.runpytest("-W", "error", "test_fixtures.py").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "body",
    [
        'assert rule.predicate(record("iam:DeleteGroup"))',
        'assert rule.predicate(record("iam:DeleteGroup")) is True',
        'assert rule.predicate(\n            record(\n                "iam:DeleteGroup"\n            )\n        )',
        'assert all(rule.predicate(record(call)) for call in ["iam:CreateGroup", "iam:DeleteGroup"])',
        'assert [rule.predicate(record(call)) for call in ["iam:DeleteGroup"]] == [True]',
        'verdict = rule.predicate(record("iam:DeleteGroup"))\n        assert verdict',
        'assert evaluate(record("iam:DeleteGroup"), rule="group_created")',
        'assert evaluate(record("iam:DeleteGroup"))',
    ],
)
def test_assertion_explains_itself(pytester: pytest.Pytester, project: Path, body: str) -> None:
    (project / "rules" / "key.yml").unlink()
    pytester.makepyfile(f"""
    def test(cloudsigma_rules, evaluate, record):
        rule = cloudsigma_rules["group_created"]
        {body}
    """)
    result = pytester.runpytest("--color=no", "-k", "test_assertion")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines([
        "E  *Group Created (6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10) does not match, rules/group.yml:1",
        'E  *✗ eventName: CreateGroup; the record has "DeleteGroup"  (line 10)',
    ])  # fmt: skip


def test_assertion_about_something_else_is_left_alone(pytester: pytest.Pytester, project: Path) -> None:
    pytester.makepyfile("""
        def test(cloudsigma_rules, record):
            rule = cloudsigma_rules["group_created"]
            assert rule.predicate(record("iam:CreateGroup"))
            assert not rule.predicate(record("iam:DeleteGroup"))
            assert 1 == 2
    """)
    result = pytester.runpytest("test_assertion_about_something_else_is_left_alone.py")
    result.assert_outcomes(failed=1)
    assert "✗" not in result.stdout.str()


def test_bad_rule_of_the_project_is_a_warning(pytester: pytest.Pytester, project: Path) -> None:
    write(project, {"rules/broken.yml": BROKEN})
    pytester.makepyfile("def test(cloudsigma_rules): assert len(cloudsigma_rules) == 2")
    result = pytester.runpytest("-W", "default", "-k", "test_bad")
    result.assert_outcomes(passed=1, deselected=5, warnings=1)
    result.stdout.fnmatch_lines(["*PytestWarning: rules/broken.yml:6:5: modifier error: *"])


def test_fixture_without_rules_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(cloudsigma_rules): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*UsageError: there are no rules below *"])


# --- other projects -----------------------------------------------------------------------------------------


def test_project_without_rules_imports_nothing_but_the_plugin(tmp_path: Path) -> None:
    listing = "print(sorted(name for name in sys.modules if name.startswith('cloudsigma')))"
    write(tmp_path, {
        "test_it.py": f"import sys\ndef test(): {listing}\n",
        "a.yml": "name: detection\non: push\njobs: {detection: x}\n", "b.yaml": "a: 1\n",
    })  # fmt: skip
    bare = printed(tmp_path, "-c", f"import cloudsigma, sys; {listing}")
    assert "pytest_plugin" not in bare
    met = printed(tmp_path, "-m", "pytest", "-s", "-q")
    assert sorted([*ast.literal_eval(bare), "cloudsigma.pytest_plugin"]) == ast.literal_eval(met)


def printed(folder: Path, *arguments: str) -> str:
    run = subprocess.run([sys.executable, *arguments], cwd=folder, text=True, capture_output=True, check=True)
    return run.stdout.splitlines()[0]


# --- regression data ----------------------------------------------------------------------------------------


def test_sigmahqs_regression_data_as_it_is(pytester: pytest.Pytester, shared_corpus: Path) -> None:
    """101 cases; three numbers in the data are wrong (see `test_regression.py`)."""
    result = pytester.runpytest("-q", str(shared_corpus / "sigmahq_regression"), "-k", "info.yml")
    result.assert_outcomes(failed=3, passed=98, deselected=102)
    failed = [line for line in result.outlines if line.startswith("FAILED")]
    assert {re.findall(r"\(([0-9a-f-]{36})", line)[0] for line in failed} == MISCOUNTED


def test_distinct_cases_have_distinct_node_ids(pytester: pytest.Pytester, project: Path) -> None:
    names = ["one [x]", "one (x)", "two::x", "two:x", "two:x (2)"]
    case = "  - {{name: '{0}', reason: that is it., match: true, set: {{userAgent: '{0}'}}}}\n"
    text = CASES.partition("cases:")[0] + "cases:\n" + "".join(map(case.format, names))
    write(project, {"rules/group.cases.yml": text})
    found = [node for node in node_ids(pytester.runpytest("--co", "-q")) if ".cases.yml" in node]
    assert [node.partition("::")[2] for node in found] == [
        "one (x) (2)", "one (x)", "two:x (3)", "two:x", "two:x (2)",
    ]  # fmt: skip
    for node in found:
        pytester.runpytest(node).assert_outcomes(passed=1)


def test_a_failure_names_the_file_of_the_filter_that_decided(pytester: pytest.Pytester, project: Path) -> None:
    narrow = """\
title: Not by automation
logsource: {product: aws, service: cloudtrail}
filter:
  rules: [6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10]
  selection:
    eventName: CreateGroup
  condition: not selection
"""
    write(project, {"rules/narrow.yml": narrow})
    result = pytester.runpytest("rules")
    result.stdout.fnmatch_lines(["*rule 'Group Created' (rules/group.yml:1), decided by*", "*rules/narrow.yml:6: *"])
