"""Compare machines of a campaign with each other, its cells with each other, and one campaign with another."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from ck_repo.campaign.axes import flat
from ck_repo.campaign.comparison import (
    CAMPAIGNS,
    CELLS,
    EXPERIMENT,
    FASTER,
    MACHINES,
    SLOWER,
    UNCLEAR,
    UNKNOWN,
    Comparison,
    Difference,
    Pair,
    Side,
)
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.results import Row
from ck_repo.errors import NotFoundError, did_you_mean
from ck_repo.experiments.compare import properties
from ck_repo.store.digest import of_value

_RESULTS = ("mAP", "performance", "p99", "machine")  # properties that are not settings


def compare_within(side: Side, machine: str = "", cell: Mapping[str, Sequence[Any]] | None = None) -> list[Comparison]:
    """The machines of a campaign with one of them, and on each machine its cells with one of them.

    Parameters
    ----------
    machine
        The machine that the others are compared with; the first by name if empty.
    cell
        Values of the cell that the others are compared with, by the names of axes. By default it is the first cell that has
        all of its runs, or else the first with a result.

    Raises
    ------
    NotFoundError
        If the campaign has no result, or none of that machine or cell.
    """
    reference = _reference(side, machine)
    others = [name for name in side.machines if name != reference]
    nowhere = () if others else ("",)  # cells without a run have no machine
    by_machine = {name: [row for row in side.rows if row.machine in (name, *nowhere)] for name in (reference, *others)}
    found = [_compared(MACHINES, reference, name, by_machine[reference], by_machine[name], _key()) for name in others]
    bases = {name: base for name, rows in by_machine.items() if (base := _base(rows, cell or {}))}
    if not bases:
        axes = {name for row in side.rows for name in row.cell.values}
        raise NotFoundError(
            f"{side.name} has no result of the cell",
            hint=f"`ck show {side.name}` lists the values of {', '.join(sorted(axes))}",
        )
    for name, base in bases.items():
        if pairs := [Pair(row.cell, base, row) for row in by_machine[name] if row is not base]:
            found.append(Comparison(CELLS, str(base.cell), "", (), _ordered(pairs), machine=name))
    return found


def _base(rows: Sequence[Row], wanted: Mapping[str, Sequence[Any]]) -> Row | None:
    """The result that those of other cells are compared with."""
    fitting = [
        row
        for row in rows
        if row.value is not None and all(row.cell.values.get(name) in values for name, values in wanted.items())
    ]
    return next((row for row in fitting if row.missing <= 0), next(iter(fitting), None))


def compare_sides(first: Side, other: Side, machine: str = "") -> list[Comparison]:
    """The results of one campaign with those of another, by machine.

    Cells are the same if their options are. Options that have one value in all cells of the first and another value in all
    cells of the other are settings that differ, and are ignored. Machines are the same if their names are; if the campaigns
    have no machine in common, all machines of the other are compared with one of the first.

    Parameters
    ----------
    machine
        The machine of the first campaign; if empty, every machine that both have, or the first by name.

    Raises
    ------
    NotFoundError
        If one has no result, or the first has none of that machine.
    """
    _reference(first, machine)
    _reference(other)
    single = first.single or other.single
    differing = {} if single else _fixed_differences(first.rows, other.rows)
    settings = [Difference(name.replace("_", " "), *values) for name, values in differing.items()]
    found = []
    for places in _places(first, other, machine):
        rows = [[row for row in side.rows if row.machine == name] for side, name in zip((first, other), places, strict=True)]
        shared = places[0] if places[0] == places[1] else ""
        names = [
            f"{side.name} on {name}" if name and not shared else side.name
            for side, name in zip((first, other), places, strict=True)
        ]
        if other.single:  # every cell of the first is compared with it
            rows[1] = [replace(rows[1][0], cell=row.cell) for row in rows[0]]
        elif first.single:
            rows[0] = [replace(rows[0][0], cell=row.cell) for row in rows[1]]
        made = _compared(EXPERIMENT if single else CAMPAIGNS, names[0], names[1], rows[0], rows[1], _key(differing), settings)
        found.append(replace(made, machine=shared))
    return found


def _places(first: Side, other: Side, machine: str) -> list[tuple[str, str]]:
    """The machines of both sides that are compared."""
    if machine:
        return [(machine, name) for name in ([machine] if machine in other.machines else other.machines)]
    if first.single or other.single:
        return list(product(first.machines, other.machines))
    shared = [(name, name) for name in first.machines if name in other.machines]
    return shared or [(first.machines[0], name) for name in other.machines]


def _key(ignored: Container[str] = ()) -> Callable[[Row], str]:
    """Identifies a cell by its options."""
    return lambda row: of_value({name: value for name, value in _options(row.cell).items() if name not in ignored})


def _reference(side: Side, machine: str = "") -> str:
    """The machine that others are compared with."""
    if not side.machines:
        raise NotFoundError(f"{side.name} has no result yet", hint=f"`ck show {side.name}` prints what was done")
    if machine and machine not in side.machines:
        hint = did_you_mean(machine, side.machines) or f"its machines: {', '.join(side.machines)}"
        raise NotFoundError(f"{side.name} has no result of the machine {machine}", hint=hint)
    return machine or side.machines[0]


def _compared(
    kind: str,
    name: str,
    other_name: str,
    first: Sequence[Row],
    other: Sequence[Row],
    key: Callable[[Row], str],
    settings: Iterable[Difference] = (),
) -> Comparison:
    """Compare results whose keys are equal."""
    by_key = {key(row): row for row in first}
    pairs = [Pair(row.cell, by_key[key(row)], row) for row in other if key(row) in by_key]
    alone = (len(first) - len(pairs), len(other) - len(pairs))
    listed = {row.name: row for row in settings}
    listed |= _settings([pair.first for pair in pairs], [pair.other for pair in pairs])
    return Comparison(kind, name, other_name, tuple(listed.values()), _ordered(pairs), alone)


def _ordered(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """Clear differences first, then those without an interval, unclear ones, and those without a speed; the largest first."""
    ranks = (FASTER, SLOWER), (UNKNOWN,), (UNCLEAR,)

    def place(pair: Pair) -> tuple[int, float]:
        if pair.speed is None:
            return (len(ranks), 0.0)
        return (next(at for at, outcomes in enumerate(ranks) if pair.outcome in outcomes), -abs(math.log(pair.speed)))

    return tuple(sorted(pairs, key=place))


def _settings(first: Sequence[Row], other: Sequence[Row]) -> dict[str, Difference]:
    """The settings of the experiments of both sides."""
    values = [_values(rows) for rows in (first, other)]
    names = dict.fromkeys(name for each in values for name in each)
    return {name: Difference(name, *(", ".join(each.get(name, ())) for each in values)) for name in names}


def _values(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The values of each setting, without repetitions."""
    found: dict[str, dict[str, None]] = {}
    for entry in dict.fromkeys(entry for row in rows for entry in row.experiments):
        for name, value in properties(entry).items():
            if name not in _RESULTS and value:
                found.setdefault(name, {})[value] = None
    return {name: sorted(values) for name, values in found.items()}


def _options(cell: Cell) -> dict[str, object]:
    """The options of a cell; those of the backend by ``backend_options.KEY``."""
    return flat(cell.options.as_data())


def _fixed_differences(first: Sequence[Row], other: Sequence[Row]) -> Mapping[str, tuple[str, str]]:
    """The options that have one value in all cells of either side, and not the same."""
    sides = [[_options(row.cell) for row in rows] for rows in (first, other)]
    found = {}
    for name in dict.fromkeys(name for side in sides for options in side for name in options):
        values = [{str(options.get(name, "-")) for options in side} for side in sides]
        if all(len(each) == 1 for each in values) and values[0] != values[1]:
            found[name] = (values[0].pop(), values[1].pop())
    return found
