"""The target `cloudsigma` of pySigma: found as a plugin, and the same predicates as from our own door."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.plugins import InstalledSigmaPlugins
from sigma.processing.pipeline import ProcessingPipeline

import cloudsigma
from cloudsigma.engine.evaluate import loading

RULE = """
title: Group of Administrators Created
id: 2f0d3a52-5b8f-4c7e-9b53-0d6a3f3c1f10
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventSource: iam.amazonaws.com
    eventName: CreateGroup
    requestParameters.groupName|contains: [admin, root]
  failed:
    errorCode|re: .+
  condition: selection and not failed
level: low
"""
RECORD = {
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateGroup",
    "requestParameters": {"groupName": "The-Admins"},
}
CORRELATION = """
title: Many Groups
correlation: {type: event_count, rules: [2f0d3a52-5b8f-4c7e-9b53-0d6a3f3c1f10], timespan: 1h, condition: {gte: 3}}
"""


def backend(**options: Any) -> Any:
    """The backend as pySigma makes it."""
    found = InstalledSigmaPlugins.autodiscover(include_pipelines=False, include_validators=False)
    return found.backends["cloudsigma"](**options)


def code(source: str | None) -> str:
    """Source without comments and line breaks: they tell lines of the rule's file, which pySigma does not know."""
    assert source is not None
    return ast.unparse(ast.parse(source))


def test_pysigma_finds_one_target() -> None:
    """The plugin is listed under one name, and lists no class that it only uses."""
    found = InstalledSigmaPlugins.autodiscover(include_pipelines=False, include_validators=False)
    ours = [name for name, each in found.backends.items() if each.__module__.startswith("sigma.backends.cloudsigma")]
    assert ours == ["cloudsigma"]
    assert "Backend" not in found.backends
    assert set(found.backends["cloudsigma"].formats) == {"default", "ir"}


def test_listing_targets_does_not_load_the_compiler() -> None:
    """Importing the plugin imports nothing of cloudsigma."""
    script = "import sys, sigma.backends.cloudsigma; sys.exit('cloudsigma' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_rule_becomes_a_predicate() -> None:
    """The default format is source that runs, with the verdicts of our own compiler."""
    [source] = backend().convert(SigmaCollection.from_yaml(RULE))
    predicate = loading.load(source, "test")
    assert predicate(RECORD) is True
    assert predicate({**RECORD, "errorCode": "AccessDenied"}) is False
    [rule] = cloudsigma.compile_text(RULE)
    assert code(source) == code(rule.source)


def test_ir_is_json() -> None:
    """The format `ir` is one JSON object a rule, which tells kinds and values."""
    [found] = backend().convert(SigmaCollection.from_yaml(RULE), "ir")
    assert json.loads(json.dumps(found)) == found
    assert found["metadata"]["title"] == "Group of Administrators Created"
    assert found["conditions"][0]["text"] == "selection and not failed"
    many = {"is": "Wildcard", "value": "*"}
    first = found["selections"][0]["body"]["members"][2]["matchers"][0]
    assert first == {"is": "Pattern", "parts": [many, "admin", many], "cased": False}


def test_pipelines_of_pysigma_are_applied() -> None:
    """A field that a pipeline renames is looked up under its new name."""
    mapping = {"type": "field_name_mapping", "mapping": {"eventName": "event.action"}}
    pipeline = ProcessingPipeline.from_dict({"name": "test", "priority": 10, "transformations": [mapping]})
    [source] = backend(processing_pipeline=pipeline).convert(SigmaCollection.from_yaml(RULE))
    predicate = loading.load(source, "test")
    assert predicate({**RECORD, "event": {"action": "CreateGroup"}}) is True
    assert predicate(RECORD) is False


def test_a_split_neq_is_refused() -> None:
    """pySigma makes `not a or not b` of a neq on a field that is mapped to two, which is not what the rule says."""
    mapping = {"type": "field_name_mapping", "mapping": {"errorCode": ["a", "b"]}}
    pipeline = ProcessingPipeline.from_dict({"name": "test", "priority": 10, "transformations": [mapping]})
    collection = SigmaCollection.from_yaml(RULE.replace("errorCode|re: .+", "errorCode|neq: x"))
    with pytest.raises(SigmaError, match="has split a neq in 'failed'"):
        backend(processing_pipeline=pipeline).convert(collection)


def test_errors_are_those_of_pysigma() -> None:
    """What we refuse is raised as a SigmaError, or collected where pySigma is told to."""
    text = RULE.replace("errorCode|re: .+", "errorCode|expand: '%codes%'")
    with pytest.raises(SigmaError, match="the placeholder %codes% has no values"):
        backend().convert(SigmaCollection.from_yaml(text))
    collecting = backend(collect_errors=True)
    assert collecting.convert(SigmaCollection.from_yaml(text)) == []
    assert [rule.title for rule, _ in collecting.errors] == ["Group of Administrators Created"]


def test_correlations_are_refused() -> None:
    """A correlation is no predicate over one record; the error says where it can be evaluated."""
    with pytest.raises(SigmaError, match="a correlation has no predicate"):
        backend().convert(SigmaCollection.from_yaml(f"{RULE}---{CORRELATION}"))


def test_public_rules_are_the_same_through_both_doors(shared_corpus: Path) -> None:
    """SigmaHQ's CloudTrail rules have the same source through pySigma as from `compile_rules`."""
    files = sorted((shared_corpus / "sigmahq_rules").rglob("*.yml"))
    assert len(files) == 57
    differing: list[str] = []
    for file in files:
        [rule] = cloudsigma.compile_rules(file)
        [source] = backend().convert(SigmaCollection.from_yaml(file.read_text(encoding="utf-8")))
        if code(source) != code(rule.source):
            differing.append(file.name)
    assert differing == []
