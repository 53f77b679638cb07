"""Machines that are busy, hot or throttled wait, and are measured anyway or skipped."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from campaign_lab import Lab, await_workers, can_mount
from toy_benchmark import made_runs

from ck_repo import progress
from ck_repo.campaign.settling import Settled, Settling, usual_seconds
from ck_repo.errors import ConfigError
from ck_repo.store.entry import Entry

SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust", "--over.batch_size=1,4")
_FAKE = 'mount --bind "$TOY_STAT" /proc/stat && exec "$@"'


class Machine:
    """A machine that is ready after some looks; its clock is moved by waiting alone."""

    def __init__(self, *busy: bool) -> None:
        self._busy, self.now = list(busy), 0.0

    def look(self) -> list[str]:
        return ["busy"] if self._busy and self._busy.pop(0) else []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def settled(self, seconds: float) -> Settled:
        return Settled(Settling(seconds=seconds), self.look, self.sleep, lambda: self.now)


def test_machine_waits_until_it_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Machine(True, True, False)
    assert machine.settled(60)() == []
    assert machine.now == 10
    assert capsys.readouterr().err == "waiting up to 60 s: busy\n"


def test_waiting_time_is_reset_when_machine_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Machine(*[True] * 5, False, True, True, False)
    settled = machine.settled(12)
    assert settled() == ["busy"]  # after 0, 5, 10 and 12 s
    assert machine.now == 12
    assert settled() == ["busy"]  # at once
    assert machine.now == 12
    assert (settled(), settled()) == ([], [])
    assert machine.now == 22
    assert capsys.readouterr().err.count("measured anyway: busy") == 1


def test_disturbed_runs_are_recorded_and_shown(
    ck: Callable[..., Any], log: Path, program: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ck_repo.campaign.settling.disturbances", lambda share: ["other programs"])
    done = ck(*SWEEP, "--name=mine", "--settle=0.01")
    assert done.code == 0
    assert "waiting up to 0 s: other programs" in done.err
    assert [row["disturbed"] for row in done.json["rows"]] == [1, 1]
    assert "1 on a busy, hot or throttled machine" in ck("show", "campaign:mine").out
    assert "2 runs were made on a busy, hot or throttled machine" in ck("compare", "campaign:mine").out


@pytest.mark.parametrize("words", [("--busy=1.5",), ("--settle=-1",)])
def test_invalid_limits_are_refused(ck: Callable[..., Any], program: Entry, words: tuple[str, ...]) -> None:
    assert ck(*SWEEP, *words).code == 2


def test_waiting_time_is_read_from_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_SETTLE", "7")
    assert usual_seconds() == 7
    monkeypatch.setenv("CK_SETTLE", "soon")
    with pytest.raises(ConfigError, match="CK_SETTLE is 'soon', not a number of seconds"):
        usual_seconds()


@contextmanager
def busy_stat(path: Path) -> Iterator[threading.Event]:
    """A file like /proc/stat whose processors are busy until the event is set, and then idle."""
    rest = Path("/proc/stat").read_text().split("\n", 1)[1]
    idle, end = threading.Event(), threading.Event()

    def write() -> None:
        used = unused = 1_000_000_000  # all lines have the same length, so that readers never see a part of one
        with path.open("r+b", buffering=0) as file:
            while not end.is_set():
                used, unused = (used, unused + 100) if idle.is_set() else (used + 100, unused)
                os.pwrite(file.fileno(), f"cpu  {used} 0 0 {unused} 0 0 0 0 0 0\n{rest}".encode(), 0)
                end.wait(0.02)

    path.touch()
    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield idle
    finally:
        end.set()
        thread.join()


def test_busy_machine_waits_and_is_skipped(
    ck: Callable[..., Any], log: Path, lab: Lab, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_mount():
        pytest.skip("needs unshare, for another /proc/stat")
    monkeypatch.setattr("ck_repo.campaign.distribute._REST", 0.0)
    cluster = f"--cluster={lab.address}"
    with busy_stat(ck_home / "stat") as idle:
        before = ("unshare", "-rm", "sh", "-c", _FAKE, "sh")
        lab.worker("busy", before=before, TOY_STAT=str(ck_home / "stat"))
        await_workers(lab, "busy")
        done = ck(*SWEEP, cluster, "--settle=0.01", "--busy=0.9")
        assert "every machine was skipped" in done.json["error"]
        assert "warning: busy waits up to 0 s: other programs use 100 % of the CPU time (allowed: 90 %)" in done.err
        assert "warning: busy is skipped from now on, after 0 s: other programs use 100 %" in done.err
        assert made_runs(log) == []

        def warn(text: str) -> None:
            idle.set()

        monkeypatch.setattr(progress, "warn", warn)
        done = ck(*SWEEP, cluster, "--settle=300", "--busy=0.9")
        assert done.json["made"] == 2
        assert idle.is_set()
        assert [row["disturbed"] for row in done.json["rows"]] == [0, 0]
