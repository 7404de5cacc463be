"""What went wrong in systems like this one, as tests: what is written, and what options promise.

Each is named after its line of the list; `tests/reading/test_robustness.py` has those about reading.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, run
from group_calls import create_group
from rich.cells import cell_len

import cloudsigma
from cloudsigma.cli import exit_codes
from cloudsigma.escaping import printable

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '"=1', "'=1"]


def record(number: int = 0, **changes: Any) -> dict[str, Any]:
    return create_group(f"e{number}", **{"recipientAccountId": "111122223333", **changes})


def rule(title: str, **more: Any) -> str:
    return json.dumps(
        {
            "title": title,
            "logsource": {"product": "aws", "service": "cloudtrail"},
            "detection": {"s": {"eventName": "CreateGroup"}, "condition": "s"},
            **more,
        },
        ensure_ascii=False,  # YAML knows no pairs of escapes
    )


@pytest.mark.parametrize("text", FORMULAS)
def test_s08_what_a_spreadsheet_would_run_is_data_in_json(tmp_path: Path, text: str) -> None:
    """JSON says exactly what was recorded. There is no CSV output; what is written as a table has no cells."""
    who = {"type": "IAMUser", "arn": text}
    made = record(userAgent=text, requestParameters={"groupName": text}, errorMessage=text, userIdentity=who)
    (tmp_path / "a.json").write_text(json.dumps([made]))
    (tmp_path / "r.yml").write_text(rule("T"))
    done = run("scan", tmp_path / "a.json", "--format", "jsonl", "--rules", tmp_path / "r.yml", "--no-bundled")
    (match,) = map(json.loads, done.stdout.splitlines())
    assert match["record"] == made
    assert match["context"]["user_agent"] == match["context"]["error_message"] == text
    assert match["context"]["resource"]["name"] == match["context"]["principal"]["arn"] == text


@pytest.mark.parametrize("columns", [20, 80, 160])
@pytest.mark.parametrize("title", ["グループ" * 20, "é" * 90, "👩‍👩‍👧" * 30, "a\u0301" * 60, "ﷺ" * 40])
def test_s09_text_of_any_width_is_cut_between_characters_or_not_at_all(
    tmp_path: Path, title: str, columns: int
) -> None:
    """Titles, names and authors in any script: whole in a pipe and with `--wide`, else within the terminal's width."""
    (tmp_path / "r.yml").write_text(rule(title, author=title), encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps([record(requestParameters={"groupName": title[::-1] + "x"})]))
    arguments = ["scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled", "--format", "table"]
    assert printable(title) in run(*arguments).stdout
    wide = on_terminal(columns, *arguments, "--wide")
    assert Counter(printable(title) * 2) <= Counter(wide)  # in the rule's column, and in the resource's
    if columns >= 80:
        assert max(map(cell_len, on_terminal(columns, *arguments).splitlines())) <= columns
    assert printable(title) in run("rules", "--rules", tmp_path / "r.yml").stdout


