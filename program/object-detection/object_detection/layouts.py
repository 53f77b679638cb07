"""Layouts to measure: parallel sessions, threads of each, samples per batch.

Nothing is measured here. `proposals` says which layouts to measure next, given the rates so far.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from object_detection.spec import Spec

_BATCHES = (1, 2, 4, 8, 16)
_FIRST_BATCHES = (1, 4)  # of the first layouts of a small machine
_ALL_WIDTHS = 4  # up to so many widths are all among the first layouts
_FULL, _DOUBLE = 1, 2  # threads of all sessions, relative to the cores
MAX_SESSIONS = 512


@dataclass(frozen=True)
class Layout:
    """Parallel sessions, threads in each (0: the framework's choice), samples per batch."""

    sessions: int
    threads: int
    batch_size: int

    @property
    def team(self) -> tuple[int, int]:
        """Sessions and threads: layouts of the same team differ in the batch alone."""
        return self.sessions, self.threads

    def __str__(self) -> str:
        return f"{self.sessions} x {self.threads} x {self.batch_size}"


@dataclass(frozen=True)
class Space:
    """A grid of layouts; those that differ by one step along one axis are neighbours.

    Attributes
    ----------
    cores
        That the process may use.
    threads
        Of a session, ascending.
    loads
        Threads of all sessions relative to the cores. With twice as many, the threads of one session work while those of
        another one wait for a part of the network that runs on one thread.
    batches
        Ascending.
    sessions
        How many the user wants; None for as many as fill the cores.
    max_sessions
        Layouts with more sessions are skipped.
    """

    cores: int
    threads: tuple[int, ...]
    loads: tuple[int, ...] = (_FULL, _DOUBLE)
    batches: tuple[int, ...] = _BATCHES
    sessions: int | None = None
    max_sessions: int = MAX_SESSIONS

    def layout(self, thread: int, load: int, batch: int) -> Layout | None:
        """The layout at a position of the grid.

        Parameters
        ----------
        thread, load, batch
            Indices into `threads`, `loads` and `batches`.

        Returns
        -------
        Layout or None
            None outside the grid, or if there are more than `max_sessions`.
        """
        if not (0 <= thread < len(self.threads) and 0 <= load < len(self.loads) and 0 <= batch < len(self.batches)):
            return None
        width = self.threads[thread]
        sessions = self.sessions or max(1, self.cores // width) * self.loads[load]
        return Layout(sessions, width, self.batches[batch]) if sessions <= self.max_sessions else None

    @property
    def is_single(self) -> bool:
        """Whether there is no choice."""
        return len(self.threads) == len(self.loads) == len(self.batches) == 1

    def smallest(self) -> Layout:
        """The layout of the least memory: the fewest sessions, with the most threads, and the smallest batch."""
        return self.layout(len(self.threads) - 1, 0, 0) or self.first()[0]

    def first(self) -> list[Layout]:
        """The layouts to begin with: every number of threads if there are few, else three across the range."""
        last = len(self.threads) - 1
        few = last < _ALL_WIDTHS
        widths = range(last + 1) if few else sorted({last // 4, (last + 1) // 2, last})
        batches = [number for number, size in enumerate(self.batches) if size in _FIRST_BATCHES] or [0]
        chosen = batches if few else batches[-1:]
        found = [self.layout(width, 0, batch) for width in widths for batch in chosen]
        one = Layout(self.max_sessions, self.threads[0], self.batches[0])
        return list(dict.fromkeys(row for row in found if row)) or [one]

    def neighbours(self, layout: Layout) -> list[Layout]:
        """Layouts one step away, first those that use to be faster: a larger batch, then more sessions of fewer threads."""
        found: list[Layout] = []
        for thread, load, batch in self._places(layout):
            steps = [(0, 0, 1), (-1, 0, 0), (1, 0, 0), (0, 0, -1), (0, 1, 0), (0, -1, 0)]
            rows = [self.layout(thread + one, load + two, batch + three) for one, two, three in steps]
            found += [row for row in rows if row and row != layout]
        return list(dict.fromkeys(found))

    def _places(self, layout: Layout) -> list[tuple[int, int, int]]:
        if layout.batch_size not in self.batches:
            return []
        batch = self.batches.index(layout.batch_size)
        grid = [(thread, load, batch) for thread in range(len(self.threads)) for load in range(len(self.loads))]
        return [place for place in grid if self.layout(*place) == layout]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def widths(total: int) -> tuple[int, ...]:
    """Numbers of threads to try for a session: the powers of 2, and all cores. For 256 cores these are nine.

    >>> widths(12)
    (1, 2, 4, 8, 12)
    """
    return tuple(sorted({*(1 << power for power in range(total.bit_length()) if 1 << power <= total), total}))


def slots(spec: Spec) -> int:
    """How many sessions a run of a spec has at most."""
    return max(spec.sessions or 1, _DOUBLE * cores(), spec.layout.sessions if spec.layout else 1)


def proposals(space: Space, rates: Mapping[Layout, float]) -> list[Layout]:
    """The layouts to measure next: first those across the space, then the neighbours of the fastest until it is the fastest.

    Parameters
    ----------
    rates
        Samples/s of the layouts that were measured.
    """
    missing = [layout for layout in space.first() if layout not in rates]
    if missing or not rates:
        return missing
    fastest = max(rates, key=lambda layout: rates[layout])
    return [layout for layout in space.neighbours(fastest) if layout not in rates]


def space_for(spec: Spec, max_sessions: int = MAX_SESSIONS) -> Space:
    """The layouts of a scenario, within the user's settings.

    SingleStream has one session. MultiStream has at most one session for each sample of a query.

    Parameters
    ----------
    max_sessions
        The number of sessions that fit into memory.
    """
    total = cores()
    if spec.scenario == "singlestream":
        return Space(total, (spec.threads,) if spec.threads else widths(total), (_FULL,), (1,), sessions=1)
    threads = (spec.threads,) if spec.threads else (max(1, total // spec.sessions),) if spec.sessions else widths(total)
    sizes = (spec.batch_size,) if spec.batch_size else _BATCHES
    batches = tuple(sorted({min(size, spec.model.max_batch or size) for size in sizes}))
    sessions = spec.sessions
    loads: tuple[int, ...] = (_FULL,) if spec.sessions or spec.threads else (_FULL, _DOUBLE)
    if spec.scenario == "multistream":  # a query's latency counts: a session without a sample of it would idle
        max_sessions = min(max_sessions, spec.loadgen.samples_per_query)
    return Space(total, threads, loads, batches, sessions, max(max_sessions, sessions or 1))
