"""Rules that compile but can hardly mean what they say have warnings; rules that are in order have none."""

from __future__ import annotations

import random
import time
from itertools import product
from pathlib import Path

import pytest

import cloudsigma
from cloudsigma import ir
from cloudsigma.compiler.doubts.contradictions import conflict_of

HEAD = "title: T\nlogsource: {product: aws, service: cloudtrail}\n"


def warnings_of(text: str) -> list[str]:
    rules = cloudsigma.compile_text(text, on_error="skip")
    assert rules.errors == ()
    for warning in rules.warnings:
        assert warning.severity == "warning"
        assert warning.remedy
        assert warning.column is not None
    return [f"{warning.line}:{warning.column} {warning.reason}" for warning in rules.warnings]


def item(line: str) -> str:
    return f"{HEAD}detection:\n    selection:\n        {line}\n    condition: selection\n"


def selections(condition: str, **bodies: str) -> str:
    named = "".join(f"    {name}: {body}\n" for name, body in bodies.items())
    return f"{HEAD}detection:\n{named}    condition: {condition}\n"


# An item, and the beginning of its warning.
ITEMS = {
    "eventName/startswith: Create": "the field name 'eventName/startswith' ends like a modifier",
    "eventName contains: Create": "the field name 'eventName contains' ends like a modifier",
    "'!eventName': x": "the field name '!eventName' is read with its negation",
    "$.eventName: x": "the field name '$.eventName' is a JSONPath",
    "resources[0].ARN: x": "the field name 'resources[0].ARN' marks a list",
    "resources[*].ARN: x": "the field name 'resources[*].ARN' marks a list",
    "resources.0.ARN: x": "the field name 'resources.0.ARN' marks a list",
    "userIdentity..arn: x": "the field name 'userIdentity..arn' has an empty part",
    "userIdentity/arn: x": "the field name 'userIdentity/arn' has '/' between its parts",
    "userIdentity->arn: x": "the field name 'userIdentity->arn' has '->' between its parts",
    "requestParameters.*: x": "the field name 'requestParameters.*' marks a list",
    "request*: x": "the field name 'request*' has a wildcard",
    "detail.eventName: x": "the field name 'detail.eventName' begins with 'detail.'",
    "Records[0].eventName: x": "the field name 'Records[0].eventName' begins with 'Records[0].'",
    "event\u200bName: x": "the field name 'event\\u200bName' has an invisible character (zero width space)",
    "eventName: ' CreateUser'": "' CreateUser' begins or ends with a blank",
    "eventName: 'Create\u00a0User'": "the value 'Create\\xa0User' has an invisible character (no-break space)",
    "eventName: Cr\u0435ateUser": "the value has a letter that looks like another (cyrillic small letter ie)",
    'eventName|re: "\\bUser"': "the value has a control character, which \\b in double quotation marks makes",
    "eventName: CreateUser,CreateRole": "'CreateUser,CreateRole' is one text, not several values",
    "eventName: CreateUser | CreateRole": "'CreateUser | CreateRole' is one text, not several values",
    "eventName: not CreateUser": "'not CreateUser' is compared as text, its negation too",
    "eventName: '!CreateUser'": "'!CreateUser' is compared as text, its negation too",
    "requestParameters.n: '>= 5'": "'>= 5' is compared as text",
    "eventName: ^Create": "'^Create' is compared as text, with * and ? as wildcards",
    "eventName: '(Create|Delete)User'": "'(Create|Delete)User' is compared as text",
    "eventName: '\"CreateUser\"'": "the quotation marks of '\"CreateUser\"' are part of the text",
    "eventName: \u201cCreateUser\u201d": "the quotation marks of '\u201cCreateUser\u201d' are part of the text",
    "errorCode: 'null'": "'null' is text here",
    "errorCode: None": "'None' is text here",
    "eventName: -CreateUser": "'-CreateUser' begins with a hyphen",
    "eventName|re: /^Create.*/": "the slashes around '/^Create.*/' are part of the expression",
    "eventName|re: ''": "an empty expression is found in every text",
    "eventName|contains: ''": "an empty text is part of every text",
    "userIdentity.userName|expand: admins": "expand replaces %names%",
    "eventVersion: 1.09": "YAML reads 1.09 as a number",
    "eventTime|hour|gte: 0": "every hour passes gte 0",
    "errorCode:": "no value is written",
    "errorCode: []": "an empty list asks for a field without a value",
    "requestParameters.userName: bob #1": "'#1' is a comment",
    "eventName_contains: User": "the field name 'eventName_contains' ends with '_contains'",
    "eventName==: User": "the field name 'eventName==' ends with '=='",
    "userIdentity.arn.keyword: x": "the field name 'userIdentity.arn.keyword' ends with '.keyword'",
    "eventName: '== CreateUser'": "'== CreateUser' is compared as text, its = too",
    "eventName: CreateUser;CreateRole": "'CreateUser;CreateRole' is one text, not several values",
    "eventName: CreateUser or CreateRole": "'CreateUser or CreateRole' is one text, not several values",
    "eventName: '[CreateUser, CreateRole]'": "'[CreateUser, CreateRole]' is one text, not several values",
    "eventName: '%User%'": "% is not a wildcard in '%User%'",
    "sourceIPAddress: 10.0.0.0/8": "'10.0.0.0/8' is compared as text, not as a network",
    "eventName|all: [CreateUser, 'Delete*']": "the selection 'selection' can never match: eventName has one value",
}


