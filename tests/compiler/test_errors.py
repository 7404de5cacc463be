"""Every rule error says where, what and what next; one bad rule never hides the others."""

from __future__ import annotations

import pickle
from pathlib import Path
from textwrap import dedent

import pytest

import cloudsigma
from cloudsigma.errors import CATEGORIES, Location, RuleError, RuleErrors, UnknownRuleError, UsageError

GOOD = """\
title: Good
id: 11111111-1111-4111-8111-111111111111
logsource:
    product: aws
    service: cloudtrail
detection:
    selection:
        eventName: CreateGroup
    condition: selection
"""


def bad(**changes: str) -> str:
    """The good rule with lines replaced: old text → new text."""
    text = GOOD
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def error_of(text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        cloudsigma.compile_text(text)
    return caught.value


# What is changed in the good rule; the category, line and column of the error; words of its reason; its remedy.
WRONG = {
    "unknown modifier": (
        {"eventName: CreateGroup": "eventName|containz: CreateGroup"},
        ("modifier", 8, 9, "no modifier 'containz'", "Did you mean 'contains'?"),
    ),
    "negation as a modifier": (
        {"eventName: CreateGroup": "eventName|not: CreateGroup"},
        ("modifier", 8, 9, "no modifier 'not'", "Negate in the condition"),
    ),
    "unknown selection": (
        {"condition: selection": "condition: selecton and not filter"},
        ("condition", 9, 16, "no selection is called 'selecton'", "Did you mean 'selection'?"),
    ),
    "unknown selection further on": (
        {"condition: selection": "condition: 'selection and filter'"},
        ("condition", 9, 31, "no selection is called 'filter'", "There are: 'selection'."),
    ),
    "operator in capitals": (
        {"condition: selection": "condition: selection AND selection"},
        ("condition", 9, 26, "cannot be parsed at 'AND selection'", "lower case: and"),
    ),
    "pattern without a selection": (
        {"condition: selection": "condition: 1 of filter_*"},
        ("condition", 9, 21, "no selection matches the pattern", "There are: 'selection'."),
    ),
    "old aggregation": (
        {"condition: selection": "condition: selection | count() > 5"},
        ("condition", 9, 26, "an aggregation behind |", "correlation rule"),
    ),
    "condition that is no text": (
        {"condition: selection": "condition: 5"},
        ("condition", 9, 16, "a number, not text", "expression"),
    ),
    "no condition": (
        {"    condition: selection\n": ""},
        ("schema", 6, 1, "no condition", "Add condition: selection."),
    ),
    "host bits in a network": (
        {"eventName: CreateGroup": "sourceIPAddress|cidr: 10.0.0.1/8"},
        ("value", 8, 9, "host bits set", "Write 10.0.0.0/8."),
    ),
    "expression that RE2 refuses": (
        {"eventName: CreateGroup": "eventName|re: '(?=a)'"},
        ("value", 8, 9, "has a look-ahead, and RE2 has none", "Match the whole text"),
    ),
    "date as a value": (
        {"eventName: CreateGroup": "eventName: [a, 2024-01-01]"},
        ("value", 8, 24, "YAML reads 2024-01-01 as a date", "quotation marks"),
    ),
    "map as a value": (
        {"eventName: CreateGroup": "requestParameters: {groupName: x}"},
        ("value", 8, 9, "a map is used as a value", "one dotted name"),
    ),
    "placeholder without values": (
        {"eventName: CreateGroup": "eventName|expand: '%names%'"},
        ("unsupported", 8, 9, "%names% has no values", "Give them"),
    ),
    "level": ({"detection:": "level: extreme\ndetection:"}, ("schema", 6, 1, "'extreme'", "informational, low")),
    "repeated key": (
        {"eventName: CreateGroup": "eventName: A\n        eventName: B"},
        ("yaml", 9, 9, "appears twice (first in line 8)", "silently replace"),
    ),
    "broken YAML": (
        {"eventName: CreateGroup": "eventName: [A"},
        ("yaml", 8, 20, "a [ is not closed", "Close it with ]"),
    ),
    "field name that YAML reads as a boolean": (
        {"eventName: CreateGroup": "on: A"},
        ("schema", 8, 9, "field name as true, which is not text", "quotation marks"),
    ),
    "timeframe": (
        {"    condition": "    timeframe: 5m\n    condition"},
        ("unsupported", 9, 5, "timeframe", "correlation rule"),
    ),
    "jsonpath that cannot be used": (
        {"detection:": "fields:\n    - $.a[?(@.b==1)]\ndetection:"},
        ("value", 7, 7, "JSONPath", "dotted name"),
    ),
}


@pytest.mark.parametrize(("changes", "expected"), WRONG.values(), ids=WRONG)
def test_error_names_place_and_remedy(changes: dict[str, str], expected: tuple[str, int, int, str, str]) -> None:
    """A mistake is told with category, line, column, reason and remedy."""
    category, line, column, reason, remedy = expected
    error = error_of(bad(**changes))
    assert (error.category, error.line, error.column) == (category, line, column), str(error)
    assert reason in error.reason
    assert remedy in (error.remedy or "")
    assert "\n" not in str(error)


def test_condition_error_has_a_caret() -> None:
    """The excerpt of a condition error points at the character."""
    error = error_of(bad(**{"condition: selection": "condition: selection and filter"}))
    assert error.excerpt == "selection and filter\n              ^"


def test_every_mistake_of_a_rule_is_told() -> None:
    """Several mistakes in one rule are one group: those of the condition first, the others by their place."""
    changes = {
        "condition: selection": "condition: nothing",
        "eventName: CreateGroup": "eventName|no: a\n        sourceIPAddress|cidr: 10.0.0.1/8\n        errorCode|re: a(",
        "detection:": "level: extreme\ntags: [t1098, attack.t1098, persistence]\ndetection:",
    }
    with pytest.raises(RuleErrors) as caught:
        cloudsigma.compile_text(bad(**changes))
    errors = caught.value.exceptions
    assert str(caught.value).startswith("7 errors in rules\n<text>:13:16: condition error: ")
    assert [(error.category, error.line, error.column) for error in errors if isinstance(error, RuleError)] == [
        ("condition", 13, 16), ("schema", 6, 1), ("schema", 7, 8), ("schema", 7, 29),
        ("modifier", 10, 9), ("value", 11, 9), ("value", 12, 9),
    ]  # fmt: skip
    assert list(cloudsigma.compile_text(bad(**changes), on_error="skip").errors) == list(errors)


def test_every_item_that_cannot_be_lowered_is_told() -> None:
    """Items that pySigma accepts and we refuse are told together, too."""
    changes = {"eventName: CreateGroup": "eventName|expand: '%a%'\n        errorCode|expand: '%b%'"}
    with pytest.raises(RuleErrors) as caught:
        cloudsigma.compile_text(bad(**changes))
    assert [error.line for error in caught.value.exceptions if isinstance(error, RuleError)] == [8, 9]


def test_text_of_an_error_is_one_paragraph(tmp_path: Path) -> None:
    """File, line, column, category, rule, reason and remedy stand in one line."""
    file = tmp_path / "rule.yml"
    file.write_text(bad(**{"eventName: CreateGroup": "eventName|containz: CreateGroup"}))
    with pytest.raises(RuleError) as caught:
        cloudsigma.compile_rules(file)
    assert str(caught.value) == (
        f"{file}:8:9: modifier error: rule '11111111-1111-4111-8111-111111111111': "
        "there is no modifier 'containz'. Did you mean 'contains'?"
    )


def test_bad_documents_never_hide_good_ones() -> None:
    """Of five documents in one text, the two good ones load and each bad one has its error with its own line."""
    second = GOOD.replace("11111111", "22222222").replace("Good", "Second")
    text = "\n---\n".join([GOOD, "title: [", bad(**{"product: aws": "product: 5"}), "- a list", second])
    rules = cloudsigma.compile_text(text, on_error="skip")
    assert [rule.title for rule in rules] == ["Good", "Second"]
    assert [(error.category, error.line) for error in rules.errors] == [
        ("yaml", 13),
        ("schema", 17),
        ("schema", 25),
    ]


def test_bad_files_never_hide_good_ones(tmp_path: Path) -> None:
    """A folder with bad files of every kind still gives its good rules; each bad file is named."""
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "B.YAML").write_text(GOOD.replace("11111111", "33333333"))
    (tmp_path / "a.cases.yml").write_text("no rule at all: [")
    (tmp_path / "info.yml").write_text("no rule at all: [")
    (tmp_path / "list.yml").write_text("- 1\n- 2\n")
    (tmp_path / "latin.yml").write_bytes("title: Grüße\n".encode("latin-1"))
    (tmp_path / "broken.yml").write_text("a: b: c")
    rules = cloudsigma.compile_rules(tmp_path, tmp_path / "missing", on_error="skip")
    assert len(rules) == 2
    found = {Path(error.path or "").name: error.category for error in rules.errors}
    assert found == {"list.yml": "schema", "latin.yml": "yaml", "broken.yml": "yaml", "missing": "file"}


