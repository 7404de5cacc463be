"""The validators of pySigma and SigmaHQ find nothing in the bundled rules, and need no network for that.

They are named one by one, since others load data of MITRE's or SigmaHQ's and cache it in the home directory:
`attacktag`, `d3_fendtag`, and of SigmaHQ's those of field names, log sources, file name prefixes and tactics.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule
from sigma.validation import SigmaValidator
from sigma.validators.core import validators as core_validators
from sigma.validators.sigmahq import validators as sigmahq_validators

FOLDER = Path(__file__).parent.parent / "sigma_rules"
CORRELATIONS = FOLDER.parent / "sigma_correlations"

CORE = [
    "all_of_them_condition",
    "cartag",
    "control_character",
    "custom_attributes",
    "cvetag",
    "dangling_condition",
    "dangling_detection",
    "detection_tag",
    "double_wildcard",
    "duplicate_filename",
    "duplicate_references",
    "duplicate_tag",
    "duplicate_title",
    "escaped_wildcard",
    "fieldname_logsource",
    "filename_length",
    "identifier_existence",
    "identifier_uniqueness",
    "invalid_modifier_combinations",
    "namespace_tag",
    "number_as_string",
    "specific_instead_of_generic_logsource",
    "stptag",
    "tag_format",
    "them_condition_with_single_detection",
    "tlptag",
    "tlpv1_tag",
    "tlpv2_tag",
    "wildcards_instead_of_modifiers",
]

SIGMAHQ = [
    "sigmahq_author_existence",
    "sigmahq_correlation_filename_prefix",
    "sigmahq_correlation_group_by_existence",
    "sigmahq_correlation_rules_minimum",
    "sigmahq_date_existence",
    "sigmahq_description_existence",
    "sigmahq_description_length",
    "sigmahq_falsepositives_banned_word",
    "sigmahq_falsepositives_capital",
    "sigmahq_falsepositives_typo_word",
    "sigmahq_field_duplicate_value",
    "sigmahq_field_user",
    "sigmahq_filename_convention",
    "sigmahq_github_link",
    "sigmahq_invalid_all_modifier",
    "sigmahq_invalid_hash_kv",
    "sigmahq_level_existence",
    "sigmahq_link_in_description",
    "sigmahq_missing_asterisk_condition",
    "sigmahq_mitre_link",
    "sigmahq_modified_date_order",
    "sigmahq_modified_without_date",
    "sigmahq_ofselection_condition",
    "sigmahq_ofthem_condition",
    "sigmahq_redundant_modified",
    "sigmahq_space_field_name",
    "sigmahq_status",
    "sigmahq_status_existence",
    "sigmahq_status_to_high",
    "sigmahq_sysmon_missing_eventid",
    "sigmahq_tags_detection",
    "sigmahq_tags_tlp",
    "sigmahq_tags_unique_detection",
    "sigmahq_tags_unique_tlp",
    "sigmahq_title_case",
    "sigmahq_title_end",
    "sigmahq_title_length",
    "sigmahq_title_start",
    "sigmahq_unknown_field",
    "sigmahq_unsupported_regex_group_construct",
]

# SigmaHQ's repository does without `fields`. The specification has it, and alerts show what it names.
HOUSE_RULE_NOT_SHARED = "sigmahq_fields_existence"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise AssertionError("a validator asked for the network")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


def rules_of(*folders: Path) -> SigmaCollection:
    found = [path for folder in folders for path in sorted(folder.rglob("*.yml"))]
    files = [path for path in found if not path.name.endswith(".cases.yml")]
    return SigmaCollection.load_ruleset([str(path) for path in files])


def issues_of(rules: SigmaCollection, names: list[str]) -> list[str]:
    known = {**core_validators, **sigmahq_validators}
    validator = SigmaValidator({known[name] for name in names})
    checked = (rule for rule in rules.rules if isinstance(rule, (SigmaRule, SigmaCorrelationRule)))
    found = validator.validate_rules(checked)
    return sorted(f"{issue.rules[0].title}: {type(issue).__name__}" for issue in found)


@pytest.mark.usefixtures("no_network")
def test_validators_find_nothing() -> None:
    rules = rules_of(FOLDER, CORRELATIONS)
    assert len(rules.rules) == 11
    assert sum(isinstance(rule, SigmaCorrelationRule) for rule in rules.rules) == 2
    assert issues_of(rules, [*CORE, *SIGMAHQ]) == []


@pytest.mark.usefixtures("no_network")
def test_one_house_rule_of_sigmahq_is_not_shared() -> None:
    """It says the same of each rule; once it says nothing, it belongs with the others."""
    rules = rules_of(FOLDER, CORRELATIONS)
    expected = sorted(f"{rule.title}: SigmahqFieldsExistenceIssue" for rule in rules.rules)
    assert issues_of(rules, [HOUSE_RULE_NOT_SHARED]) == expected
    assert len(expected) == 11


@pytest.mark.usefixtures("no_network")
def test_validators_see_a_correlation_that_is_wrong(tmp_path: Path) -> None:
    """The check reaches correlations: one with well-known faults is found faulty."""
    file = CORRELATIONS / "correlation_aws_cloudtrail_rolesanywhere_trust_anchor_then_profile.yml"
    bad, times = re.subn(r"    group-by:\n(        - .*\n)+", "", file.read_text(encoding="utf-8"))
    assert times == 1
    (tmp_path / "aws_trust_anchor_then_profile.yml").write_text(bad, encoding="utf-8")
    title = "AWS IAM Roles Anywhere Trust Anchor and Then Profile Created by the Same Principal"
    assert issues_of(rules_of(tmp_path), [*CORE, *SIGMAHQ]) == [
        f"{title}: SigmahqCorrelationFilenamePrefixIssue",
        f"{title}: SigmahqCorrelationGroupByExistenceIssue",
    ]


@pytest.mark.usefixtures("no_network")
def test_validators_see_a_rule_that_is_wrong(tmp_path: Path) -> None:
    """The check is not empty: a rule with well-known faults is found faulty."""
    text = (FOLDER / "iam" / "aws_cloudtrail_iam_group_created.yml").read_text(encoding="utf-8")
    bad = text.replace("title: IAM Group Created", "title: Detects IAM group created.").replace(
        "author: cloudsigma\n", ""
    )
    (tmp_path / "AWS-Rule.yml").write_text(bad, encoding="utf-8")
    assert issues_of(rules_of(tmp_path), [*CORE, *SIGMAHQ]) == [
        f"Detects IAM group created.: {issue}"
        for issue in (
            "SigmahqAuthorExistenceIssue",
            "SigmahqFilenameConventionIssue",
            "SigmahqTitleCaseIssue",
            "SigmahqTitleEndIssue",
            "SigmahqTitleStartIssue",
        )
    ]
