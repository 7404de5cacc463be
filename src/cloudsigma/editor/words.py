"""The words of rules, with a sentence about each: attributes, modifiers, types of correlations."""

from __future__ import annotations

from collections.abc import Mapping

from cloudsigma.compiler.remedies import CORRELATION_TYPES
from cloudsigma.rulesets.levels import LEVELS as _LEVELS

ATTRIBUTES: Mapping[str, str] = {
    "title": "The name of the rule, at most 256 characters.",
    "id": "A UUID (version 4) that never changes.",
    "name": "A short name by which correlations and filters refer to the rule.",
    "related": "Other rules: {id: UUID, type: derived|obsolete|merged|renamed|similar|correlation}.",
    "taxonomy": "The names of fields that the rule uses; sigma is the default.",
    "status": "How far the rule is: stable, test, experimental, deprecated, unsupported.",
    "description": "What the rule detects, and why that matters.",
    "license": "The licence, as an SPDX identifier.",
    "references": "Pages about the behaviour that the rule detects.",
    "author": "Who wrote the rule.",
    "date": "When it was written: yyyy-mm-dd.",
    "modified": "When it was last changed: yyyy-mm-dd.",
    "tags": "Names with a namespace: attack.t1098, cve.2024-1234.",
    "scope": "The kind of system that the rule is for, such as server.",
    "logsource": "The records that the rule is for: product: aws, service: cloudtrail.",
    "detection": "Selections, and the condition that combines them.",
    "correlation": "What several matches of other rules have in common.",
    "filter": "What to take away from the matches of other rules.",
    "fields": "Fields that triage needs; they are shown with each match.",
    "falsepositives": "Behaviour that matches and is harmless.",
    "level": "How grave a match is: informational, low, medium, high, critical.",
}
"""The attributes of a rule at the top level."""
LEVELS = _LEVELS
STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
LOGSOURCE: Mapping[str, tuple[str, ...]] = {"product": ("aws",), "service": ("cloudtrail",), "category": ()}
"""Keys of the log source and their values for CloudTrail."""
CORRELATION: Mapping[str, str] = {
    "type": "How matches are correlated.",
    "rules": "IDs or names of the rules whose matches are correlated.",
    "group-by": "Fields that have the same values in all matches of a group.",
    "timespan": "The longest time between the first and the last match: 5m, 1h, 7d.",
    "condition": "What must hold: {gte: 10}, with field for value_count and the like.",
    "aliases": "Names for fields that the rules call differently.",
    "generate": "Whether matches of the rules are reported, too.",
}
"""The keys of a correlation."""
TYPES: tuple[str, ...] = tuple(sorted(set(CORRELATION_TYPES.values())))
"""The types of correlations."""
MODIFIERS: Mapping[str, str] = {
    "contains": "The value occurs anywhere in the field.",
    "startswith": "The field begins with the value.",
    "endswith": "The field ends with the value.",
    "all": "All values must match, not any of them.",
    "exists": "Whether the field has a value: true or false.",
    "re": "A regular expression (RE2), found anywhere in the field.",
    "i": "The regular expression ignores letter case.",
    "m": "^ and $ of the regular expression match at line breaks, too.",
    "s": ". of the regular expression matches line breaks, too.",
    "ignorecase": "The regular expression ignores letter case.",
    "multiline": "^ and $ of the regular expression match at line breaks, too.",
    "dotall": ". of the regular expression matches line breaks, too.",
    "cased": "Letter case counts.",
    "cidr": "The field is an address in this network.",
    "lt": "The number is less than the value.",
    "lte": "The number is at most the value.",
    "gt": "The number is greater than the value.",
    "gte": "The number is at least the value.",
    "neq": "The field has another value, or none.",
    "fieldref": "The value is the name of a field that must have the same value.",
    "expand": "%name% is replaced by the values of a placeholder.",
    "windash": "A hyphen matches each kind of dash that Windows accepts.",
    "base64": "The value in base64.",
    "base64offset": "The value in base64 at each of the three offsets.",
    "wide": "The value in UTF-16, little-endian.",
    "utf16": "The value in UTF-16 with a byte order mark.",
    "utf16be": "The value in UTF-16, big-endian.",
    "minute": "The minute of a time, 0 to 59, in UTC.",
    "hour": "The hour of a time, 0 to 23, in UTC.",
    "day": "The day of the month of a time, 1 to 31, in UTC.",
    "week": "The ISO week of a time, 1 to 53, in UTC.",
    "month": "The month of a time, 1 to 12, in UTC.",
    "year": "The year of a time, in UTC.",
}
"""The modifiers that compile."""
WORDS_OF_CONDITIONS = ("and", "or", "not", "1 of", "all of", "them")
