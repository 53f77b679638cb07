"""Accuracy runs in shards: each answers some of the batches, in a process of its own; the harness merges and scores them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import Protocol

from ck_repo import progress
from ck_repo.contract.results import Results
from ck_repo.contract.spec import AccuracyPart, Spec
from ck_repo.errors import RunError, UsageError
from ck_repo.run.prepare import RunPlan
from ck_repo.run.spec import spec_data
from ck_repo.store.atomic import write_json

TRIES = 3
ACCURACY = "accuracy"
FILES = ("part.json", f"{ACCURACY}/mlperf_log_accuracy.json")  # what a shard leaves, in its folder
Start = Callable[[Path, Callable[[], bool]], Results]  # runs the harness on a spec, as long as the second is false


@dataclass(frozen=True)
class Shard:
    """A shard that was answered.

    Attributes
    ----------
    machine
        Empty for this machine.
    seconds
        Of the last attempt.
    tries
        How many attempts it took.
    """

    index: int
    machine: str
    seconds: float
    tries: int

    def as_data(self) -> dict[str, object]:
        """For the experiment."""
        return {**asdict(self), "seconds": round(self.seconds, 1)}


class Answering(Protocol):
    """Answers all shards of an accuracy run."""

    def __call__(self, plan: RunPlan, spec: Spec, start: Start, folder: Path) -> list[Shard]:
        """Leave `FILES` of each shard in ``FOLDER/INDEX``.

        Raises
        ------
        RunError
            If a shard fails `TRIES` times.
        """


class ShardsHere:
    """Shards in processes side by side on this machine, among which the cores are divided."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __call__(self, plan: RunPlan, spec: Spec, start: Start, folder: Path) -> list[Shard]:
        """See `Answering`."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        spec = replace(spec, sessions=spec.sessions or 1, threads=spec.threads or max(1, cores // self._count))
        stop = Event()

        def answer(index: int) -> Shard:
            for number in range(1, TRIES + 1):
                began = time.monotonic()
                try:
                    answer_part(plan, spec, AccuracyPart(index, self._count), start, folder / f"{index}", stop.is_set)
                except RunError as error:
                    if stop.is_set() or number == TRIES:
                        raise
                    progress.warn(f"shard {index + 1} of {self._count} failed and is repeated: {error.what}")
                else:
                    return Shard(index, "", time.monotonic() - began, number)
            raise AssertionError

        with ThreadPoolExecutor(self._count) as pool, progress.task("accuracy", self._count, "shards") as task:
            under_way = [pool.submit(answer, index) for index in range(self._count)]
            try:
                found = []
                for future in as_completed(under_way):
                    found.append(future.result())
                    task.advance_to(len(found))
            finally:  # of an error or Ctrl-C: the other shards end, too
                stop.set()
        return sorted(found, key=lambda shard: shard.index)


def answer_part(
    plan: RunPlan, spec: Spec, part: AccuracyPart, start: Start, folder: Path, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Answer a part of an accuracy run here; `FILES` are in `folder` then.

    The batch is that of the options, or 1: a measured one could differ from shard to shard, and the batches with it.

    Parameters
    ----------
    start
        Starts the harness.
    folder
        Where it runs; what is there is removed.
    stopped
        Called now and then; the harness is ended if it returns True.

    Raises
    ------
    UsageError
        If the program's harness does not support parts.
    CKError
        If the harness fails.
    """
    shutil.rmtree(folder, ignore_errors=True)  # an earlier attempt
    folder.mkdir(parents=True)
    mine = replace(spec, modes=(ACCURACY,), part=part, batch_size=spec.batch_size or 1, layout=None)
    write_json(folder / "spec.json", spec_data(mine, plan.options))
    start(folder / "spec.json", stopped)
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise UsageError(
            f"{plan.program.entry.cid} cannot run in shards: its harness writes no {missing[0]}", hint="omit --shards="
        )
