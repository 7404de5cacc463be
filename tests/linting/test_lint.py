"""The linter: each kind of finding on its own example, the mistakes of authors, and public rules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

import cloudsigma
from cloudsigma.catalogue import Catalogue
from cloudsigma.errors import UsageError
from cloudsigma.linting.checks import checks
from cloudsigma.linting.fixes import fixed_texts
from cloudsigma.linting.formats import FORMATS
from cloudsigma.linting.outcome import SIBLINGS
from cloudsigma.linting.run import LintOptions, run_lint

MISTAKES = Path(__file__).parents[1] / "corpus" / "mistakes"
INVENTED = frozenset({"unknown-event-name", "unknown-field"})
"""Findings about names that the rules of `other_spellings.yml` invent."""
EXAMPLES = [
    pytest.param(slug, kind, id=f"{slug}-{kind}")
    for slug, check in checks().items()
    for kind in ("bad", "good")
    if getattr(check, kind) is not None
]


@pytest.mark.parametrize(("slug", "kind"), EXAMPLES)
def test_each_kind_is_found_in_its_bad_rule_and_not_in_its_good_one(slug: str, kind: str, tmp_path: Path) -> None:
    check = checks()[slug]
    rule = tmp_path / "rule.yml"
    rule.write_text(check.example(getattr(check, kind)), encoding="utf-8")
    found = [finding.slug for finding in cloudsigma.lint(rule, profile="thorough")]
    assert (slug in found) is (kind == "bad")
    if kind == "good":
        assert set(found) <= {"outcome-not-tested"}


def mistakes() -> list[Any]:
    return [
        pytest.param(
            {**case, "invented": INVENTED if file.stem == "other_spellings" else ()},
            id=f"{file.stem}: {case['mistake']}",
        )
        for file in sorted(MISTAKES.glob("*.yml"))
        for case in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("case", mistakes())
def test_mistakes_of_authors(case: dict[str, Any], tmp_path: Path) -> None:
    """Each `told` mistake is told, at its line where that is known, and each `quiet` rule is quiet."""
    rule = tmp_path / "rule.yml"
    rule.write_text(str(case["text"]), encoding="utf-8")
    found = [finding for finding in cloudsigma.lint(rule) if finding.slug not in case.get("invented", ())]
    if case["must"] == "quiet" or "works" in case:
        assert found == []
    elif case["must"] == "told":
        assert found
        lines = {int(str(place).split(":")[0]) for place in case.get("at", ())}
        assert not lines or lines & {finding.line for finding in found}


def test_shared_mistakes(shared: Path) -> None:
    folder = shared / "cases" / "mistakes"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    silent = [
        each["mistake"] for each in manifest if each["must"] == "told" and not cloudsigma.lint(folder / each["file"])
    ]
    assert silent == ["generate top level (as spec and JSON schema)"]  # it has the meaning that the specification says
    assert not [
        each["mistake"] for each in manifest if each["must"] == "quiet" and cloudsigma.lint(folder / each["file"])
    ]


def test_the_bundled_rules_are_clean(root: Path) -> None:
    assert cloudsigma.lint(root / "sigma_rules", root / "sigma_correlations") == []


def test_sigmahq(shared_corpus: Path) -> None:
    """The findings in SigmaHQ's rules for CloudTrail, all of which are right."""
    found = cloudsigma.lint(shared_corpus / "sigmahq_rules")
    assert sorted((Path(each.path or "").stem, each.line, each.slug) for each in found) == [
        ("aws_cloudtrail_bucket_deleted", 21, "success-as-error-code"),
        ("aws_cloudtrail_guardduty_detector_deleted_or_updated", 39, "success-as-error-code"),
        ("aws_cloudtrail_ssm_malicious_usage", 24, "success-as-error-code"),
        ("aws_cloudtrail_vpc_flow_logs_deleted", 22, "success-as-error-code"),
        ("aws_delete_saml_provider", 26, "unknown-field"),
        ("aws_ec2_startup_script_change", 21, "known-record-shape"),
        ("aws_ec2_vm_export_failure", 1, "success-failure-confusion"),
        ("aws_elasticache_security_group_modified_or_deleted", 23, "unknown-event-name"),
        ("aws_elasticache_security_group_modified_or_deleted", 24, "unknown-event-name"),
        ("aws_iam_backdoor_users_keys", 25, "field-name-as-value"),
        ("aws_route_53_domain_transferred_lock_disabled", 23, "event-of-another-source"),
        ("aws_route_53_domain_transferred_to_another_account", 21, "event-of-another-source"),
        ("aws_s3_data_management_tampering", 28, "iam-action-as-event"),
        ("aws_s3_data_management_tampering", 29, "iam-action-as-event"),
        ("aws_s3_data_management_tampering", 30, "iam-action-as-event"),
        ("aws_s3_data_management_tampering", 31, "iam-action-as-event"),
    ]


