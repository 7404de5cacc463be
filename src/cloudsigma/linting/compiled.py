"""The compiler's errors and warnings as findings: one definition of each check, two ways to it."""

from __future__ import annotations

import re

from cloudsigma.errors import RuleError

_SLUGS: tuple[tuple[str, str], ...] = (
    ("month-timespan", r"the timespan .* months?$"),
    ("count-never", r" can never hold"),
    ("count-always", r" always holds"),
    ("incomplete-alias", r"the alias .* says no field of"),
    ("unused-alias", r"the alias .* is not used"),
    ("ignored-logsource", r"the logsource of a correlation"),
    ("group-of-one", r"each event has an? "),
    ("count-of-group-field", r"the events of a group have one value"),
    ("group-by-modifier", r" has a modifier, and a correlation"),
    ("empty-value", r"an empty (list|text|expression)|no value is written"),
    ("always-true-value", r"every \w+ passes"),
    ("number-as-text", r"YAML reads .* as a number"),
    ("control-character", r"has a control character"),
    ("invisible-character", r"has an invisible character"),
    ("confusable-letter", r"a letter that looks like another"),
    ("outer-blank", r"begins or ends with a blank|ends with a line break"),
    ("cidr-without-modifier", r"compared as text, not as a network"),
    ("regex-without-modifier", r"compared as text, with \* and \?"),
    ("operator-in-value", r"is compared as text"),
    ("hyphen-in-value", r"begins with a hyphen"),
    ("list-in-text", r"is one text, not several values"),
    ("percent-sign", r"^% is not a wildcard"),
    ("quotes-in-value", r"the quotation marks of .* are part"),
    ("null-as-text", r"is text here$"),
    ("glob-as-regex", r"in the regular expression .* a \* repeats"),
    ("delimited-regex", r"the slashes around"),
    ("placeholder", r"expand replaces"),
    ("keyword-like-field", r"the keyword .* is searched as text"),
    ("comment-in-value", r"is a comment, and not a part of the value"),
    ("unused-selection", r"no condition uses the selection"),
    ("never-matches", r"can never match|can never be true"),
    ("always-true", r"the condition is true for every record"),
    ("filter-not-negated", r"is named as a filter"),
    ("filter-keeps", r"^the condition of the filter has no not"),
    ("filter-removes-all", r"the filter takes away every match"),
    ("old-date", r"a date in the old format"),
    ("taxonomy", r"^the taxonomy "),
    ("log-source", r"of the records|the records have no"),
    ("unknown-attribute", r"has no effect"),
    ("modifier-with-dot", r"ends like a modifier"),
    ("neq-on-list", r"is in a list, and neq"),
    ("foreign-field-syntax", r"^the field name "),
    ("no-rules", r"the folder holds no rule|no rule in"),
)
_PATTERNS = tuple((slug, re.compile(pattern)) for slug, pattern in _SLUGS)


def slug_of(error: RuleError) -> str:
    """The slug of an error or warning of the compiler."""
    if error.severity == "error":
        return f"{error.category}-error"
    for slug, pattern in _PATTERNS:
        if pattern.search(error.reason):
            return slug
    return "filter-reaches-nothing" if error.category == "reference" else "other"
