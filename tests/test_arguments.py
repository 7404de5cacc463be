"""Wrong arguments of public functions: an error of ours, also the one Python has for it, that says what to give."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.errors import FileAccessError, MissingPackageError, WrongTypeError

RULE = "{title: t, name: t, logsource: {product: aws}, detection: {s: {eventName: A}, condition: s}}"
RECORD = {"eventName": "A", "eventID": "1"}
RULES = cloudsigma.compile_text(RULE)


def trail(folder: Path) -> Path:
    (folder / "a.json").write_text(json.dumps({"Records": [RECORD]}))
    (folder / "rule.yml").write_text(RULE)
    return folder / "a.json"


def unwrapped(result: Any) -> Any:
    """Use up what is lazy, so that nothing is left to be raised later."""
    return list(result) if isinstance(result, Iterable) and not isinstance(result, (str, bytes, dict)) else result


Call = Callable[[Path, Any], Any]

WRONG: list[tuple[str, Call, Any, type[Exception], str]] = [
    # --- compiling
    ("compile_rules(list)", lambda p, v: cloudsigma.compile_rules(v), ["a"], TypeError, "compile_rules(*paths)"),
    ("compile_rules(number)", lambda p, v: cloudsigma.compile_rules(v), 5, TypeError, "a path is 5; give a path"),
    ("compile_rules(bytes)", lambda p, v: cloudsigma.compile_rules(v), b"a", TypeError, "a path is a bytes"),
    ("compile_rules(NUL)", lambda p, v: cloudsigma.compile_rules(v), "a\0b", ValueError, "NUL"),
    ("compile_rules()", lambda p, v: cloudsigma.compile_rules(), None, ValueError, "at least one"),
    ("compile_text(path)", lambda p, v: cloudsigma.compile_text(v), Path("a.yml"), TypeError, "compile_rules(PATH)"),
    ("compile_text(bytes)", lambda p, v: cloudsigma.compile_text(v), b"x", TypeError, "text is a bytes"),
    *[
        (f"{name}: {keyword}", lambda p, v, call=call, keyword=keyword: call(p, **{keyword: v}), value, kind, said)
        for name, call in [
            ("compile_text", lambda p, **k: cloudsigma.compile_text(RULE, **k)),
            ("compile_rules", lambda p, **k: cloudsigma.compile_rules(p / "rule.yml", **k)),
        ]
        for keyword, value, kind, said in [
            ("on_error", "ignore", ValueError, "'raise' or 'skip'"),
            ("on_error", ["raise"], ValueError, "on_error is a list"),
            ("logsource", "aws", TypeError, "logsource is 'aws'; give a map"),
            ("logsource", {"service": 5}, ValueError, "give text"),
            ("logsource", {"produkt": "aws"}, ValueError, "product, service and category"),
            ("placeholders", ["a"], TypeError, "placeholders is a list; give a map"),
            ("placeholders", {"a": []}, ValueError, "'a'"),
            ("placeholders", {"a": object()}, ValueError, "'a'"),
            ("pipelines", "evtx_json", TypeError, "give a list"),
            ("pipelines", 5, TypeError, "pipelines is 5"),
            ("pipelines", [5], TypeError, "one of the pipelines is 5"),
            ("bundled", "yes", TypeError, "bundled is 'yes'; give True or False"),
        ]
    ],
    ("cache", lambda p, v: cloudsigma.compile_rules(p / "rule.yml", cache=v), 5, TypeError, "cache is 5"),
    ("bundled_rules", lambda p, v: cloudsigma.bundled_rules(correlations=v), "yes", TypeError, "True or False"),
    ("load_rules(number)", lambda p, v: cloudsigma.load_rules(v), 5, TypeError, "path is 5; give a path"),
    (
        "load_rules(no file)",
        lambda p, v: cloudsigma.load_rules(p / "no"),
        None,
        OSError,
        "No such file",
    ),
    ("load_rules(folder)", lambda p, v: cloudsigma.load_rules(p), None, OSError, "directory"),
    ("save(number)", lambda p, v: RULES.save(v), 5, TypeError, "path is 5; give a path"),
    ("save(no folder)", lambda p, v: RULES.save(p / "no" / "x"), None, OSError, "No such file"),
    # --- rule sets
    ("rules[0]", lambda p, v: RULES[v], 0, TypeError, "list(rules)"),
    ("rules[None]", lambda p, v: RULES[v], None, TypeError, "the ID or name"),
    ("rules['x']", lambda p, v: RULES[v], "x", KeyError, "no rule has the ID or name 'x'"),
    ("rules + list", lambda p, v: RULES + v, [], TypeError, "give a RuleSet"),
    ("level", lambda p, v: RULES.where(level=v), 3, TypeError, "level is 3; give one of informational"),
    ("level name", lambda p, v: RULES.where(level=v), "severe", ValueError, "informational, low"),
    *[
        (f"where: {keyword}", lambda p, v, keyword=keyword: RULES.where(**{keyword: v}), value, TypeError, said)
        for keyword in ("status", "tag", "id", "exclude")
        for value, said in [(5, f"{keyword} is 5"), ([5], f"one of {keyword} is 5"), ({"a": 1}, f"{keyword} is a dict")]
    ],
    ("evaluate(record)", lambda p, v: RULES.evaluate(v), RECORD, TypeError, "an iterable of records"),
    ("evaluate(None)", lambda p, v: RULES.evaluate(v), None, TypeError, "records is None"),
    ("lateness", lambda p, v: RULES.evaluate([], lateness=v), 300, TypeError, "lateness is 300; give a timedelta"),
    ("lateness < 0", lambda p, v: RULES.evaluate([], lateness=v), dt.timedelta(-1), ValueError, "0 or more"),
    ("origin", lambda p, v: RULES.match(RECORD, origin=v), "a.json", TypeError, "an Origin"),
    ("explain(text)", lambda p, v: RULES.explain(v, "t"), "x", TypeError, "record is 'x'; give one record"),
    ("explain: rule", lambda p, v: RULES.explain(RECORD, v), 5, TypeError, "the ID or name"),
    (
        "evaluate: rules",
        lambda p, v: cloudsigma.evaluate([], rules=v),
        [],
        TypeError,
        "rules is a list; give a RuleSet",
    ),
    ("evaluate: lateness", lambda p, v: cloudsigma.evaluate([], lateness=v), 300, TypeError, "lateness is 300"),
    # --- reading and scanning
    *[
        (
            f"{name}: {word}",
            lambda p, v, call=call, word=word: call(trail(p), **{word: v}),
            value,
            kind,
            said,
        )
        for name, call in [("scan", cloudsigma.scan), ("read_records", cloudsigma.read_records)]
        for word, value, kind, said in [
            ("since", 5, TypeError, "since is 5; give a date"),
            ("since", "soon", ValueError, "since 'soon'"),
            ("until", [], TypeError, "until is a list"),
            ("accounts", 111122223333, TypeError, "accounts is 111122223333"),
            ("accounts", [1], TypeError, "one of accounts is 1"),
            ("accounts", "12", ValueError, "'12' is not an account ID"),
            ("regions", 5, TypeError, "regions is 5"),
            ("regions", ["mars"], ValueError, "'mars' is not a region"),
            ("limits", {"depth": 5}, TypeError, "a cloudsigma.Limits"),
            ("progress", 5, TypeError, "progress is 5; give a function"),
            ("named_files", "yes", TypeError, "True or False"),
        ]
    ],
    *[
        (f"scan: {keyword}", lambda p, v, keyword=keyword: cloudsigma.scan(trail(p), **{keyword: v}), value, kind, said)
        for keyword, value, kind, said in [
            ("rules", [], TypeError, "rules is a list; give a RuleSet"),
            ("dedup", "yes", TypeError, "dedup is 'yes'"),
            ("coverage", 1, TypeError, "coverage is 1"),
            ("strict", None, TypeError, "strict is None"),
            ("jobs", "2", TypeError, "jobs is '2'"),
            ("jobs", 0, ValueError, "1 or more"),
        ]
    ],
    ("scan([path])", lambda p, v: cloudsigma.scan([trail(p)]), None, TypeError, "scan(*paths)"),
    ("scan(number)", lambda p, v: cloudsigma.scan(v), 5, TypeError, "a path is 5"),
    ("scan(object)", lambda p, v: cloudsigma.scan(v), object(), TypeError, "a path is an object"),
    ("read_records([path])", lambda p, v: cloudsigma.read_records(v), ["a.json"], TypeError, "(*paths)"),
    ("Limits: text", lambda p, v: cloudsigma.Limits(depth=v), "5", ValueError, "the limit depth is '5'"),
    # --- correlations
    ("Correlator(None)", lambda p, v: cloudsigma.Correlator(v), None, TypeError, "rules is None"),
    ("Correlator(texts)", lambda p, v: cloudsigma.Correlator(v), ["a"], TypeError, "one of the rules is 'a'"),
    ("Correlator: lateness", lambda p, v: cloudsigma.Correlator(RULES, lateness=v), 5, TypeError, "a timedelta"),
    ("Correlator: max", lambda p, v: cloudsigma.Correlator(RULES, max_entries=v), -1, ValueError, "max_entries is -1"),
    ("Correlator: state", lambda p, v: cloudsigma.Correlator(RULES, state=v), 5, TypeError, "state is 5"),
    ("feed(None)", lambda p, v: cloudsigma.Correlator(RULES).feed(v), None, TypeError, "matches is None"),
    ("feed(records)", lambda p, v: cloudsigma.Correlator(RULES).feed(v), [RECORD], TypeError, "one of the matches"),
    ("advance", lambda p, v: cloudsigma.Correlator(RULES).advance(v), 5, TypeError, "a datetime"),
]


@pytest.mark.parametrize(("call", "value", "kind", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_argument_says_what_was_given_and_what_to_give(
    call: Call, value: Any, kind: type[Exception], said: str, tmp_path: Path
) -> None:
    trail(tmp_path)
    with pytest.raises(cloudsigma.CloudSigmaError) as caught:
        unwrapped(call(tmp_path, value))
    assert isinstance(caught.value, kind)
    assert said in str(caught.value)
    assert "0x" not in str(caught.value)
    assert "<class" not in str(caught.value)


ANYTHING = [None, 5, -1, 1.5, "x", b"x", ["a"], [5], {"a": 1}, object(), float("nan"), Path("x"), dt.date(2025, 1, 1)]
FUNCTIONS: dict[str, Call] = {
    "compile_rules": lambda p, v: cloudsigma.compile_rules(v, on_error="skip"),
    "compile_text": lambda p, v: cloudsigma.compile_text(v, on_error="skip"),
    "load_rules": lambda p, v: cloudsigma.load_rules(v),
    "bundled_rules": lambda p, v: cloudsigma.bundled_rules(correlations=v),
    "evaluate": lambda p, v: cloudsigma.evaluate(v),
    "rules[]": lambda p, v: RULES[v],
    "+": lambda p, v: RULES + v,
    "match": lambda p, v: RULES.match(v),
    "verdicts": lambda p, v: RULES.verdicts(v),
    "explain": lambda p, v: RULES.explain(v, "t"),
    "explain rule": lambda p, v: RULES.explain(RECORD, v),
    "Correlator": lambda p, v: cloudsigma.Correlator(v),
    "feed": lambda p, v: cloudsigma.Correlator(RULES).feed(v),
    "advance": lambda p, v: cloudsigma.Correlator(RULES).advance(v),
    **{
        f"compile_text {name}": lambda p, v, name=name: cloudsigma.compile_text(RULE, **{name: v})
        for name in ("on_error", "logsource", "placeholders", "pipelines", "bundled")
    },
    **{
        f"where {name}": lambda p, v, name=name: RULES.where(**{name: v})
        for name in ("level", "status", "tag", "id", "exclude")
    },
    **{
        f"scan {name}": lambda p, v, name=name: cloudsigma.scan(trail(p), **{name: v})
        for name in (
            "rules", "dedup", "jobs", "progress", "since", "until", "accounts", "regions", "limits", "coverage",
            "strict", "named_files",
        )
    },
    **{
        f"Correlator {name}": lambda p, v, name=name: cloudsigma.Correlator(RULES, **{name: v})
        for name in ("lateness", "max_entries")
    },
    **{f"Limits {name}": lambda p, v, name=name: cloudsigma.Limits(**{name: v}) for name in ("depth", "records")},
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_foreign_exception_leaves_a_public_function(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in ANYTHING:
        if name == "scan jobs" and isinstance(value, int):
            continue  # these are right, and cost processes
        try:
            unwrapped(FUNCTIONS[name](tmp_path, value))
        except cloudsigma.CloudSigmaError as error:
            assert str(error)  # noqa: PT017  # whether it is raised depends on the value


def test_errors_of_arguments_pickle() -> None:
    for error in (
        WrongTypeError("level", 3, "text"),
        FileAccessError("x", FileNotFoundError(2, "No such file or directory")),
        MissingPackageError("pip install x"),
    ):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
        assert (type(again), str(again)) == (type(error), str(error))


def test_without_the_packages_that_compile_rules_the_error_names_them(tmp_path: Path) -> None:
    program = f"""
import sys
for name in ("yaml", "sigma"):
    sys.modules[name] = None
import cloudsigma
assert len(cloudsigma.bundled_rules()) == 4
calls = lambda: cloudsigma.compile_text({RULE!r}), lambda: cloudsigma.compile_rules({str(tmp_path)!r}, bundled=True)
for call in calls:
    try:
        call()
    except ImportError as error:
        assert isinstance(error, cloudsigma.CloudSigmaError), error
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("pip install") == 2
