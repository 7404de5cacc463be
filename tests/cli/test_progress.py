"""Lines of progress: on a terminal only, and only for work that takes a while."""

from __future__ import annotations

import io
import sys

import pytest

from cloudsigma.cli import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_of_progress_is_shown_and_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    with progress.progress_line("{} of {}") as show:
        assert show is not None
        show(1, 2_000)
        show(2, 2_000)  # too soon after the first
    assert terminal.getvalue() == "\r\x1b[2K1 of 2,000\r\x1b[2K"


def test_short_work_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress.progress_line("{}") as show:
        assert show is not None
        show(1)
    assert terminal.getvalue() == ""


def test_there_is_no_progress_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", output := io.StringIO())
    with progress.progress_line("{}") as show:
        assert show is None
    assert output.getvalue() == ""