def test_the_page_of_findings_is_current(root: Path) -> None:
    """`python scripts/write_lint_page.py` makes it."""
    code = "from write_lint_page import PAGE, page; assert PAGE.read_text() == page()"
    assert subprocess.run([sys.executable, "-c", code], cwd=root / "scripts", check=False).returncode == 0


# --- suppressions and fixes ---------------------------------------------------------------------------------

RULE = """title: Example
id: 5a1f0a52-7b43-4f3e-9d9e-0e9d7a3f7c11
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    {line}
  condition: selection
"""


def slugs(text: str, folder: Path, **options: str) -> list[str]:
    rule = folder / "rule.yml"
    rule.write_text(text, encoding="utf-8")
    return [finding.slug for finding in cloudsigma.lint(rule, **options)]


def test_a_comment_silences_a_finding_on_its_line(tmp_path: Path) -> None:
    line = "eventname: CreateGroup # cloudsigma: ignore[unknown-field] our own form"
    assert slugs(RULE.format(line=line), tmp_path) == []
    assert run_lint([tmp_path]).suppressed == 1


def test_a_comment_before_a_rule_silences_findings_in_all_of_it(tmp_path: Path) -> None:
    text = "# cloudsigma: ignore[unknown-field] our own form\n" + RULE.format(line="eventname: CreateGroup")
    other = RULE.format(line="eventname: DeleteGroup").replace("7c11", "7c12")
    assert slugs(text, tmp_path) == []
    assert slugs(f"{text}---\n{other}", tmp_path) == ["unknown-field"]


def test_a_comment_within_a_value_is_text(tmp_path: Path) -> None:
    text = RULE.format(line="eventname|contains: 'x # cloudsigma: ignore[unknown-field]'")
    assert slugs(text, tmp_path) == ["unknown-field"]


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(UsageError, match="did you mean 'unknown-field'"):
        cloudsigma.lint("sigma_rules", ignore=["unknown-feild"])