@pytest.mark.parametrize("line", ITEMS)
def test_doubtful_item(line: str) -> None:
    """An item that was meant as something else has one warning, in its line."""
    (found,) = warnings_of(item(line))
    assert found.split(" ", 1)[1].startswith(ITEMS[line]), found
    assert found.startswith(("5:", "4:") if "can never" in found else "5:"), found


@pytest.mark.parametrize(
    "line",
    [
        "eventName: CreateUser",
        "eventName: [CreateUser, 'Create*Role', a?]",
        "eventName: ['']",
        "errorCode: null",
        "errorCode: ~",
        "errorCode: [null, '']",
        "requestParameters.policyDocument|contains: '\"*\"'",
        "requestParameters.policyDocument|contains|all: [Allow, '*']",
        "requestParameters.key|contains|all: ['a b ', ' c']",
        "userAgent|re: '(?i)^(kali|parrot)[/ ].*$'",
        "userAgent|re: 'a*b+'",
        "userAgent|contains: ' -x '",
        "userAgent: 'Boto3/1.2 (a; b), c'",
        "responseElements.x: 5",
        "responseElements.x: [true, 8]",
        "responseElements.x: false",
        "requestParameters.instanceType|startswith: p3.",
        "eventSource: 's3.*'",
        "userIdentity.arn|contains: ':role/'",
        "requestParameters.groupId|fieldref: responseElements.groupId",
        "sourceIPAddress|cidr: [10.0.0.0/8, '::1/128']",
        "eventTime|hour|lt: 6",
        "eventTime|year|gte: 2024",
        "tlsDetails.clientProvidedHostHeader: s3.amazonaws.com",
        "requestParameters.x-amz-acl: public-read",
        "eventName: CreateUser # as the console does",
        "requestParameters.tag: 'a #1'",
        "requestParameters.names: 日本語",
        "requestParameters.names: Müller",
        "requestParameters.names|all: [a, b]",
        "requestParameters.range: 10-20",
        "requestParameters.ipPermissions.items.ipRanges.items.cidrIp: 0.0.0.0/0",
        "requestParameters.cpu: 100%",
    ],
)
def test_item_in_order(line: str) -> None:
    """Items that look only a little like mistakes are quiet."""
    assert warnings_of(item(line)) == []


