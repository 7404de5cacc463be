"""`.cloudsigma.toml` and `[tool.cloudsigma]`: found upwards, checked, resolved, and overridden by options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudsigma.cli import exit_codes, main

RULE = """title: Own
id: 6b0e0d4c-7f0c-4a51-9c3f-2f0a6a9be001
status: test
level: low
logsource: {product: aws, service: cloudtrail}
detection: {it: {eventName: GetBucketPolicy}, condition: it}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a rule, whose subfolder is the working folder."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "own.yml").write_text(RULE, encoding="utf-8")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def configured(project: Path, text: str, name: str = ".cloudsigma.toml") -> None:
    (project / name).write_text(text, encoding="utf-8")


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["config", "--format", "json"]) == exit_codes.DONE
    made: dict[str, Any] = json.loads(capsys.readouterr().out)
    return made


def titles(capsys: pytest.CaptureFixture[str], *args: str) -> list[str]:
    main([*args, "--format", "jsonl"])
    return [json.loads(line)["title"] for line in capsys.readouterr().out.splitlines()]


def test_it_is_found_above_the_working_folder_and_paths_are_relative_to_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(project, 'rules = ["rules"]\nno-bundled = true\n')
    assert titles(capsys, "rules") == ["Own"]
    assert shown(capsys)["commands"]["scan"] == {"rules": [str(project / "rules")], "no-bundled": True}


def test_pyproject_serves_too_and_the_own_file_comes_first(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(project, '[tool.cloudsigma.rules]\nlevel = "high"\n', "pyproject.toml")
    assert shown(capsys)["file"] == str(project / "pyproject.toml")
    assert "Own" not in titles(capsys, "rules")
    configured(project, 'rules = "rules"\nno-bundled = true\n')
    assert titles(capsys, "rules") == ["Own"]


def test_another_projects_file_sets_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(project, "[tool.other]\nx = 1\n", "pyproject.toml")
    configured(project / "work", "this is not TOML\n", "pyproject.toml")
    assert main(["config"]) == exit_codes.DONE
    assert str(project) not in capsys.readouterr().out


def test_an_option_overrides_the_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(project, 'level = "critical"\nrules = ["rules"]\n')
    assert main(["rules"]) == exit_codes.NOT_DONE
    capsys.readouterr()
    assert "Own" in titles(capsys, "rules", "--level", "low")


def test_a_table_overrides_the_top_for_its_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(project, 'level = "low"\n[scan]\nlevel = "high"\nmax-records = 5\n')
    commands = shown(capsys)["commands"]
    assert (commands["rules"], commands["scan"]) == ({"level": "low"}, {"level": "high", "max-records": "5"})


def test_it_can_be_left_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(project, 'rules = ["rules"]\nno-bundled = true\n')
    assert main(["--no-config", "rules"]) == exit_codes.DONE
    out, err = capsys.readouterr()
    assert "Own" not in out
    assert ".cloudsigma.toml" not in err


def test_a_command_tells_which_file_it_used(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(project, 'level = "low"\n')
    main(["rules"])
    assert f"options of {project / '.cloudsigma.toml'} are used" in capsys.readouterr().err


def test_the_values_reach_a_scan(project: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(project, 'rules = ["rules"]\nno-bundled = true\n[scan]\nexit-zero = true\noutput = ["found.ids"]\n')
    assert main(["scan", str(root / "examples" / "trail")]) == exit_codes.DONE
    assert len((project / "found.ids").read_text(encoding="utf-8").splitlines()) == 16
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rulez = []", "there is no option 'rulez'; did you mean 'rules'?"),
        ("[scann]\nx = 1", "there is no command 'scann'; did you mean 'scan'?"),
        ("[scan]\noutptu = 'x'", "there is no option of scan 'outptu'; did you mean 'output'?"),
        ("[who]\ncoverage = true", "there is no option of who 'coverage'"),
        ("no-bundled = 'yes'", "no-bundled is true or false"),
        ("level = ['low', 'high']", "level is one value, not a list"),
        ("rules = [1979-05-27]", "rules is a text or a number"),
        ("level =", "is not TOML"),
        ("level = 'loud'", "loud"),
        ("help = true", "there is no option 'help'"),
    ],
)
def test_what_is_wrong_is_wrong_usage(
    project: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(project, text)
    assert main(["rules"]) == exit_codes.USAGE
    assert message in capsys.readouterr().err


def test_bytes_that_are_no_text_are_wrong_usage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".cloudsigma.toml").write_bytes(b"level = '\xff'")
    assert main(["rules"]) == exit_codes.USAGE
    assert "is not TOML" in capsys.readouterr().err


def test_the_text_is_toml_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import tomllib

    configured(project, 'rules = ["rules"]\n[scan]\ncoverage = true\n')
    main(["config"])
    made = tomllib.loads(capsys.readouterr().out)
    assert made["scan"] == {"rules": [str(project / "rules")], "coverage": True}
