"""Progress goes to stderr: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from ck_repo import progress
from ck_repo.cli import progress as shown


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every step as long enough to be shown."""
    monkeypatch.setattr(shown, "_QUIET_FOR", 0.0)
    monkeypatch.setattr(shown, "_EVERY", 0.0)


@pytest.fixture(autouse=True)
def _quiet_again() -> Iterator[None]:
    before = progress._sink
    yield
    progress.send_to(before)


def _step() -> None:
    with progress.task("fetching x", 2e6, "B") as task:
        task.advance_to(1e6)
        task.advance_to(2e6, 4e6, "slow")
    progress.say("between")


def test_lines_go_to_stderr_only(talkative: None, capsys: pytest.CaptureFixture[str]) -> None:
    progress.send_to(shown.console_sink())
    _step()
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert lines[:2] == ["fetching x: 1.0 MB of 2.0 MB", "fetching x: 2.0 MB of 4.0 MB, slow"]
    assert lines[2].startswith("fetching x: ")
    assert lines[3:] == ["between"]
    assert printed.out == ""


def test_lines_show_remaining_time(
    talkative: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([100.0, 110.0, 130.0, 140.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    task = shown._LineTask("measuring", 40.0, "s")
    task.advance_to(10.0, note="80 samples/s")
    task.advance_to(40.0)
    task.close()
    assert capsys.readouterr().err.splitlines() == [
        "measuring: 10 s of 40 s, 80 samples/s, about 30 s left", "measuring: 40 s of 40 s", "measuring: 40 s",
    ]  # fmt: skip


def test_bars_go_to_stderr_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    bars = shown.console_sink()
    assert isinstance(bars, shown._Bars)
    outer, inner = bars.begin("outer step", 2, "images"), bars.begin("inner step", None, "s")
    for task in (outer, inner):
        assert isinstance(task, shown._Bar)
        task._begun = 0.0  # long enough to be shown as a bar
        task.advance_to(1)
    bars.say("between [bold]")
    inner.close()
    outer.close()
    printed = capsys.readouterr()
    assert all(text in printed.err for text in ("outer step", "1 images of 2 images", "inner step", "between [bold]"))
    assert printed.out == ""


@pytest.mark.parametrize("terminal", [False, True])
def test_short_steps_are_silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    progress.send_to(shown.console_sink())
    with progress.task("short", 1) as task:
        task.advance_to(1)
    assert capsys.readouterr() == ("", "")


def _failing_step() -> None:
    with progress.task("failing", 3, "steps") as task:
        task.advance_to(1)
        raise ValueError("odd")


def test_failed_step_is_closed(talkative: None, capsys: pytest.CaptureFixture[str]) -> None:
    progress.send_to(shown.console_sink())
    with pytest.raises(ValueError, match="odd"):
        _failing_step()
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_warning_is_shown_without_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown_in(progress.SILENT):
        progress.say("half done")
        progress.warn("a file is missing\x1b[2J")
    assert capsys.readouterr().err == "warning: a file is missing\\x1b[2J\n"


def test_warning_goes_to_progress_output(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []

    class Kept:
        def begin(self, title: str, total: float | None, unit: str) -> progress.Task:
            return progress.SILENT.begin(title, total, unit)

        def say(self, text: str) -> None:
            lines.append(text)

    with progress.shown_in(Kept()):
        progress.warn("a file is missing")
    assert lines == ["warning: a file is missing"]
    assert capsys.readouterr().err == ""