CREATE, DENIED = "{eventName: CreateUser}", "{errorCode: AccessDenied}"
CONDITIONS = {
    "unused": (selections("a", a=CREATE, b=DENIED), "5:5 no condition uses the selection 'b'"),
    "the same, negated": (selections("a and not a", a=CREATE), "5:5 the condition can never be true"),
    "none of them": (selections("a and not 1 of them", a=CREATE, b=DENIED), "6:5 the condition can never be true"),
    "a wider filter": (
        selections("a and not b", a=CREATE, b="{eventName|startswith: Create}"), "6:5 the condition can never be true",
    ),
    "a filter with more values": (
        selections("a and not b", a=CREATE, b="{eventName: [DeleteUser, createuser]}"),
        "6:5 the condition can never be true",
    ),
    "two names": (
        selections("a and b", a=CREATE, b="{eventName: [DeleteUser, CreateRole]}"),
        "6:5 the condition can never be true: eventName has one value",
    ),
    "every branch": (
        selections("(a or b) and c", a=CREATE, b="{eventName: CreateRole}", c="{eventName|endswith: Key}"),
        "7:5 the condition can never be true",
    ),
    "always": (selections("a or not a", a=CREATE), "5:5 the condition is true for every record"),
    "filter joined by and": (selections("a and filter", a=CREATE, filter=DENIED), "6:5 'filter' is named as a filter"),
    "filter as a selection": (
        selections("1 of them", a=CREATE, filter_b=DENIED), "6:5 'filter_b' is named as a filter",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
def test_doubtful_condition(name: str) -> None:
    """Conditions that are always false or true, and selections without use, are told at their place."""
    text, expected = CONDITIONS[name]
    (found,) = warnings_of(text)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        selections("a and not b", a=CREATE, b=DENIED),
        selections("a and not b", a="{eventName|startswith: Create}", b=CREATE),
        selections("a and b", a="{requestParameters.n: x}", b="{requestParameters.n: y}"),
        selections("a and not b", a="{requestParameters.n: [x, y]}", b="{requestParameters.n: x}"),
        selections("a and b", a="{eventName|re: ^Create}", b=CREATE),
        selections("a and b", a="{eventName|contains: user}", b=CREATE),
        selections("1 of sel* and not 1 of filter*", sel_a=CREATE, sel_b=DENIED, filter="{awsRegion: x}"),
        selections("not a", a=CREATE),
        selections("filter_a and filter_b", filter_a=CREATE, filter_b=DENIED),
        selections("a or b", a=CREATE, b="{eventName: DeleteUser}"),
        selections("a and not b and not c", a=CREATE, b="{errorCode: a}", c="{errorCode: b}"),
        f"{HEAD}detection:\n    a: {CREATE}\n    b: {DENIED}\n    condition: [a, b]\n",
    ],
)
def test_condition_in_order(text: str) -> None:
    """Conditions that can be true and false are quiet."""
    assert warnings_of(text) == []


TOPS = {
    "levels: high": "'levels' is not a key of Sigma",
    "Level: high": "'Level' is not a key of Sigma",
    "falsepositive: [x]": "'falsepositive' is not a key of Sigma",
    "sevice: cloudtrail": "'sevice' is not a key of Sigma",
    "service: cloudtrail": "'service' has no effect at the top of a rule",
    "selection: {a: b}": "'selection' has no effect at the top of a rule",
    "timeframe: 5m": "'timeframe' has no effect",
    "taxonomy: ecs": "the taxonomy 'ecs' is not applied",
    "date: 2024/3/9": "'2024/3/9' is a date in the old format",
    "modified: 2024/03/09": "'2024/03/09' is a date in the old format",
}


@pytest.mark.parametrize("line", TOPS)
def test_doubtful_attribute(line: str) -> None:
    """Keys that look like others, and attributes that have no effect, are told in their line."""
    (found,) = warnings_of(f"{item('eventName: CreateUser')}{line}\n")
    assert found.startswith(f"7:1 {TOPS[line]}")


def test_attributes_in_order() -> None:
    """Attributes of an author's own, text for false positives and a definition of the log source are quiet."""
    text = item("eventName: CreateUser").replace("service: cloudtrail}", "service: cloudtrail, definition: x}")
    extra = (
        "falsepositives: none\nruletype: x\nsimulation: {}\nowner: me\nticket: 5\ntaxonomy: sigma\ndate: 2024-03-09\n"
    )
    assert warnings_of(text + extra) == []
    (rule,) = cloudsigma.compile_text(text + extra)
    assert rule.falsepositives == ("none",)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{product: cloudtrail, service: aws}", "'cloudtrail' is the service of the records, not their product"),
        ("{product: aws, category: cloudtrail}", "'cloudtrail' is the service of the records, not their category"),
        ("{product: amazon, service: cloudtrail}", "the product of the records is 'aws', not 'amazon'"),
        ("{product: aws, service: cloud-trail}", "the service of the records is 'cloudtrail', not 'cloud-trail'"),
        ("{product: aws, service: cloudtrail, category: x}", "the records have no category"),
        ("{product: aws, service: cloudtrail, vendor: x}", "'vendor' in logsource has no effect"),
        ("{product: aws, service: cloudtrail, definitions: x}", "'definitions' in logsource has no effect"),
    ],
)
def test_doubtful_log_source(source: str, expected: str) -> None:
    """A log source that looks like that of the records, and is another, is told at its part."""
    text = item("eventName: CreateUser").replace("{product: aws, service: cloudtrail}", source)
    (found,) = warnings_of(text)
    assert found.startswith("2:")
    assert expected in found