def test_fixes_change_their_place_alone_and_once(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    before = "# a comment\n" + RULE.format(line="'eventname': CreateGroup  # kept\n    userIdentity.Type: IAMUser")
    rule.write_text(before, encoding="utf-8")
    ((_, after),) = fixed_texts(cloudsigma.lint(rule)).values()
    assert after == before.replace("eventname", "eventName").replace("userIdentity.Type", "userIdentity.type")
    rule.write_text(after, encoding="utf-8")
    assert cloudsigma.lint(rule) == []


# --- formats ------------------------------------------------------------------------------------------------


def test_formats(tmp_path: Path) -> None:
    rule = tmp_path / "a:b,c%.yml"
    rule.write_text(RULE.format(line="eventname: CreateGroup"), encoding="utf-8")
    result = run_lint([rule], LintOptions())
    value = json.loads(FORMATS["json"](result))
    assert value.keys() == {"findings", "suppressed", "catalogue"}
    assert value["findings"][0]["slug"] == "unknown-field"
    assert FORMATS["github"](result).startswith("::warning file=")
    assert "a%3Ab%2Cc%25.yml,line=6,endLine=6,col=5,endColumn=14,title=unknown-field::" in FORMATS["github"](result)
    (failure,) = ET.fromstring(FORMATS["junit"](result)).iter("failure")  # noqa: S314  # our own
    assert "eventname" in str(failure.get("message"))
    assert FORMATS["text"](result).splitlines()[0].endswith("Did you mean 'eventName'? [unknown-field]")


def test_sarif_has_the_members_that_code_scanning_needs(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(RULE.format(line="eventname: CreateGroup"), encoding="utf-8")
    log = json.loads(FORMATS["sarif"](run_lint([rule])))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (described,) = run["tool"]["driver"]["rules"]
    assert described["help"]["text"]
    (result,) = run["results"]
    assert result["ruleId"] == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"]
    (location,) = result["locations"]
    region = location["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"], region["endLine"], region["endColumn"]) == (6, 5, 6, 14)
    assert result["partialFingerprints"]["primaryLocationLineHash"]
    assert FORMATS["sarif"](run_lint([rule])) == json.dumps(log, indent=1)


# --- the command, and what it must not do ----------------------------------------------------------------------


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudsigma", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_command(tmp_path: Path, root: Path) -> None:
    assert run("lint", root / "sigma_rules").returncode == 0
    rule = tmp_path / "rule.yml"
    rule.write_text(RULE.format(line="eventname: CreateGroup"), encoding="utf-8")
    assert run("lint", rule).returncode == 1
    assert run("lint", rule, "--exit-zero").returncode == 0
    assert run("lint", rule, "--ignore", "unknown-field").returncode == 0
    assert "+    eventName: CreateGroup" in run("lint", rule, "--diff").stdout
    assert run("lint", rule, "--fix").returncode == 0
    assert "eventName: CreateGroup" in rule.read_text(encoding="utf-8")
    assert run("lint", tmp_path / "missing").returncode == 4
    rule.write_text(RULE.format(line="eventName|startwith: Create"), encoding="utf-8")
    assert run("lint", rule).returncode == 3
    assert run("lint").returncode == 2
    assert run("lint", "--explain", "unknown-field").stdout.startswith("unknown-field: warning")
    own = RULE.format(line="eventSource: iam.amazonaws.com\n    eventName: OurOwnEvent")
    rule.write_text(own, encoding="utf-8")
    assert run("lint", rule).returncode == 1
    assert run("lint", rule, "--event", "iam.amazonaws.com:OurOwnEvent").returncode == 0


def test_no_rule_is_overwritten(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(RULE.format(line="eventName: CreateGroup"), encoding="utf-8")
    before = rule.read_bytes()
    for path in (rule, tmp_path):
        done = run("lint", path, "--output", rule)
        assert done.returncode == 2
        assert "--output" in done.stderr
    assert rule.read_bytes() == before


def test_the_catalogue_is_browsed() -> None:
    assert "CreateGroup" in run("fields", "iam").stdout
    assert "requestParameters.groupName" in run("fields", "iam.amazonaws.com", "creategroup").stdout
    assert "Did you mean CreateGroup?" in run("fields", "iam", "CreateGruop").stderr
    assert "userIdentity.type" in run("fields").stdout


def test_import_reads_no_catalogue() -> None:
    code = "import sys, cloudsigma; sys.exit(any('catalogue' in name or 'linting' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the catalogue --------------------------------------------------------------------------------------------


def test_real_records_are_in_the_catalogue(shared_corpus: Path) -> None:
    """Every source, event and read-only flag of the real trails; every member of requests outside EC2 and S3."""
    catalogue = Catalogue.load()
    unknown, flags, members = set(), set(), set()
    for record in cloudsigma.read_records(shared_corpus / "invictus", shared_corpus / "stratus"):
        source, name = record["eventSource"], record["eventName"]
        event = catalogue.event(source, name)
        if event is None:
            unknown.add((source, name))
            continue
        if record.get("readOnly") not in (None, event.read_only):
            flags.add((source, name))
        known = catalogue.members(source, name)
        if known is not None:
            members |= {
                (source, name, each) for each in record.get("requestParameters") or () if each not in known.request
            }
    assert (unknown, flags, members) == (set(), set(), set())


def test_calls_with_the_same_effect_exist() -> None:
    catalogue = Catalogue.load()
    assert not [name for group in SIBLINGS for name in group if not catalogue.sources_of(name)]


def test_names_of_the_catalogue() -> None:
    catalogue = Catalogue.load({"iam": ["OurOwnEvent"]})
    assert catalogue.event("iam", "ourownevent") is not None
    assert catalogue.is_action("s3", "PutEncryptionConfiguration")
    assert catalogue.event("s3", "PutEncryptionConfiguration") is None
    undated = catalogue.event("lambda.amazonaws.com", "UpdateFunctionCode")
    assert undated is not None
    assert undated.undated
    assert catalogue.event("lambda.amazonaws.com", "UpdateFunctionCode20150331v2") is not None
    assert catalogue.nearest_source("iam.aws.amazon.com") == "iam.amazonaws.com"
