"""Queue and journal of a large campaign; a small run of the simulated one in `benchmarks/`, for its correctness alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ck_repo.campaign.journal import BEGUN, FAILED, Event, Journal
from ck_repo.campaign.matrix import Matrix
from ck_repo.campaign.queue import Job, Queue

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "campaign.py"


def test_simulated_campaign_makes_every_run_once() -> None:
    pytest.importorskip("distributed")
    pytest.importorskip("cryptography")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, str(BENCHMARK), "--machines=3", "--cells=20"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["machines"], found["cells"]) == (3, 20)


def test_remaining_runs_exclude_dropped_cells() -> None:
    cells = Matrix({}, {"threads": (1, 2, 3)}).cells()
    queue = Queue(cells, 2, 0.0, lambda events: None)
    assert queue.counts() == (0, 6)
    queue.impossible(cells[0], "no such thing")
    assert queue.counts() == (0, 4)
    for left in (4, 2):  # a cell is dropped after its second failure
        queue.failed(Job(cells[1], 1), "it broke", "here")
        assert queue.counts() == (0, left)


def test_simultaneous_events_are_written_together(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with journal.together():
        journal.add([Event(BEGUN)])
        journal.add([Event(FAILED, "a", why="it broke")])
        assert not list(tmp_path.iterdir())
    assert [event.cell for event in journal.events()] == ["a"]
