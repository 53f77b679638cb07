"""The sessions of a run, whether they are in this process or in others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from object_detection import outputs, tuning
from object_detection.contract.results import Profile
from object_detection.loadgen import SUT
from object_detection.readings import Advisor
from object_detection.spec import Spec
from object_detection.sut import profiled, sessions
from object_detection.sut.inline import InlineSUT
from object_detection.sut.pool import PoolSUT
from object_detection.sut.worker import Worker


class ClosedSUT(SUT, Protocol):
    """A system under test for one test of LoadGen."""

    def close(self) -> None: ...


class Team(Protocol):
    """The sessions of a run.

    Attributes
    ----------
    threads
        Of a session; 0 if unknown.
    processes
        In how many processes they are.
    """

    @property
    def threads(self) -> int: ...

    @property
    def processes(self) -> int: ...

    def prepare(self, samples: Sequence[int]) -> None:
        """Run a batch of samples that are loaded in every session."""

    def rate(self, samples: Sequence[int]) -> float:
        """Samples/s of a short turn without LoadGen, on samples that are loaded."""

    def sut(self) -> ClosedSUT:
        """A system under test for the next test; what was measured before does not belong to it."""

    def remarks(self) -> dict[str, str]:
        """Suspicious outputs since the last call, one sentence for each kind."""

    def profile(self) -> Profile | None:
        """Where the time of the last test went; None if that was not measured."""

    def advice(self, advisor: Advisor) -> str:
        """Other interpretations of the outputs, tried with one of the sessions."""

    def end(self) -> None:
        """Release what the sessions hold outside this process."""


class OwnTeam:
    """Sessions in this process.

    Parameters
    ----------
    workers
        One for each session.
    """

    processes = 1

    def __init__(self, spec: Spec, workers: Sequence[Worker], batch_size: int) -> None:
        self._spec, self._workers, self._batch_size = spec, workers, batch_size

    @property
    def threads(self) -> int:
        """See `Team`."""
        return self._workers[0].threads

    def prepare(self, samples: Sequence[int]) -> None:
        """See `Team`."""
        sessions.prepare(self._workers, samples)

    def rate(self, samples: Sequence[int]) -> float:
        """See `Team`."""
        return tuning.rate_of(self._workers, self._batch_size, samples)

    def sut(self) -> ClosedSUT:
        """See `Team`."""
        profiled.restart(self._workers)
        if self._spec.scenario == "singlestream":
            return InlineSUT(self._workers[0], self._spec.folder)
        return PoolSUT(self._workers, self._batch_size, self._spec.folder, spread=self._spec.scenario == "multistream")

    def remarks(self) -> dict[str, str]:
        """See `Team`."""
        return outputs.remarks(worker.check for worker in self._workers)

    def profile(self) -> Profile | None:
        """See `Team`."""
        return profiled.profile(self._workers)

    def advice(self, advisor: Advisor) -> str:
        """See `Team`."""
        return advisor.advice(self._workers[0])

    def end(self) -> None:
        """See `Team`; they hold nothing."""