def test_several_errors_are_raised_together(tmp_path: Path) -> None:
    """Several bad rules raise one group with an error for each; one bad rule raises its error."""
    text = f"- 1\n---\n{GOOD}\n---\n- 2"
    with pytest.raises(RuleErrors) as caught:
        cloudsigma.compile_text(text)
    assert [error.line for error in caught.value.exceptions] == [1, 14]
    assert isinstance(caught.value, cloudsigma.CloudSigmaError)
    with pytest.raises(RuleError):
        cloudsigma.compile_rules(tmp_path / "nothing.yml")


def test_one_id_for_two_rules() -> None:
    """The same rule twice counts once; another rule with its ID is an error that names both places."""
    assert len(cloudsigma.compile_text(f"{GOOD}\n---\n{GOOD}")) == 1
    error = error_of(f"{GOOD}\n---\n{GOOD.replace('CreateGroup', 'DeleteGroup')}")
    assert (error.category, error.line) == ("reference", 12)
    assert "'Good' in <text>:1" in error.reason


def test_rule_without_id_has_a_stable_one() -> None:
    """The ID made from the content does not depend on the order of keys."""
    head, rest = GOOD.split("id: 11111111-1111-4111-8111-111111111111\n")
    (first,) = cloudsigma.compile_text(head + rest)
    (second,) = cloudsigma.compile_text(rest + head)
    assert first.id == second.id
    assert len(first.id) == 36


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 5000,
        "{" * 200,
        "a: &a [x]\n" + "\n".join(f"{chr(98 + n)}: &{chr(98 + n)} [{f'*{chr(97 + n)}, ' * 9}]" for n in range(9)),
        bad(**{"condition: selection": "condition: " + "(" * 1000 + "selection" + ")" * 1000}),
        bad(**{"condition: selection": "condition: " + "not " * 5000 + "selection"}),
        bad(**{"eventName: CreateGroup": "eventName|windash: " + "-a " * 500}),
        bad(**{"condition: selection": "condition: |\n        " + "selection or\n        " * 4000 + "selection"}),
    ],
    ids=["deep list", "deep map", "alias bomb", "brackets", "nots", "dashes", "long condition"],
)
def test_hostile_text_is_bounded(text: str) -> None:
    """Nesting, aliases and length end in an error of ours or in a rule, never in another exception."""
    rules = cloudsigma.compile_text(text, on_error="skip")
    assert len(rules) + len(rules.errors) == 1