def test_other_log_sources_are_quiet() -> None:
    """Rules for other services and products are in order, whatever their values look like."""
    for source in ("{product: windows, service: security}", "{product: aws, service: route53}", "{category: proxy}"):
        text = item("Image: 'a, b'").replace("{product: aws, service: cloudtrail}", source)
        assert warnings_of(text) == []


def test_public_rules_are_quiet(shared_corpus: Path) -> None:
    """No rule of SigmaHQ or suzaku has a warning, but for dates in the old format and log sources of correlations."""
    true = ("is a date in the old format", "the logsource of a correlation is ignored")
    for folder in ("sigmahq_all", "sigmahq_rules", "suzaku_rules"):
        rules = cloudsigma.compile_rules(shared_corpus / folder, on_error="skip")
        assert len(rules) > 50
        assert [w for w in rules.warnings if not w.reason.endswith(true)] == []


# --- contradictions are real --------------------------------------------------------------------------------

VALUES = ("a", "b", "ab", "'a*'", "'*b'", "'*a*'", "[a, b]", "[ab, 'b*']")
KEYS = (
    "eventName", "eventName|cased", "eventName|contains", "eventName|all", "eventName|neq", "eventName|startswith",
    "requestParameters.n", "requestParameters.n|all", "requestParameters.n|contains|all", "requestParameters.n|neq",
)  # fmt: skip
NAMES = (None, "a", "b", "ab", "A", "x", "xb")
LISTS = (None, [], ["a"], ["a", "b"], ["ab"], ["x"], ["A", "xb"])
RECORDS = [
    {"eventName": name, "requestParameters": {"n": values} if values is not None else None}
    for name, values in product(NAMES, LISTS)
]


def random_body(chosen: random.Random) -> str:
    keys = chosen.sample(KEYS, chosen.randint(1, 2))
    items = [f"{key}: {chosen.choice(VALUES)}" for key in keys]
    return f"{{{', '.join(items)}}}" if chosen.random() < 0.7 else f"[{', '.join(f'{{{each}}}' for each in items)}]"


def test_what_is_called_impossible_is_impossible() -> None:
    """Over random rules, a condition that is told to be never (always) true is false (true) for every record."""
    chosen = random.Random(20261202)  # noqa: S311  # no secrets
    proved = 0
    for _ in range(1_500):
        names = ("a", "b", "c")[: chosen.randint(1, 3)]
        terms = [chosen.choice(("", "not ")) + chosen.choice((*names, "1 of them", "all of them")) for _ in range(3)]
        condition = f" {chosen.choice(('and', 'or'))} ".join(terms[: chosen.randint(1, 3)])
        text = selections(condition, **{name: random_body(chosen) for name in names})
        (rule,) = cloudsigma.compile_text(text)
        assert isinstance(rule.definition, ir.DetectionRule)
        bodies = {each.name: each.body for each in rule.definition.selections}
        expression = rule.definition.conditions[0].expression
        for wanted, asked in ((False, expression), (True, ir.Not(expression))):
            if conflict_of(asked, bodies, aws=True):
                proved += 1
                assert {rule.predicate(record) for record in RECORDS} == {wanted}, text
    assert proved > 150


def test_search_for_contradictions_is_bounded() -> None:
    """Large rules are given up on, in time that their length bounds."""
    many = ", ".join(f"{{eventName: a{number}, errorCode|neq: b{number}}}" for number in range(2_000))
    values = ", ".join(f"'*x{number}*'" for number in range(3_000))
    text = selections(
        "a and b and not c", a=f"[{many}]", b=f"{{eventName: [{values}]}}", c=f"{{eventName: [{values}]}}"
    )
    started = time.process_time()
    (rule,) = cloudsigma.compile_text(text)
    compiled = time.process_time() - started
    assert isinstance(rule.definition, ir.DetectionRule)
    bodies = {each.name: each.body for each in rule.definition.selections}
    started = time.process_time()
    conflict_of(rule.definition.conditions[0].expression, bodies, aws=True)
    assert time.process_time() - started < max(1.0, compiled)
