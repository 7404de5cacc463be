"""cloudsigma: Sigma rules over AWS CloudTrail records.

    import cloudsigma

    for match in cloudsigma.evaluate(records):  # the bundled rules
        print(match.rule_id, match.context.principal, match.context.resource, match.context.time, match.context.region)

The names below are imported on first use: `import cloudsigma` loads neither pySigma nor YAML, and a process that
only evaluates never does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cloudsigma.version import __version__

if TYPE_CHECKING:
    from cloudsigma.api import Scan, evaluate, scan
    from cloudsigma.approvals import Approvals
    from cloudsigma.compiler import RuleLimits, compile_rules, compile_text
    from cloudsigma.correlation import Correlator
    from cloudsigma.correlation.explain import CorrelationExplanation
    from cloudsigma.engine.approval import Decision, NearMiss
    from cloudsigma.engine.context.context import Context, Principal, Resource
    from cloudsigma.engine.evaluate.explain import Evidence, Explanation
    from cloudsigma.engine.match import Match
    from cloudsigma.engine.rule import Rule
    from cloudsigma.engine.session_link import Link
    from cloudsigma.errors import (
        ApprovalError,
        CloudSigmaError,
        ExecutorError,
        FileAccessError,
        InputLostError,
        InvocationError,
        MissingPackageError,
        NotifyError,
        RegisterError,
        RuleError,
        RuleErrors,
        UnknownRuleError,
        UsageError,
        WrongTypeError,
    )
    from cloudsigma.inventory import Inventory, Register
    from cloudsigma.linting import Finding, lint
    from cloudsigma.origin import Origin
    from cloudsigma.reading import Ledger, Limits, Loss, Reader, read_records
    from cloudsigma.rulesets.bundled import bundled_rules
    from cloudsigma.rulesets.rule_set import RuleSet
    from cloudsigma.rulesets.saved import load_rules
    from cloudsigma.sessions import Sessions

__all__ = [
    "ApprovalError",
    "Approvals",
    "CloudSigmaError",
    "Context",
    "CorrelationExplanation",
    "Correlator",
    "Decision",
    "Evidence",
    "ExecutorError",
    "Explanation",
    "FileAccessError",
    "Finding",
    "InputLostError",
    "Inventory",
    "InvocationError",
    "Ledger",
    "Limits",
    "Link",
    "Loss",
    "Match",
    "MissingPackageError",
    "NearMiss",
    "NotifyError",
    "Origin",
    "Principal",
    "Reader",
    "Register",
    "RegisterError",
    "Resource",
    "Rule",
    "RuleError",
    "RuleErrors",
    "RuleLimits",
    "RuleSet",
    "Scan",
    "Sessions",
    "UnknownRuleError",
    "UsageError",
    "WrongTypeError",
    "__version__",
    "bundled_rules",
    "compile_rules",
    "compile_text",
    "evaluate",
    "lint",
    "load_rules",
    "read_records",
    "scan",
]

_HOMES = {
    "ApprovalError": "errors",
    "Approvals": "approvals",
    "CloudSigmaError": "errors",
    "Context": "engine.context.context",
    "CorrelationExplanation": "correlation.explain",
    "Correlator": "correlation",
    "Decision": "engine.approval",
    "Evidence": "engine.evaluate.explain",
    "ExecutorError": "errors",
    "Explanation": "engine.evaluate.explain",
    "FileAccessError": "errors",
    "Finding": "linting",
    "InputLostError": "errors",
    "Inventory": "inventory",
    "InvocationError": "errors",
    "Ledger": "reading",
    "Limits": "reading",
    "Link": "engine.session_link",
    "Loss": "reading",
    "Match": "engine.match",
    "MissingPackageError": "errors",
    "NearMiss": "engine.approval",
    "NotifyError": "errors",
    "Origin": "origin",
    "Principal": "engine.context.context",
    "Reader": "reading",
    "Register": "inventory",
    "RegisterError": "errors",
    "Resource": "engine.context.context",
    "Rule": "engine.rule",
    "RuleError": "errors",
    "RuleErrors": "errors",
    "RuleLimits": "compiler",
    "RuleSet": "rulesets.rule_set",
    "Scan": "api",
    "Sessions": "sessions",
    "UnknownRuleError": "errors",
    "UsageError": "errors",
    "WrongTypeError": "errors",
    "bundled_rules": "rulesets.bundled",
    "compile_rules": "compiler",
    "compile_text": "compiler",
    "evaluate": "api",
    "lint": "linting",
    "load_rules": "rulesets.saved",
    "read_records": "reading",
    "scan": "api",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