def test_values_of_100_kilobytes() -> None:
    """Long values compile and match."""
    long = "x" * 100_000
    (rule,) = cloudsigma.compile_text(bad(CreateGroup=long + "*"))
    assert rule.predicate({"eventName": long + "y"})
    assert not rule.predicate({"eventName": long[1:]})


@pytest.mark.parametrize(
    "error",
    [
        RuleError("value", "reason", path="p", line=1, column=2, rule="r", remedy="Do.", excerpt="x\n^"),
        RuleErrors("two", [RuleError("yaml", "a"), RuleError("file", "b")]),
        UnknownRuleError("abc", ["abd"]),
        UsageError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: cloudsigma.CloudSigmaError) -> None:
    """Every error prints, pickles and comes back with the same text."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(copy) is type(error)
    assert str(copy) == str(error) != ""


def test_locations_read_as_editors_open_them() -> None:
    """A location is `file:line:column`, as far as it is known."""
    assert str(Location("a.yml", 3, 4)) == "a.yml:3:4"
    assert str(Location("a.yml")) == "a.yml"
    assert str(Location(line=2)) == "<text>:2"
    assert "file" in CATEGORIES


def test_traceback_points_at_the_rule(tmp_path: Path) -> None:
    """A traceback through a predicate points at the rule's file and the line in it."""
    import traceback

    class Hostile(dict[str, object]):
        def get(self, key: str, default: object = None) -> object:
            raise ZeroDivisionError(key)

    file = tmp_path / "rule.yml"
    file.write_text(GOOD)
    (rule,) = cloudsigma.compile_rules(file)
    try:
        rule.predicate(Hostile())
    except ZeroDivisionError as error:
        text = "".join(traceback.format_exception(error))
    assert f'File "{file}", line 8' in text


def test_usage_errors() -> None:
    """Arguments that make no sense are told before any work."""
    for call in (
        cloudsigma.compile_rules,
        lambda: cloudsigma.compile_text(GOOD, on_error="ignore"),  # type: ignore[arg-type]
        lambda: cloudsigma.compile_text(GOOD, logsource={"vendor": "aws"}),
        lambda: cloudsigma.compile_text(b"title: T"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UsageError):
            call()
    assert dedent(GOOD) == GOOD


def test_file_without_a_rule_is_told(tmp_path: Path) -> None:
    """A file that is empty, or has comments only, is a warning; the rules beside it are used."""
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "empty.yml").write_text("")
    (tmp_path / "later.yml").write_text("# title: T\n---\n")
    rules = cloudsigma.compile_rules(tmp_path)
    assert (len(rules), rules.errors) == (1, ())
    found = [(Path(warning.path or "").name, warning.severity, warning.reason) for warning in rules.warnings]
    assert found == [(name, "warning", "the file holds no rule") for name in ("empty.yml", "later.yml")]


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("condition: []", (9, 5), "the list of conditions is empty"),
        ("condition:", (9, 15), "the condition is empty"),
        ("Condition: selection", (9, 5), "no condition, but 'Condition'"),
    ],
)
def test_conditions_that_are_none(text: str, place: tuple[int, int], reason: str) -> None:
    """A condition without text, and a key that looks like it, are told at their place."""
    error = error_of(bad(**{"condition: selection": text}))
    assert (error.line, error.column) == place
    assert reason in error.reason
