"""Plan the cells of a campaign: what each needs, which cannot run, what has to be downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ck_repo import progress
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.measuring import measuring
from ck_repo.errors import CKError, StorageError, UntrustedError
from ck_repo.install.source import Source, is_local, read_source
from ck_repo.resolve.plan import Choice, NewPackage, PythonPackage, in_order
from ck_repo.run.options import MEASURED, RunOptions
from ck_repo.run.pipeline import check_device, make_ready
from ck_repo.run.prepare import RunPlan, prepare
from ck_repo.session import Session
from ck_repo.store.entry import Entry

# errors that are not caused by a single cell end the campaign
ENDS_ALL = (StorageError, UntrustedError)


@dataclass(frozen=True)
class Planned:
    """A cell with its plan.

    Attributes
    ----------
    plan
        None if the cell cannot run.
    why
        The reason if it cannot run.
    """

    cell: Cell
    plan: RunPlan | None
    why: str = ""


def plan_cells(session: Session, program: Entry, cells: Sequence[Cell], *, here: bool = False) -> list[Planned]:
    """Plan every cell without changing anything.

    Parameters
    ----------
    here
        Whether the runs are made on this machine, which then has to have the device of a cell.

    Returns
    -------
    list of Planned
        In the order of `cells`. Cells that only differ in sessions, threads and batch share a plan; one that cannot be planned
        has the reason.
    """
    known: dict[str, Planned] = {}
    found = []
    with progress.task("planning", len(cells), "cells") as task:
        for number, cell in enumerate(cells):
            key = repr(sorted((name, value) for name, value in cell.options.as_data().items() if name not in MEASURED))
            if key not in known:
                known[key] = _planned(session, program, cell, here=here)
            shared = known[key]
            plan = shared.plan and replace(shared.plan, options=_with_own(shared.plan, cell))
            found.append(Planned(cell, plan, shared.why))
            task.advance_to(number + 1)
    return found


def _planned(session: Session, program: Entry, cell: Cell, *, here: bool) -> Planned:
    try:
        if here:
            check_device(cell.options)
        return Planned(cell, prepare(session, program, cell.options))
    except ENDS_ALL:
        raise
    except CKError as error:
        return Planned(cell, None, " ".join(error.what.split()))


def _with_own(plan: RunPlan, cell: Cell) -> RunOptions:
    """The options of a shared plan with those of the cell."""
    return replace(plan.options, **{name: getattr(cell.options, name) for name in MEASURED})


def install_all(session: Session, program: Entry, planned: Sequence[Planned]) -> list[Planned]:
    """Install the needs of all cells on this machine before measuring, and plan them again.

    Returns
    -------
    list of Planned
        In the same order. A cell whose installation failed has no plan, and the reason; it is a warning, too.

    Raises
    ------
    CKError
        Of the kinds in `ENDS_ALL`, which would prevent all other installations as well.
    """
    wanted: dict[frozenset[str], Planned] = {}
    for row in planned:
        if row.plan and not row.plan.is_ready:
            wanted.setdefault(frozenset(choice.key for choice in row.plan.choices.values()), row)
    if not wanted:
        return list(planned)
    failed: dict[frozenset[str], str] = {}
    for keys, row in wanted.items():
        try:
            install(session, program, row.cell.options)
        except ENDS_ALL:
            raise
        except CKError as error:
            progress.warn(f"{row.cell} cannot run: {error.what}")
            failed[keys] = " ".join(error.what.split())
    again = plan_cells(session, program, [row.cell for row in planned], here=True)
    reasons = [
        failed.get(frozenset(choice.key for choice in row.plan.choices.values()), "") if row.plan else "" for row in planned
    ]
    return [Planned(row.cell, None, why) if why else row for row, why in zip(again, reasons, strict=True)]


def install(session: Session, program: Entry, options: RunOptions) -> None:
    """Install what a run needs, while nothing is measured on this machine: downloads and compilers would disturb it."""
    with measuring():
        make_ready(session, prepare(session, program, options))


def choices_of(planned: Sequence[Planned]) -> list[Choice]:
    """The needs of all cells, without repetitions."""
    found: dict[str, Choice] = {}
    for row in planned:
        for _, choice in in_order(row.plan.choices) if row.plan else ():
            found.setdefault(choice.key, choice)
    return list(found.values())


def downloads(planned: Sequence[Planned]) -> tuple[list[Source], list[str]]:
    """The files that would be downloaded, and the Python packages that would be installed into the venv.

    Files that an earlier installation left in the cache are included.
    """
    choices = choices_of(planned)
    python = sorted({choice.requirement for choice in choices if isinstance(choice, PythonPackage) and not choice.ready})
    return list({source.urls[0]: source for choice in choices for source in _sources(choice)}.values()), python


def _sources(choice: Choice) -> Iterator[Source]:
    if not isinstance(choice, NewPackage):
        return
    for step in choice.variant.component.fields(choice.variant.chosen).rows("install"):
        if "download" in step:
            try:
                source = read_source(step.fields("download"))
            except CKError:  # the installation reports errors
                continue
            if not is_local(source.urls[0]):
                yield source
