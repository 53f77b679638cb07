"""The plan of a campaign: cells, time and downloads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ck_repo.campaign.campaign import find_campaign
from ck_repo.campaign.definition import Definition
from ck_repo.campaign.estimate import Estimates
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.planning import Planned, downloads, plan_cells
from ck_repo.campaign.queue import Job
from ck_repo.campaign.recorded import Recorded, repetitions_of
from ck_repo.campaign.remote_venv import BUNDLE
from ck_repo.campaign.venv_file import VenvFile
from ck_repo.install.source import Source
from ck_repo.session import Session
from ck_repo.store.entry import Entry

_ANY = ""  # in place of a machine's name


@dataclass(frozen=True)
class Foreseen:
    """The plan of a campaign.

    Attributes
    ----------
    cluster
        Whether machines of a cluster make the runs.
    done
        Number of recorded runs that are not repeated, by machine and cell; if any machine makes any run, the machine is empty.
    seconds
        Expected duration of the remaining runs on one machine.
    exact
        Whether all durations are those of earlier runs; else they are lower bounds.
    files, python
        What this machine, or one of the cluster that has the same as this one, would download, and the Python packages that it
        would install into the venv.
    venv_file
        What the machines of the cluster make their venv from; None for a venv of their own.
    """

    definition: Definition
    cluster: bool
    planned: tuple[Planned, ...]
    done: Mapping[str, Mapping[str, int]]
    seconds: float
    exact: bool
    files: tuple[Source, ...]
    python: tuple[str, ...]
    venv_file: VenvFile | None

    @property
    def left(self) -> int:
        """The number of remaining runs; if each machine makes every run, that of a machine without recorded ones."""
        return self._left_on(_ANY)

    @property
    def left_on(self) -> dict[str, int]:
        """If each machine makes every run: the number of remaining runs of each that has recorded ones."""
        return {machine: self._left_on(machine) for machine in self.done if machine != _ANY}

    @property
    def size(self) -> int:
        """The bytes of files whose size is in the recipes."""
        return sum(source.size or 0 for source in self.files)

    def done_on(self, cell: Cell) -> dict[str, int]:
        """The number of recorded runs of a cell, by machine; machines without any are missing."""
        return {machine: count for machine, counts in self.done.items() if (count := counts.get(cell.key, 0))}

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        each = self.definition.each_machine
        data: dict[str, object] = {
            "cells": [
                {
                    "cell": row.cell.key,
                    "values": dict(row.cell.values),
                    "done": sum(self.done_on(row.cell).values()),
                    **({"done_on": self.done_on(row.cell)} if each else {}),
                    "why": row.why,
                }
                for row in self.planned
            ],
            "runs": self.left,
            **({"each": "machine", "runs_on": self.left_on} if each else {}),
            "seconds": round(self.seconds, 1),
            "seconds_exact": self.exact,
            "downloads": [{"url": source.urls[0], "size": source.size} for source in self.files],
            "python_packages": list(self.python),
        }
        if file := self.venv_file:
            data[file.kind] = {"path": str(file.path), "size": file.path.stat().st_size}
        return data

    def _left_on(self, machine: str) -> int:
        done = self.done.get(machine, {})
        return sum(self.definition.repetitions - done.get(row.cell.key, 0) for row in self.planned if row.plan)


def foresee(
    session: Session,
    program: Entry,
    definition: Definition,
    *,
    name: str = "",
    repository: str = "",
    cluster: bool = False,
    venv_file: VenvFile | None = None,
) -> Foreseen:
    """Plan a campaign without changing anything, and without connecting to a cluster.

    Parameters
    ----------
    name, repository
        Of the campaign, as for `open_campaign`.
    cluster
        Whether machines of a cluster make the runs: then those that the campaign made on other machines count.
    venv_file
        What the machines make their venv from.

    Returns
    -------
    Foreseen
        The planned cells, with recorded runs, expected seconds and downloads. The time is a lower bound if a run of some cell
        was never recorded.
    """
    planned = plan_cells(session, program, definition.matrix.cells(), here=not cluster)
    campaign = find_campaign(session, definition, name=name, repository=repository) if cluster else None
    recorded = Recorded(session, venv_file.lock if venv_file else None)
    done = _done(recorded, planned, definition, campaign.entry.uid if campaign else "")
    estimates = Estimates(recorded)
    seconds, exact = 0.0, True
    for row in planned:
        for number in range(done.get(_ANY, {}).get(row.cell.key, 0), definition.repetitions) if row.plan else ():
            options = Job(row.cell, number + 1).options
            exact = exact and estimates.known(options) is not None
            seconds += estimates.seconds(options)
    files, python = ([], []) if venv_file else downloads(planned)
    return Foreseen(definition, cluster, tuple(planned), done, seconds, exact, tuple(files), tuple(python), venv_file)


def _done(recorded: Recorded, planned: Sequence[Planned], definition: Definition, campaign: str) -> dict[str, dict[str, int]]:
    """The number of recorded runs by machine and cell, as in `Foreseen`."""
    done: dict[str, dict[str, int]] = defaultdict(dict)
    for row in planned:
        if row.plan:
            found = recorded.like(row.plan, campaign=campaign)
            by_machine = repetitions_of(row.cell, found, each_machine=definition.each_machine)
            for machine, rows in by_machine.items():
                place = machine if definition.each_machine else _ANY
                done[place][row.cell.key] = min(definition.repetitions, done[place].get(row.cell.key, 0) + len(rows))
    return dict(done)


def foreseen_lines(found: Foreseen) -> list[str]:
    """The plan as text."""
    repetitions, each = found.definition.repetitions, found.definition.each_machine
    lines = [f"{len(found.planned)} cells, {repetitions} repetitions: {found.left} runs to make"]
    if each:
        known = ", ".join(f"{left} on {machine}" for machine, left in found.left_on.items())
        lines[0] += " on each machine" + (f", but {known}" if known else "")
    for row in found.planned:
        done = ", ".join(
            f"{count} of {repetitions} recorded" + (f" on {machine}" if machine else "")
            for machine, count in found.done_on(row.cell).items()
        )
        state = f"cannot run: {row.why}" if row.plan is None else done
        lines.append(f"  {row.cell}" + (f"  ({state})" if state else ""))
    bound, more = ("", "") if found.exact else ("at least ", ", plus accuracy tests and loading")
    where = " on each machine" if each else " on one machine" if found.cluster else ""
    return [*lines, f"time: {bound}{_duration(found.seconds)}{where}{more}", *_downloads(found)]


def _downloads(found: Foreseen) -> list[str]:
    """What would be downloaded, as text."""
    if file := found.venv_file:
        sent = f"each machine gets {file.path.name}, {file.path.stat().st_size / 1e6:.1f} MB"
        if file.kind == BUNDLE:
            return [f"downloads: none; {sent}"]
        return [f"{sent}, and downloads its {len(file.lock.packages)} Python packages and the files of its components"]
    where = " of a machine that has what this one has" if found.cluster else ""
    unknown = sum(source.size is None for source in found.files)
    more = f", and {unknown} of unknown size" if unknown else ""
    total = f"{len(found.files)} files, {found.size / 1e6:.1f} MB{more}" if found.files else "none"
    lines = [f"downloads{where}: {total}"]
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
