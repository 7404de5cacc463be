"""Rules, approvals and configuration that change while a scan runs: swapped between passes, or the old ones stay."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from group_calls import create_group as record

import cloudsigma
from cloudsigma.errors import CloudSigmaError
from cloudsigma.scanning.config import Follow, ScanCallbacks, ScanConfig
from cloudsigma.scanning.reload import LoadedRules, Reload, Reloader
from cloudsigma.scanning.scan import Scan

RULE = """
title: {title}
id: {id}
status: test
logsource: {{product: aws, service: cloudtrail}}
detection: {{selection: {{eventName: {event}}}, condition: selection}}
level: low
"""
ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def rule(event: str, rule_id: str = ONE, title: str = "Rule") -> str:
    return RULE.format(title=title, id=rule_id, event=event)


def until(met: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.05)


class Service:
    """A scan that follows a folder, with rules, output and checkpoint beside it."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder, self.trail, self.rules = folder, folder / "trail", folder / "rules"
        self.output, self.state = folder / "matches.jsonl", folder / "state"
        self.more = more
        self.told: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [
            sys.executable, "-m", "cloudsigma", "scan", "trail", "--follow", "--interval", "0.1", "--no-bundled",
            "--rules", "rules", "--checkpoint", "state", "--output", "matches.jsonl", *self.more,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            self.told += lines

    def deliver(self, name: str, **members: Any) -> None:
        (self.trail / "part").write_text(json.dumps({"Records": [record(name, **members)]}))
        os.utime(self.trail / "part", (0, 0))
        (self.trail / "part").rename(self.trail / f"{name}.json")

    def matches(self) -> list[tuple[str, str]]:
        """Rule and event of each match."""
        if not self.output.exists():
            return []
        found = map(json.loads, self.output.read_text().splitlines())
        return [(each["rule"]["title"], each["context"]["event_id"]) for each in found]

    def tells(self, text: str) -> bool:
        return any(text in line for line in self.told)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(20) == 143
        assert not self.tells("Traceback")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def make(*more: str) -> Service:
        made = Service(tmp_path, *more)
        made.trail.mkdir(exist_ok=True)
        made.rules.mkdir(exist_ok=True)
        started.append(made)
        return made

    yield make
    for each in started:
        if each.process is not None:
            each.process.kill()
            each.process.wait()


needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")


@needs_signals
def test_a5_a_broken_rule_keeps_the_old_set_and_a_good_one_is_used(service: Callable[..., Service]) -> None:
    """Check A5: no restart, no record lost, none by half a set; the checkpoint has the digest of each set."""
    running = service()
    (running.rules / "one.yml").write_text(rule("CreateGroup", title="Groups"))
    running.start()
    running.deliver("first")
    until(lambda: running.matches() == [("Groups", "first")])
    (running.rules / "two.yml").write_text(rule("DeleteUser", TWO).replace("condition: selection", "condition: gone"))
    until(lambda: running.tells("NOT RELOADED, the rules in use stay"))
    until(lambda: running.tells("two.yml"))
    running.deliver("second")
    until(lambda: ("Groups", "second") in running.matches())
    (running.rules / "two.yml").write_text(rule("DeleteUser", TWO, "Users"))
    until(lambda: running.tells("rules reloaded: 2 (1 new)"))
    running.deliver("third", eventName="DeleteUser")
    until(lambda: ("Users", "third") in running.matches())
    (running.rules / "one.yml").unlink()
    until(lambda: running.tells("rules reloaded: 1 (1 gone)"))
    running.deliver("fourth")
    running.deliver("fifth", eventName="DeleteUser")
    until(lambda: ("Users", "fifth") in running.matches())
    running.stop()
    assert running.matches() == [("Groups", "first"), ("Groups", "second"), ("Users", "third"), ("Users", "fifth")]
    with sqlite3.connect(running.state) as database:
        saved = dict(database.execute("SELECT name, value FROM scan"))
    database.close()
    assert list(json.loads(saved["rules"])) == [f"Users ({TWO})"]
    assert len(json.loads(saved["rule sets"])) == 3


@needs_signals
def test_a_following_scan_resumes_with_other_rules(service: Callable[..., Service]) -> None:
    running = service()
    (running.rules / "one.yml").write_text(rule("CreateGroup"))
    running.start()
    running.deliver("first")
    until(lambda: len(running.matches()) == 1)
    running.stop()
    (running.rules / "one.yml").write_text(rule("DeleteUser"))
    running.start()
    until(lambda: running.tells(f"rules since the last start: Rule ({ONE}) changed"))
    running.deliver("second", eventName="DeleteUser")
    until(lambda: len(running.matches()) == 2)
    running.stop()


APPROVALS = f"""
version: 1
approvals:
  - id: CHG1
    rules: [{ONE}, {TWO}]
    principals: ["arn:aws:iam::111122223333:user/alice"]
    from: 2025-03-04T00:00:00Z
    until: 2025-03-05T00:00:00Z
    reason: planned
"""


@needs_signals
def test_configuration_and_approvals_are_reloaded(service: Callable[..., Service], tmp_path: Path) -> None:
    """Options for rules and approvals apply; for others the operator is told to restart. SIGUSR1 loads at once."""
    running = service()
    (running.rules / "one.yml").write_text(rule("CreateGroup"))
    configuration = tmp_path / ".cloudsigma.toml"
    configuration.write_text('level = "high"\n')
    (running.rules / "two.yml").write_text(rule("CreateGroup", TWO, "High").replace("low", "high"))
    running.start()
    running.deliver("first")
    until(lambda: running.matches() == [("High", "first")])
    (tmp_path / "approvals.yml").write_text(APPROVALS)
    configuration.write_text('level = "low"\n[scan]\napprovals = "approvals.yml"\nmax-depth = 50\n')
    until(lambda: running.tells("rules reloaded") or running.tells("NOT RELOADED"))
    assert running.tells("rules reloaded: 2 (1 new)"), running.told
    assert running.tells("restart the scan to use the changed options: max_depth")
    running.deliver("second")
    until(lambda: len(running.matches()) == 3)
    last = json.loads(running.output.read_text().splitlines()[-1])
    assert last["approval"]["by"] == ["CHG1"]
    assert running.process is not None
    running.process.send_signal(signal.SIGUSR1)
    until(lambda: running.tells("rules reloaded: 2 (none changed)"))
    configuration.write_text("nonsense\n")
    until(lambda: running.tells("NOT RELOADED"))
    running.deliver("third")
    until(lambda: len(running.matches()) == 5)
    running.stop()


# --- the reloader -------------------------------------------------------------------------------------------


def test_only_a_settled_change_is_loaded() -> None:
    states = iter([1, 2, 3, 3, 3, 3])
    rules = cloudsigma.bundled_rules()
    reloader = Reloader(lambda: next(states), lambda: LoadedRules(rules), 1)
    for expected in (None, None, None, rules, None, None):
        reloader.look()
        taken = reloader.take()
        assert (taken.loaded.rules if taken is not None and taken.loaded is not None else None) is expected
    assert reloader.counts == {"success": 1, "failure": 0}
    assert reloader.last_success is not None


@pytest.mark.parametrize("error", [CloudSigmaError("bad"), ZeroDivisionError("bad")])
def test_whatever_loading_raises_is_a_failure_and_is_not_tried_again(error: Exception) -> None:
    def load() -> LoadedRules:
        raise error

    reloader = Reloader(lambda: 2, load, 1)
    reloader.look()
    reloader.look()
    taken = reloader.take()
    assert taken is not None
    assert taken.loaded is None
    assert taken.reason.endswith("bad")
    reloader.look()
    assert reloader.take() is None
    reloader.look(force=True)
    assert reloader.take() is not None
    assert reloader.counts == {"success": 0, "failure": 2}


# --- correlations across a swap -----------------------------------------------------------------------------

GROUPS = rule("CreateGroup").replace("status:", "name: group_created\nstatus:")
COUNT = """---
title: {title}
id: {id}
correlation:
  type: event_count
  rules: [group_created]
  group-by: [userIdentity.arn]
  timespan: 10m
  condition: {{gte: {least}}}
"""
KEPT, CHANGED = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"


def counting(least: int) -> cloudsigma.RuleSet:
    text = (
        GROUPS + COUNT.format(title="Kept", id=KEPT, least=2) + COUNT.format(title="Changed", id=CHANGED, least=least)
    )
    return cloudsigma.compile_text(text)


@pytest.mark.parametrize("saved", [False, True], ids=["in memory", "in a checkpoint"])
def test_open_frames_of_unchanged_correlations_survive_a_swap(tmp_path: Path, *, saved: bool) -> None:
    """An event before the swap and one after it: one match of the correlation that is the same, none of the other."""
    from cloudsigma.scanning.checkpoint import Checkpoint

    trail = tmp_path / "trail"
    trail.mkdir()
    times = iter(["2025-03-04T10:00:00Z", "2025-03-04T10:05:00Z", "2025-03-04T12:00:00Z", None])
    stop, reloads = threading.Event(), []
    reloader = Reloader(lambda: 0, lambda: LoadedRules(counting(1)), 0)

    def deliver() -> None:
        when = next(times)
        if when is None:
            stop.set()
            return
        if when.endswith("05:00Z"):
            reloader.look(force=True)
        path = trail / f"{when[11:13]}{when[14:16]}.json"
        path.write_text(json.dumps({"Records": [record(when, eventTime=when)]}))
        os.utime(path, (0, 0))

    def take(reload: Reload) -> None:
        reloads.append(reload)

    follow = Follow(stop, 0.01, dt.timedelta(minutes=1), reloader=reloader)
    checkpoint = Checkpoint(tmp_path / "state", {}) if saved else None
    callbacks = ScanCallbacks(on_idle=deliver, on_reload=take)
    scan = Scan([trail], counting(3), ScanConfig(follow=follow), callbacks=callbacks, checkpoint=checkpoint)
    found = Counter((match.rule.title, len(match.matches)) for match in scan if match.matches)
    if checkpoint is not None:
        checkpoint.close()
    assert len(reloads) == 1
    expected = {("Kept", 2): 1, ("Changed", 1): 1}
    if not saved:  # the frames that are open at the end are evaluated
        expected["Changed", 1] += 1
    assert found == expected
