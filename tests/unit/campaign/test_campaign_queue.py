"""The order of a campaign's runs on several machines, and the cells that are dropped."""

from __future__ import annotations

import pytest

from ck_repo.campaign.journal import DROPPED, Event
from ck_repo.campaign.matrix import Cell, Matrix
from ck_repo.campaign.queue import Queue
from ck_repo.experiments.meta import ExperimentMeta, read_meta

UID = "0123456789abcdef"


def cells(count: int) -> list[Cell]:
    return Matrix({}, {"threads": tuple(range(1, count + 1))}).cells()


def measured(rate: float) -> ExperimentMeta:
    """The meta of an Offline run."""
    performance = {"valid": True, "samples_per_second": rate}
    return read_meta({"results": {"scenario": "offline", "accuracy": {"mAP": 0.5}, "performance": performance}}, "meta")


def test_machine_does_not_wait_for_one_that_is_gone() -> None:
    first, second = cells(2)
    queue = Queue([first, second], 3, 0.0, lambda events: None, ("gone", "here"))
    lost = queue.next({"gone"})
    assert lost is not None
    queue.begin(lost)
    queue.given_back(lost)
    made = []
    while job := queue.next({"here"}):
        queue.begin(job)
        queue.finished(job, UID, measured(10), "here", 1.0)
        made.append((job.cell, job.repetition))
    assert made == [(first, 1), (second, 1), (second, 2), (first, 2), (first, 3), (second, 3)]
    assert queue.counts() == (6, 6)
    assert queue.next() == lost


@pytest.mark.parametrize("recorded", [False, True])
def test_cell_is_only_hopeless_beside_one_of_the_same_machine(recorded: bool) -> None:
    """Any machine makes any run: the second cell of the board is as fast as boards are, however fast the server is."""
    events: list[Event] = []
    rates = {1: ("board", 1.0), 2: ("board", 2.5), 3: ("server", 40.0), 4: ("server", 100.0)}
    every = cells(4)
    queue = Queue(every, 3, 0.5, events.extend)
    for cell in every:
        machine, rate = rates[cell.values["threads"]]
        if recorded:
            queue.found(cell, machine, [(UID, measured(rate))])
        else:
            job = queue.next()
            assert job is not None
            assert job.cell == cell
            queue.begin(job)
            queue.finished(job, UID, measured(rate), machine, 1.0)
    dropped = {event.cell: event.why for event in events if event.kind == DROPPED}
    assert dropped == {cell.key: "0.40 of the speed of one that is at least as accurate" for cell in (every[0], every[2])}
    assert queue.counts() == (4, 4)