def on_terminal(columns: int, *arguments: str | Path) -> str:
    """The output of a command on a terminal, which is decoded whole: nothing was cut within a character."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(os.fspath, arguments)], stdout=theirs, stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1", "PYTHONUTF8": "1"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == exit_codes.FOUND
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--since"], "--since"),
        (["--format"], "--format"),
        (["--format", "xlsx"], "--format"),
        (["--level", "highest"], "--level"),
        (["--jobs", "many"], "--jobs"),
        (["--account", "1234"], "'1234' is not an account ID"),
        (["--region", "europe"], "'europe' is not a region"),
        (["--interval", "soon", "--follow"], "--interval"),
        (["--checkpoint"], "--checkpoint"),
    ],
    ids=" ".join,
)
def test_s11_a_wrong_value_names_its_argument(tmp_path: Path, arguments: list[str], named: str) -> None:
    done = run("scan", tmp_path, *arguments)
    assert done.returncode == exit_codes.USAGE
    assert named in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "effect"),
    [
        (["--placeholders", "none.yml"], 5, "none.yml: file error: it cannot be read (No such file or directory)"),
        (["--rules", "none.yml", "--no-bundled"], 5, "no rule is left: every rule is bad"),
        (["--rules", "none.yml"], 3, "none.yml: file error: there is no such file or folder"),
        (["--compiled", "none.json"], 5, "none.json cannot be read (No such file or directory)"),
        (["--pipeline", "none.yml"], 5, "none.yml: file error: it cannot be read (No such file or direct"),
        (["none.json"], 4, "none.json: there is no such file or folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_s11_a_side_file_that_is_missing_is_named(tmp_path: Path, arguments: list[str], code: int, effect: str) -> None:
    """With the effect; whatever can be done without it is done, and the exit code says that it was not all."""
    (tmp_path / "a.json").write_text(json.dumps([record()]))
    done = run("scan", tmp_path / "a.json", *arguments, "--format", "ids")
    assert done.returncode == code
    assert arguments[-1].removeprefix("--no-bundled") in done.stderr
    assert effect in done.stderr
    assert done.stdout.count("\te0\n") == (code != exit_codes.NOT_DONE)


CHAINED = """
title: Create
id: 11111111-1111-4111-8111-111111111111
name: create
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateGroup}, condition: s}
---
title: Pair
id: 22222222-2222-4222-8222-222222222222
name: pair
correlation: {type: event_count, rules: [create], timespan: 1h, condition: {gte: 2}, group-by: [eventName]}
---
title: Pairs of a user
id: 33333333-3333-4333-8333-333333333333
correlation:
    {type: value_count, rules: [create], timespan: 2h, condition: {gte: 1, field: eventID}, group-by: [eventSource]}
