"""The files of `examples/deploy`: each is checked by the program that reads it, and agrees with the documentation."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from group_calls import create_group

from cloudsigma.cli import main

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"


class Template(yaml.SafeLoader):
    """YAML with CloudFormation's short functions: `!Ref Queue` → `{"Ref": "Queue"}`."""


def function_of(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {suffix: loader.construct_sequence(node, deep=True)}


Template.add_multi_constructor("!", function_of)


def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((DEPLOY / "consumer.yml").read_text(encoding="utf-8"), Template)  # noqa: S506
    return loaded


def resource(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = template()["Resources"][name]["Properties"]
    return properties


def test_the_least_permissions_of_the_page_are_those_of_the_template() -> None:
    page = (ROOT / "docs" / "how-to" / "queue.md").read_text(encoding="utf-8")
    block = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert block
    told = json.loads(block[1])["Statement"]
    given = [each for each in resource("Reading")["PolicyDocument"]["Statement"] if "If" not in each]
    assert [(each["Effect"], each["Action"]) for each in given] == [(each["Effect"], each["Action"]) for each in told]
    [optional] = [each["If"][1] for each in resource("Reading")["PolicyDocument"]["Statement"] if "If" in each]
    assert optional["Action"] in page


def test_a_message_stays_hidden_for_six_times_the_timeout_of_the_function() -> None:
    assert resource("Notifications")["VisibilityTimeout"] >= 6 * resource("Function")["Timeout"]
    assert resource("Mapping")["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_command_of_the_task_is_one_that_the_command_line_takes(capsys: pytest.CaptureFixture[str]) -> None:
    words = resource("Task")["ContainerDefinitions"][0]["Command"]
    texts = [word if isinstance(word, str) else f"sqs://{word['Ref'].lower()}" for word in words]
    assert main([*texts, "--help"]) == 0
    assert main([*texts, "--no-such-option"]) == 2
    assert "no-such-option" in capsys.readouterr().err


def test_the_function_publishes_to_its_topic(tmp_path: Path) -> None:
    record = create_group("e1", requestParameters={"groupName": "x" * 300_000})
    (tmp_path / "boto3.py").write_text(
        "import sys\n"
        "class Client:\n"
        "    def publish(self, **arguments):\n"
        "        assert len(arguments['Message'].encode()) <= 262144\n"
        "        assert len(arguments['Subject']) <= 100 and arguments['Subject'].isascii()\n"
        "        print(arguments['TopicArn'], arguments['Subject'], file=sys.stderr)\n"
        "def client(name):\n    return Client()\n"
    )
    main(["compile", "-o", str(tmp_path / "rules.json"), str(ROOT / "sigma_rules")])
    shutil.copy(DEPLOY / "function.py", tmp_path)
    (tmp_path / "event.json").write_text(json.dumps({"Records": [record, create_group("e2")]}))
    script = "import json, function; function.lambda_handler(json.load(open('event.json')))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"TOPIC_ARN": "topic", "PATH": "", "PYTHONPATH": f"{ROOT / 'src'}"},
    )  # fmt: skip
    assert done.stderr.splitlines() == ["topic MEDIUM IAM Group Created"] * 2


def test_the_container_runs_the_command_without_rights() -> None:
    """Not built here: a build needs a base image, and a machine that runs tests need not reach a registry of images."""
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    entry = next(line for line in lines if line.startswith("ENTRYPOINT"))
    assert ast.literal_eval(entry.removeprefix("ENTRYPOINT ")) == ["/venv/bin/cloudsigma"]
    user = next(line for line in lines if line.startswith("USER")).split()[1]
    assert user == "65532:65532"
    assert resource("Task")["ContainerDefinitions"][0]["User"] == user.partition(":")[0]


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "cloudsigma.service"
    text = (DEPLOY / "cloudsigma.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/cloudsigma/bin/cloudsigma", sys.executable))
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    command = re.search(r"^ExecStart=\S+ (.*)$", text, re.MULTILINE)
    assert command
    words = command[1].replace("${QUEUE}", "sqs://queue").replace("${BUCKET}", "bucket").split()
    assert main([*words, "--help"]) == 0
