"""Mistakes in conditions, and the author's most likely intent."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloudsigma.compiler.remedies import nearest, quoted, shortened

_OLD_AGGREGATION = re.compile(r"\b(?:count|min|max|avg|sum|near)\b", re.IGNORECASE)
_COUNTED = re.compile(r"(?<![\w*-])\d+[ ]+of\b|(?<![\w*-])of[ ]*\(")
_LISTED = re.compile(r"\b(?:1|any|all)\s+of\s+[A-Za-z0-9*_-]+\s*,")
_SYMBOLS = {"!": "not", "&&": "and", "&": "and", "||": "or"}
_OPERATORS = ("and", "or", "not")
_GRAMMAR = "Join selections with and, or, not, parentheses, '1 of pattern' and 'all of pattern'."


class ConditionProblem(Exception):  # noqa: N818  # caught in `compiler` and turned into a RuleError with its place
    """A mistake in a condition, and its character in the text (from 0), if known."""

    def __init__(self, reason: str, at: int | None, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at
        self.remedy = remedy


def unknown_name(name: str, at: int, names: Sequence[str]) -> ConditionProblem:
    """The condition names a selection that the rule does not have."""
    if name in ("and", "or"):
        return ConditionProblem(f"{name!r} has no selection to work on", at, _GRAMMAR)
    if name.lower() in _OPERATORS:
        reason = f"{name!r} is read as the name of a selection"
        return ConditionProblem(reason, at, f"Operators are written in lower case: {name.lower()}.")
    if name in ("them", "all", "any", "1"):
        selector = "1 of them" if name in ("them", "any", "1") else "all of them"
        reason = f"{name!r} is not a selection, and is allowed only in '1 of them' and 'all of them'"
        return ConditionProblem(reason, at, f"Write {selector}, or name the selections.")
    return ConditionProblem(f"no selection is called {quoted(name)}", at, nearest(name, names))


def unmatched_pattern(quantifier: str, pattern: str, at: int, names: Sequence[str]) -> ConditionProblem:
    """`1 of` or `all of` a pattern that matches none of the rule's selections."""
    reason = f"{quantifier} of {shortened(pattern)}: no selection matches the pattern"
    if "*" not in pattern and any(re.match(rf"{re.escape(pattern)}[^A-Za-z]", name) for name in names):
        return ConditionProblem(reason, at, f"Write {quantifier} of {shortened(pattern)}*.")
    hidden = [name for name in names if name.startswith("_")]
    if hidden and len(hidden) == len(names):
        remedy = f"Patterns do not match names that begin with an underscore: rename {quoted(hidden[0])}."
        return ConditionProblem(reason, at, remedy)
    return ConditionProblem(reason, at, nearest(pattern, names))


def syntax_problem(text: str, at: int, names: Sequence[str]) -> ConditionProblem:
    """The condition cannot be parsed from character `at` on."""
    if not text.strip():
        return ConditionProblem("the condition is empty", None, _GRAMMAR)
    if "|" in text and "||" not in text:
        return _pipe(text)
    return _known_mistake(text, names) or ConditionProblem(*_unreadable(text, at), _remedy(text, at))


def _known_mistake(text: str, names: Sequence[str]) -> ConditionProblem | None:
    if found := _LISTED.search(text):
        reason = "1 of and all of take one pattern, not a list"
        listed = text[found.end() :].split()[:1]
        remedy = f"Write {found[0].split(' of ')[1].rstrip(', ')} or {(listed or ['…'])[0].rstrip(',')}, or a pattern."
        return ConditionProblem(reason, found.end() - 1, remedy)
    if (found := _COUNTED.search(text)) and not re.match(r"1 +of\b", found[0]):
        return ConditionProblem(
            f"{found[0]!r} is not a quantifier", found.start(), "Only '1 of', 'any of' and 'all of' a pattern or them."
        )
    if found := re.search(r"\bnear\b", text):
        return ConditionProblem(
            "near is no longer part of Sigma's conditions",
            found.start(),
            "Write a correlation rule of type temporal.",
        )
    blank = next((name for name in names if re.search(r"\s", name) and name in text), None)
    if blank is not None:
        return ConditionProblem(
            f"the selection name {quoted(blank)} has a blank, so that no condition can name it",
            text.index(blank),
            f"Rename the selection: {re.sub(r'[^A-Za-z0-9_-]+', '_', shortened(blank))}.",
        )
    return None