"""


@pytest.mark.parametrize(("events", "hits"), [(0, 0), (1, 3), (5, 6)])
def test_s12_the_summary_is_sane_for_no_event_and_for_more_hits_than_events(
    tmp_path: Path, events: int, hits: int
) -> None:
    """Each correlation hits for one event; with five the pair does, too."""
    again = CHAINED.partition("---\ntitle: Pairs")[2]
    more = [
        f"---\ntitle: Pairs{again}".replace("33333333-3", f"{n}" * 8 + "-3") for n in range(4, 6 + 2 * (events > 1))
    ]
    (tmp_path / "r.yml").write_text(CHAINED + "".join(more))
    (tmp_path / "a.json").write_text(json.dumps({"Records": [record(number) for number in range(events)]}))
    done = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled", "--format", "ids",
        "--coverage")  # fmt: skip
    total = len(done.stdout.splitlines())
    assert total == hits
    assert hits > events or not events
    assert f"{total} {'match' if total == 1 else 'matches'}\n" in done.stderr
    assert f"{events} {'record' if events == 1 else 'records'}" in done.stderr
    assert not re.search(r"(?<![\w-])-\d|nan|inf\b", done.stderr.replace(str(tmp_path), ""))


def test_s13_the_order_of_input_changes_no_match(tmp_path: Path) -> None:
    """First and last records of a group are its own, whatever comes first in the files."""
    text = CHAINED.replace("group-by: [eventName]", "group-by: [userIdentity.arn]")
    (tmp_path / "r.yml").write_text(text)
    made = [
        record(n, eventTime=f"2025-03-04T10:{n:02}:00Z", userIdentity={"type": "IAMUser", "arn": f"arn:{n % 2}"})
        for n in range(6)
    ]
    spans = []
    for order in (made, made[::-1], made[::2] + made[1::2]):
        (tmp_path / "a.json").write_text(json.dumps({"Records": order}))
        done = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled", "--rule-id", "pair")
        found = [json.loads(line) for line in done.stdout.splitlines()]
        spans.append(
            {
                match["group"]["userIdentity.arn"]: sorted(each["context"]["time"] for each in match["matches"])
                for match in found
            }
        )
    assert spans[0] == spans[1] == spans[2]
    assert {arn: (times[0][14:16], times[-1][14:16]) for arn, times in spans[0].items()} == {
        "arn:0": ("00", "04"),
        "arn:1": ("01", "05"),
    }


@pytest.mark.parametrize(
    ("pattern", "address", "matches"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("192.168.0.0/16", "::ffff:192.168.1.1", False),  # a mapped address is one of IPv6
        ("::ffff:0:0/96", "::ffff:192.168.1.1", True),
        ("::ffff:192.168.0.0/112", "::ffff:c0a8:101", True),
        ("192.168.0.0/255.255.0.0", "192.168.1.1", True),
        ("172.16.0.0/12", "172.31.255.255", True),
        ("172.16.0.0/12", "172.32.0.0", False),
        ("fc00::/7", "fd12::1", True),
        ("10.0.0.0/8", "10.1.2.3:443", False),
        ("10.0.0.0/8", "010.1.2.3", False),
        ("2001:db8::/32", "2001:db8:1::5", True),
        ("2001:db8::/32", "2001:0db8:0001:0000::0005", True),
        ("2001:db8::/32", "10.0.0.1", False),
        ("10.0.0.0/8", "AWS Internal", False),
        ("10.0.0.0/8", "cloudformation.amazonaws.com", False),
        ("10.0.0.0/8", "", False),
        ("10/8", "10.1.2.3", "rejected"),
        ("10.0.0.0/40", "10.1.2.3", "rejected"),
        ("10.0.0.0/8x", "10.1.2.3", "rejected"),
        ("10.0.0.1/8", "10.1.2.3", "rejected"),
        ("10.0.0.*", "10.0.0.3", "rejected"),
        ("2001:db8/32", "2001:db8::1", "rejected"),
    ],
)
def test_s15_addresses_are_classified_or_refused_when_loaded(pattern: str, address: str, matches: Any) -> None:
    text = json.dumps(
        {
            "title": "T",
            "logsource": {"product": "aws", "service": "cloudtrail"},
            "detection": {"s": {"sourceIPAddress|cidr": pattern}, "condition": "s"},
        }
    )
    if matches == "rejected":
        with pytest.raises(cloudsigma.RuleError):
            cloudsigma.compile_text(text)
        return
    found = cloudsigma.compile_text(text).match(record(sourceIPAddress=address))
    assert bool(found) is matches


def test_s16_a_field_to_show_that_is_absent_has_its_name_and_no_value(tmp_path: Path) -> None:
    """`fields` of a rule name what is shown; each has its key, with an empty list where the record has none."""
    (tmp_path / "r.yml").write_text(rule("T", fields=["requestParameters.groupName", "no.such.field"]))
    (tmp_path / "a.json").write_text(json.dumps([record()]))
    done = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled")
    (match,) = map(json.loads, done.stdout.splitlines())
    assert match["context"]["fields"] == {"requestParameters.groupName": ["admins"], "no.such.field": []}


def test_s19_all_metadata_of_a_rule_is_in_the_output_in_one_order(tmp_path: Path) -> None:
    """There is no CSV; the keys of the JSON and their order are pinned by `tests/golden`, and nothing is left out."""
    metadata = {
        "id": "44444444-4444-4444-8444-444444444444",
        "level": "high",
        "status": "test",
        "author": "Áé, 著者",
        "tags": ["attack.t1098", "attack.t1098.003"],
        "references": ["https://example.org/a?b=1&c=2"],
        "falsepositives": ["Administrators, on Mondays"],
        "description": "Two\nlines",
    }
    (tmp_path / "r.yml").write_text(rule("T", **metadata), encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps([record()]))
    done = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled")
    (match,) = map(json.loads, done.stdout.splitlines())
    assert match["rule_id"] == metadata["id"]
    assert {name: match["rule"][name] for name in metadata if name != "id"} == {
        name: value for name, value in metadata.items() if name != "id"
    }
    assert list(match) == [
        "rule_id",
        "key",
        "rule",
        "context",
        "evidence",
        "origin",
        "session",
        "approval",
        "group",
        "matches",
        "record",
    ]


def test_s20_rules_for_other_services_are_counted_and_a_stale_exclusion_is_told(tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text(
        rule("Windows").replace('"product": "aws", "service": "cloudtrail"', '"product": "windows"')
    )
    listed = run("rules", "--rules", tmp_path / "r.yml")
    assert re.search(r"Windows  \[never applied: other log source\]$", listed.stdout, re.MULTILINE)
    assert listed.stderr == "5 rules, 1 of them never applied: other log source\n"
    asked = run("rules", "--rules", tmp_path / "r.yml", "--exclude", "aws_cloudtrail_iam_group_created")
    assert asked.stderr == "4 rules, 1 of them never applied: other log source\n"
    (tmp_path / "a.json").write_text(json.dumps([record()]))
    scanned = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml")
    assert "\nof 5 rules 1 were never applied: other log source\n" in scanned.stderr
    assert "never applied" not in run("scan", tmp_path / "a.json").stderr
    stale = run("scan", tmp_path / "a.json", "--exclude", "a_rule_of_last_year")
    assert stale.returncode == exit_codes.USAGE
    assert "no rule has the ID or name 'a_rule_of_last_year'" in stale.stderr


def test_s23_a_base_rule_named_by_its_title_is_an_error(tmp_path: Path) -> None:
    """Never a correlation that is silently dead; and `generate: false` hides the matches of base rules alone."""
    (tmp_path / "a.json").write_text(json.dumps({"Records": [record(n) for n in range(3)]}))
    (tmp_path / "r.yml").write_text(CHAINED.replace("rules: [create]", "rules: [Create]", 1))
    done = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled", "--format", "ids")
    assert done.returncode == exit_codes.RULES_LEFT_OUT
    assert "reference error" in done.stderr
    assert "Create" in done.stderr
    for generate, titles in (("false", ["Other", "Pair"]), ("true", ["Create", "Other", "Pair"])):
        text = CHAINED.partition("---\ntitle: Pairs")[0].replace("group-by:", f"generate: {generate}, group-by:")
        (tmp_path / "r.yml").write_text(text + "---\n" + rule("Other"))
        shown = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled")
        assert sorted({json.loads(line)["rule"]["title"] for line in shown.stdout.splitlines()}) == titles


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_s26_times_are_utc_whatever_the_machine_says(tmp_path: Path, zone: str) -> None:
    """A time that cannot be read is kept as it was in the record, and is unknown in the context."""
    made = [record(0), record(1, eventTime="2025-03-04 10:15:30"), record(2, eventTime="last Tuesday")]
    (tmp_path / "a.json").write_text(json.dumps({"Records": made}))
    env = {"TZ": zone}
    found = [json.loads(line) for line in run("scan", tmp_path / "a.json", env=env).stdout.splitlines()]
    assert [match["context"]["time"] for match in found] == ["2025-03-04T10:15:30Z"] * 2 + [None]
    assert [match["record"]["eventTime"] for match in found] == [each["eventTime"] for each in made]
    table = run("scan", tmp_path / "a.json", "--format", "table", env=env).stdout
    assert "2025-03-04 10:15:30Z" in table


def test_s26_a_folder_without_a_rule_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([record()]))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "readme.txt").write_text("no rule")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "r.yml").write_text("title: [")
    for folder, said in (("rules", "the folder holds no rule files"), ("bad", "yaml error")):
        arguments = ["scan", tmp_path / "a.json", "--rules", tmp_path / folder, "--format", "ids"]
        alone = run(*arguments, "--no-bundled")
        assert (alone.returncode, alone.stdout) == (exit_codes.NOT_DONE, "")
        assert f"{tmp_path / folder}" in alone.stderr
        assert said in alone.stderr
        assert "no rule is left: every rule is bad" in alone.stderr
        beside = run(*arguments)
        assert (beside.returncode, beside.stdout.count("\n")) == (exit_codes.RULES_LEFT_OUT, 1)
        assert said in beside.stderr


def test_s27_tags_come_out_as_they_went_in(tmp_path: Path) -> None:
    tags = [
        "attack.privilege-escalation",
        "attack.privilege_escalation",
        "attack.t1098.003",
        "cve.2021-1234",
        "own.x_y-z",
    ]
    (tmp_path / "r.yml").write_text(rule("T", tags=tags))
    (tmp_path / "a.json").write_text(json.dumps([record()]))
    done = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled")
    assert json.loads(done.stdout)["rule"]["tags"] == tags


def test_r31_a_source_that_ends_ends_the_scan_cleanly(tmp_path: Path) -> None:
    """A pipe that ends at once, in the midst of a record, or beside another input: no hang, and everything is told."""
    (tmp_path / "a.json").write_text(json.dumps([record()]))
    for stdin, told in ((b"", "the file is empty"), (json.dumps([record(1)]).encode()[:-9], "the JSON is damaged")):
        done = run("scan", "-", tmp_path / "a.json", "--format", "ids", stdin=stdin)
        assert done.stdout.endswith("\te0\n")
        assert done.stdout.count("\n") == 1
        assert done.returncode == exit_codes.INPUT_LOST
        assert f"-: {told}" in done.stderr
