"""Where the time of a sample goes: a worker that times its stages, for ``--profile``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from object_detection.backends import Array
from object_detection.contract.results import Profile
from object_detection.detections import Rows
from object_detection.outputs import OutputCheck
from object_detection.spec import Model
from object_detection.sut.library import SampleLibrary
from object_detection.sut.worker import Outputs, Worker

_now = time.perf_counter_ns


@dataclass
class Stages:
    """Nanoseconds that the samples of a session spent in each stage.

    Attributes
    ----------
    queue
        From LoadGen's query to a session that takes the sample, summed over samples. The others are of the session.
    batch
        Putting inputs together.
    framework, packing
        The framework's run; its outputs checked and made into answers.
    loadgen
        Passing the answers to LoadGen, or to the process that has it.
    busy
        All that a session does between taking samples and being ready for the next ones.
    samples, batches
        How many.
    first, last
        When the session took the first samples, and when it had answered the last ones; 0 if it had none.
    """

    queue: int = 0
    batch: int = 0
    framework: int = 0
    packing: int = 0
    loadgen: int = 0
    busy: int = 0
    samples: int = 0
    batches: int = 0
    first: int = 0
    last: int = 0


class ProfiledWorker(Worker):
    """A worker that times its stages; the answers are the same."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stages = Stages()

    def restart(self) -> None:
        """Begin to count: what was measured before does not belong to the run."""
        self.stages = Stages()

    def waited(self, since: int, samples: int) -> None:
        """Add the time in the queue; see `Worker.waited`."""
        self.stages.queue += (_now() - since) * samples

    def inputs(self, indices: Sequence[int], library: SampleLibrary) -> Array:
        """The inputs of a batch."""
        began = _now()
        images = super().inputs(indices, library)
        self.stages.batch += _now() - began
        return images

    def run(self, images: Array) -> Outputs:
        """The framework's outputs of a batch."""
        began = _now()
        outputs = super().run(images)
        self.stages.framework += _now() - began
        self.stages.batches += 1
        return outputs

    def answers(self, model: Model, indices: Sequence[int], outputs: Outputs, check: OutputCheck) -> list[Rows]:
        """Outputs as a model's interface reads them."""
        began = _now()
        rows = super().answers(model, indices, outputs, check)
        self.stages.packing += _now() - began
        return rows

    def finish(self) -> None:
        """Check the last detections."""
        began = _now()
        super().finish()
        self.stages.packing += _now() - began

    def complete(self, samples: Sequence[Any], found: Sequence[Rows]) -> None:
        """Pass answers to LoadGen."""
        began = _now()
        super().complete(samples, found)
        self.stages.loadgen += _now() - began

    def answer(self, samples: Sequence[Any]) -> None:
        """Detect, and pass the answers to LoadGen."""
        began = _now()
        super().answer(samples)
        stages, now = self.stages, _now()
        stages.first, stages.last = stages.first or began, now
        stages.busy += now - began
        stages.samples += len(samples)


def restart(team: Sequence[Worker]) -> None:
    """Begin to count in the workers that time their stages."""
    for worker in team:
        if isinstance(worker, ProfiledWorker):
            worker.restart()


def profile(team: Sequence[Worker]) -> Profile | None:
    """What the workers of a run measured; None if they did not, or had no sample."""
    return profile_of([worker.stages for worker in team if isinstance(worker, ProfiledWorker)])


def profile_of(rows: Sequence[Stages]) -> Profile | None:
    """The profile of some sessions; None if they had no sample."""
    total = Stages(*(sum(getattr(row, each.name) for row in rows) for each in fields(Stages)))
    if not total.samples:
        return None
    used = [row for row in rows if row.samples]
    elapsed = max(row.last for row in used) - min(row.first for row in used)

    def each(nanoseconds: float) -> float:
        return round(nanoseconds / total.samples / 1e3, 3)

    known = total.batch + total.framework + total.packing + total.loadgen
    return Profile(
        samples=total.samples,
        batches=total.batches,
        sessions=len(rows),
        queue_us=each(total.queue),
        batch_us=each(total.batch),
        framework_us=each(total.framework),
        packing_us=each(total.packing),
        loadgen_us=each(total.loadgen),
        harness_us=each(max(0, total.busy - known)),
        idle_us=each(max(0, len(rows) * elapsed - total.busy)),
    )
