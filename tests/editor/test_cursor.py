"""Where the cursor is, in text that is often not YAML yet: `▮` marks it."""

from __future__ import annotations

import pytest

from cloudsigma.catalogue import Catalogue
from cloudsigma.editor.completion import MOST, suggestions_at
from cloudsigma.editor.cursor import Cursor, cursor_at, names_below, values_of
from cloudsigma.editor.hover import hover_at

RULE = """title: A rule
logsource:
  product: aws
detection:
  selection:
    eventSource: rolesanywhere.amazonaws.com
    eventName:
      - CreateProfile
      - CreateTrustAnchor
{}
  filter_main_a:
    - userIdentity.type: Root
      errorCode|exists: true
  condition: selection and not 1 of filter_main_*
level: high
"""


def placed(line: str) -> tuple[list[str], int, int]:
    """The lines of the rule with a line in it, and the place of the mark."""
    lines = RULE.format(line).splitlines(keepends=True)
    at = next(number for number, text in enumerate(lines) if "▮" in text)
    column = lines[at].index("▮")
    lines[at] = lines[at].replace("▮", "")
    return lines, at, column


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("    requestP▮", Cursor("key", ("detection", "selection"), "requestP", "requestP", 4, 12)),
        ("    ▮", Cursor("key", ("detection", "selection"), "", "", 4, 4)),
        ("    user▮Agent: x", Cursor("key", ("detection", "selection"), "userAgent", "userAgent", 4, 13)),
        (
            "    userAgent|con▮",
            Cursor("modifier", ("detection", "selection"), "userAgent|con", "con", 14, 17),
        ),
        (
            "    userAgent|re|▮: x",
            Cursor("modifier", ("detection", "selection"), "userAgent|re|", "", 17, 17),
        ),
        (
            "    awsRegion: us▮",
            Cursor("value", ("detection", "selection"), "awsRegion", "us", 15, 17),
        ),
        ("    awsRegion: ▮", Cursor("value", ("detection", "selection"), "awsRegion", "", 15, 15)),
        (
            "    awsRegion: [a, b▮]",
            Cursor("value", ("detection", "selection"), "awsRegion", "b", 19, 20),
        ),
        (
            "    awsRegion:\n      - a\n      - b▮",
            Cursor("value", ("detection", "selection"), "awsRegion", "b", 8, 9),
        ),
        (
            "    awsRegion:\n    - b▮",
            Cursor("value", ("detection", "selection"), "awsRegion", "b", 6, 7),
        ),
        ("  other:\n    - user▮", Cursor("value", ("detection",), "other", "user", 6, 10)),
        ("    awsRegion: a # no▮te", Cursor("nowhere")),
        ('    userAgent: "a # b▮"', Cursor("value", ("detection", "selection"), "userAgent", "b", 20, 21)),
        ("  🦊: x\n  two▮", Cursor("key", ("detection",), "two", "two", 2, 5)),
    ],
)
def test_the_cursor_is_found(line: str, wanted: Cursor) -> None:
    assert cursor_at(*placed(line)) == wanted


def test_values_and_names_of_a_document_are_found() -> None:
    lines = RULE.format("    awsRegion: [a, b]").splitlines(keepends=True)
    assert values_of(lines, "eventName") == ("CreateProfile", "CreateTrustAnchor")
    assert values_of(lines, "eventSource") == ("rolesanywhere.amazonaws.com",)
    assert values_of(lines, "awsRegion") == ("a", "b")
    assert names_below(lines, "detection") == ("selection", "filter_main_a", "condition")


def offered(line: str) -> list[str]:
    found = suggestions_at(*placed(line), Catalogue.load())
    return [each.text for each in found.suggestions]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("    userIdentity.sess▮", "userIdentity.sessionContext.sessionIssuer.arn"),
        ("    requestParameters.▮", "requestParameters.roleArns"),
        ("    responseElements.tr▮", "responseElements.trustAnchor"),
        ("    userAgent|st▮", "startswith"),
        ("    userIdentity.type: R▮", "Root"),
        ("  other:\n    eventSource: iam▮", "iam.amazonaws.com"),
        ("    eventName: Upd▮", "UpdateTrustAnchor"),
        ("  condition: sel▮", "selection"),
        ("  condition: ▮", "1 of"),
        ("level: h▮", "high"),
        ("stat▮", "status"),
        ("correlation:\n  type: ev▮", "event_count"),
        ("correlation:\n  gr▮", "group-by"),
        ("logsource:\n  serv▮", "service"),
        ("fields:\n  - eventN▮", "eventName"),
    ],
)
def test_the_right_words_are_offered(line: str, wanted: str) -> None:
    assert wanted in offered(line)


def test_only_events_of_the_source_are_offered() -> None:
    found = offered("    eventName: ▮")
    assert "CreateTrustAnchor" in found
    assert "CreateUser" not in found


def test_an_unknown_source_offers_events_of_all_up_to_a_bound() -> None:
    lines = ["detection:\n", "  s:\n", "    eventName: \n"]
    found = suggestions_at(lines, 2, 15, Catalogue.load())
    assert (len(found.suggestions), found.whole) == (MOST, False)
    narrower = suggestions_at(["detection:\n", "  s:\n", "    eventName: CreateTrustAnch\n"], 2, 30, Catalogue.load())
    assert [each.text for each in narrower.suggestions] == ["CreateTrustAnchor"]
    assert narrower.whole


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("    eventName: Create▮TrustAnchor", "writes"),
        ("    eventSource: ▮iam.amazonaws.com", "events"),
        ("    userAgent|con▮tains: x", "anywhere in the field"),
        ("    userIdentity.ty▮pe: Root", "is one of"),
        ("    requestParameters.na▮me: x", "a member of CreateProfile"),
        ("lev▮el: high", "How grave"),
    ],
)
def test_hover_describes(line: str, wanted: str) -> None:
    found = hover_at(*placed(line), Catalogue.load())
    assert found is not None
    assert wanted in found[0]


@pytest.mark.parametrize("line", ["    nothing▮: x", "    awsRegion: us-▮east-1", "    ▮"])
def test_hover_is_silent_about_what_it_does_not_know(line: str) -> None:
    assert hover_at(*placed(line), Catalogue.load()) is None


def test_no_place_of_broken_text_raises() -> None:
    text = RULE.format("    - {a: [b, '\n   |x\n  - - c:\n\t: d\n#") + "\n---\n- \n: :\n'"
    lines = text.splitlines(keepends=True)
    catalogue = Catalogue.load()
    for line, content in enumerate(lines):
        for column in range(len(content) + 2):
            suggestions_at(lines, line, column, catalogue)
            hover_at(lines, line, column, catalogue)
    assert cursor_at(lines, len(lines) + 3, 0) == Cursor("nowhere")