def _unreadable(text: str, at: int) -> tuple[str, int]:
    rest = text[at:].strip()
    if rest:
        return f"the condition cannot be parsed at {rest[:40]!r}", at
    if text.count("(") > text.count(")"):
        return "the condition ends before a parenthesis is closed", at
    return "the condition ends where a selection must follow", at


def _remedy(text: str, at: int) -> str:
    before, rest = text[:at].split(), text[at:].lstrip()
    word = re.match(r"[A-Za-z]+", rest)
    for written in (word[0] if word else "", before[-1] if before else ""):
        if written.lower() in _OPERATORS and written not in _OPERATORS:
            return f"Operators are written in lower case: {written.lower()}."
    if symbol := next((symbol for symbol in _SYMBOLS if rest.startswith(symbol)), None):
        return f"Write {_SYMBOLS[symbol]}."
    if rest.startswith((":", "=", "<", ">", ".")):
        return "Fields and values belong in selections; a condition names the selections."
    pattern = re.search(r"\b(?:1|any|all)\s+of\s+([A-Za-z0-9*_]+)$", text[:at])
    if pattern and (more := re.match(r"-[A-Za-z0-9*_-]*", rest)):
        named = f"{pattern[1]}{more[0]}".replace("-", "_")
        return f"A pattern has no hyphens: name the selections with _ and write {shortened(named)}."
    return _remedy_of_rest(text, before[-1] if before else "", rest)


def _remedy_of_rest(text: str, before: str, rest: str) -> str:
    following = rest.split(maxsplit=1)[0][:40] if rest else ""
    if following.lower() == "of" and following != "of":
        return "Operators are written in lower case: of."
    if following == "of":
        return _remedy_of_quantifier(before, rest)
    if before in _OPERATORS and following and len(text.split()) > 1 and text.split(maxsplit=1)[0] == before:
        return f"A condition cannot begin with {before}: remove it."
    if before in ("1", "any", "all") and following != "":
        return f"Write {before} of {following}."
    if rest.startswith(")"):
        return "Remove it." if text.count(")") > text.count("(") else "A selection must come before it."
    if rest.startswith(","):
        return "Write and, or or, between two selections."
    if rest.startswith(("'", '"', "`")):
        return "Write names of selections without quotation marks."
    if "*" in following:
        return "Write '1 of' or 'all of' before a pattern."
    if following and not following.isascii():
        return "A condition can name selections of ASCII letters, digits, _ and - only: rename the selection."
    if re.match(r"[A-Za-z0-9_]", following) or rest.startswith("("):
        return f"Write and, or or, before {following!r}."
    return _GRAMMAR


def _remedy_of_quantifier(before: str, rest: str) -> str:
    """The remedy where `of` has no quantifier before it, or no pattern behind it."""
    pattern = re.match(r"of\s+([A-Za-z0-9*_]+)", rest)
    if pattern is None:
        return "A pattern, or them, must follow of."
    if before.lower() in ("none", "no", "neither"):
        return f"Write not 1 of {shortened(pattern[1])}."
    quantifier = "all" if before.lower() in ("all", "each", "every", "both") else "1"
    return f"Write {quantifier} of {shortened(pattern[1])}: '1 of', 'any of' and 'all of' are all there is."


def _pipe(text: str) -> ConditionProblem:
    what = "an aggregation" if _OLD_AGGREGATION.search(text) else "a pipe"
    return ConditionProblem(
        f"{what} behind | is no longer part of Sigma's conditions",
        text.index("|"),
        "Keep the part before the | and write a correlation rule (event_count, value_count, temporal …) for the rest.",
    )
