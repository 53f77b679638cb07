"""The plan of a campaign: cells, time and downloads."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.campaign.definition import Definition
from ck_repo.campaign.estimate import Estimates
from ck_repo.campaign.planning import Planned, downloads, plan_cells
from ck_repo.campaign.queue import Job
from ck_repo.campaign.recorded import Recorded, has_modes
from ck_repo.install.source import Source
from ck_repo.session import Session
from ck_repo.store.entry import Entry


@dataclass(frozen=True)
class Foreseen:
    """The plan of a campaign.

    Attributes
    ----------
    done
        Recorded runs that are not repeated, by cell.
    seconds
        Expected duration of the remaining runs.
    exact
        Whether all durations are those of earlier runs; else they are lower bounds.
    python
        Python packages that would be installed into the venv.
    """

    planned: tuple[Planned, ...]
    repetitions: int
    done: dict[str, int]
    seconds: float
    exact: bool
    files: tuple[Source, ...]
    python: tuple[str, ...]

    @property
    def left(self) -> int:
        """The number of remaining runs."""
        return sum(self.repetitions - self.done[row.cell.key] for row in self.planned if row.plan)

    @property
    def size(self) -> int:
        """The bytes of files whose size is in the recipes."""
        return sum(source.size or 0 for source in self.files)

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        return {
            "cells": [
                {"cell": row.cell.key, "values": dict(row.cell.values), "done": self.done[row.cell.key], "why": row.why}
                for row in self.planned
            ],
            "runs": self.left,
            "seconds": round(self.seconds, 1),
            "seconds_exact": self.exact,
            "downloads": [{"url": source.urls[0], "size": source.size} for source in self.files],
            "python_packages": list(self.python),
        }


def foresee(session: Session, program: Entry, definition: Definition) -> Foreseen:
    """Plan a campaign without changing anything.

    Returns
    -------
    Foreseen
        The planned cells, with recorded runs, expected seconds and downloads. The time is a lower bound if a run of some cell
        was
        never recorded.
    """
    planned = plan_cells(session, program, definition.matrix.cells())
    recorded = Recorded(session)
    estimates = Estimates(recorded)
    done: dict[str, int] = {}
    seconds, exact = 0.0, True
    for row in planned:
        done[row.cell.key] = done_runs(recorded, row, definition.repetitions)
        if row.plan is None:
            continue
        for number in range(done[row.cell.key], definition.repetitions):
            options = Job(row.cell, number + 1).options
            exact = exact and estimates.known(options) is not None
            seconds += estimates.seconds(options)
    files, python = downloads(planned)
    return Foreseen(tuple(planned), definition.repetitions, done, seconds, exact, tuple(files), tuple(python))


def done_runs(recorded: Recorded, row: Planned, repetitions: int) -> int:
    """The number of recorded runs of a cell.

    Parameters
    ----------
    repetitions
        The number of runs that the cell needs, which is the maximum. Only one of them needs the accuracy test.
    """
    if row.plan is None:
        return 0
    found = [meta for _, meta in recorded.like(row.plan)]
    if not any(has_modes(meta, row.cell.options) for meta in found):
        return 0
    return min(repetitions, sum(has_modes(meta, Job(row.cell, 2).options) for meta in found))


def foreseen_lines(found: Foreseen) -> list[str]:
    """The plan as text."""
    lines = [f"{len(found.planned)} cells, {found.repetitions} repetitions: {found.left} runs to make"]
    for row in found.planned:
        done = found.done[row.cell.key]
        state = f"cannot run: {row.why}" if row.plan is None else f"{done} of {found.repetitions} recorded" if done else ""
        lines.append(f"  {row.cell}" + (f"  ({state})" if state else ""))
    bound = "" if found.exact else "at least "
    lines.append(f"time: {bound}{_duration(found.seconds)}" + ("" if found.exact else ", plus accuracy tests and loading"))
    unknown = sum(source.size is None for source in found.files)
    more = f", and {unknown} of unknown size" if unknown else ""
    lines.append(f"downloads: {len(found.files)} files, {found.size / 1e6:.1f} MB{more}" if found.files else "downloads: none")
    lines += [f"  {source.name}" + (f", {source.size / 1e6:.1f} MB" if source.size else "") for source in found.files]
    if found.python:
        lines.append(f"Python packages to install: {', '.join(found.python)}")
    return lines


def _duration(seconds: float) -> str:
    """
    >>> _duration(5400)
    '1 h 30 min'
    """
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
