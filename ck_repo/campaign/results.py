"""The results of a campaign: for each cell and machine its runs, their median, and whether it is on the Pareto front."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.journal import DROPPED, FAILED, FOUND, IMPOSSIBLE, RUN, Event
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.pareto import front
from ck_repo.campaign.recorded import campaign_of
from ck_repo.errors import NotFoundError
from ck_repo.experiments.figures import Figures, figures
from ck_repo.experiments.meta import readable
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.search import load


@dataclass(frozen=True)
class Row:
    """The result of a cell on a machine.

    Attributes
    ----------
    experiments
        Its runs, in the order of the repetitions.
    measured
        The figures of its valid runs, in `unit`; of all runs if none is valid.
    value, low, high
        Median, minimum and maximum of `measured`; None without runs.
    mAP
        0–1; None if accuracy was not measured.
    latency_ms
        Median p99 latency of a query; None where LoadGen reports none.
    missing
        Number of remaining repetitions.
    why
        Why there are no further runs, if they are incomplete.
    disturbed
        Number of runs that were made although the machine was busy, hot or throttled.
    on_front
        Whether no other result of its scenario and machine is faster and at least as accurate, or as fast and more accurate.
    """

    cell: Cell
    machine: str
    experiments: tuple[Entry, ...] = ()
    scenario: str = ""
    measured: tuple[float, ...] = ()
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    lower_is_better: bool = False
    valid: bool = False
    mAP: float | None = None
    latency_ms: float | None = None
    missing: int = 0
    why: str = ""
    disturbed: int = 0
    on_front: bool = False

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("cell", "experiments")}
        return {
            "cell": self.cell.key,
            "values": dict(self.cell.values),
            "experiments": [{"uid": entry.uid, "alias": entry.alias, "path": str(entry.path)} for entry in self.experiments],
            **plain,
        }


def results(session: Session, campaign: Campaign) -> list[Row]:
    """The results of a campaign.

    Returns
    -------
    list of Row
        In the order of the cells; if each machine makes every run, or runs were made on several, one for each machine. A cell
        without a run has one, with the reason.
    """
    definition = campaign.definition
    events: dict[str, list[Event]] = defaultdict(list)
    for event in campaign.events():
        events[event.cell].append(event)
    rows: list[Row] = []
    for cell in campaign.cells():
        mine = events.get(cell.key, [])
        runs: dict[str, list[Event]] = defaultdict(list)
        for event in mine:
            if event.kind in (RUN, FOUND):
                runs[event.machine].append(event)
            elif definition.each_machine and event.machine:
                runs.setdefault(event.machine, [])
        made = [result_of(cell, machine, _entries(session, its)) for machine, its in (runs or {"": []}).items()]
        for row in made:
            its = [event for event in mine if not definition.each_machine or event.machine in ("", row.machine)]
            counted = [row] if definition.each_machine else made
            missing = definition.repetitions - sum(len(each.experiments) for each in counted)
            rows.append(replace(row, missing=missing, why=_why(its)))
    return with_front(rows)


def _why(events: Sequence[Event]) -> str:
    """Why a cell has no further runs; the last failure, if it is about to be repeated."""
    last = {event.kind: event for event in events}
    if IMPOSSIBLE in last:
        return f"cannot run: {last[IMPOSSIBLE].why}"
    failure = f": {last[FAILED].why}" if FAILED in last else ""
    if DROPPED in last:
        return last[DROPPED].why + (failure if last[DROPPED].why.startswith("failed") else "")
    return f"failed{failure}" if failure and events[-1].kind == FAILED else ""


def _entries(session: Session, events: Sequence[Event]) -> list[Entry]:
    """The experiments of events; those that were removed since are skipped."""
    entries = []
    for event in events:
        with suppress(NotFoundError):
            entries.append(load(session.repositories, "experiment", event.experiment))
    return entries


def result_of(cell: Cell, machine: str, entries: Sequence[Entry]) -> Row:
    """The result of a cell on a machine from its experiments; unreadable ones are skipped.

    Returns
    -------
    Row
        Median, minimum and maximum of the valid runs in the scenario's unit, or of all runs if none is valid; the median of the
        latencies, ms; and the first mAP, from 0 to 1.
    """
    found = list(readable(entries))
    row = Row(cell, machine, tuple(entry for entry, _ in found))
    if not found:
        return row
    measured = [figures(meta) for _, meta in found]
    counted = [each for each in measured if each.valid and each.value is not None] or measured
    values = [each.value for each in counted if each.value is not None]
    latencies = [each.latency_ms for each in counted if each.latency_ms is not None]
    accuracies = [each.mAP for each in measured if each.mAP is not None]
    any_: Figures = counted[0]
    return replace(
        row,
        scenario=any_.scenario,
        measured=tuple(values),
        value=statistics.median(values) if values else None,
        low=min(values, default=None),
        high=max(values, default=None),
        unit=any_.unit,
        lower_is_better=any_.lower_is_better,
        valid=any_.valid,
        mAP=accuracies[0] if accuracies else None,
        latency_ms=statistics.median(latencies) if latencies else None,
        disturbed=sum(bool(campaign_of(meta).get("disturbed")) for _, meta in found),
    )


def with_front(rows: Sequence[Row]) -> list[Row]:
    """Mark the results on the Pareto front of speed and accuracy, by scenario, unit and machine."""
    groups: dict[tuple[str, str, str], dict[str, tuple[float, float]]] = defaultdict(dict)
    for number, row in enumerate(rows):
        if row.valid and row.value and row.mAP is not None:
            speed = 1 / row.value if row.lower_is_better else row.value
            groups[row.scenario, row.unit, row.machine][str(number)] = (speed, row.mAP)
    best = set[str]().union(*(front(points) for points in groups.values()))
    return [replace(row, on_front=str(number) in best) for number, row in enumerate(rows)]


def counts(campaign: Campaign) -> Mapping[str, int]:
    """The number of cells of a campaign, and of finished and remaining runs.

    If each machine makes every run, machines are those with a run or a failed run.
    """
    definition, cells, events = campaign.definition, campaign.cells(), campaign.events()
    made: dict[tuple[str, str], int] = defaultdict(int)
    closed: set[tuple[str, str]] = set()
    for event in events:
        place = (event.cell, event.machine if definition.each_machine else "")
        if event.kind in (RUN, FOUND):
            made[place] += 1
        elif event.kind in (DROPPED, IMPOSSIBLE):
            closed.add(place)
    machines = {event.machine for event in events if definition.each_machine and event.machine} or {""}
    left = sum(
        max(definition.repetitions - made[cell.key, machine], 0)
        for cell in cells
        for machine in machines
        if not closed & {(cell.key, machine), (cell.key, "")}
    )
    return {"cells": len(cells), "runs": sum(made.values()), "left": left}
