"""A matrix of run options; each cell has the options of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ck_repo.errors import UsageError
from ck_repo.run.options import RunOptions
from ck_repo.store.digest import of_value

MAX_CELLS = 1_000_000


@dataclass(frozen=True)
class Cell:
    """One combination of values.

    Attributes
    ----------
    key
        Identifies the run's options: the first 12 digits of their digest.
    values
        The values, by the names of the axes.
    """

    key: str
    values: Mapping[str, Any]
    options: RunOptions

    def __str__(self) -> str:
        return ", ".join(f"{name} {_shown(value)}" for name, value in self.values.items()) or "the only cell"


@dataclass(frozen=True)
class Matrix:
    """Fixed options, axes and excluded combinations.

    Attributes
    ----------
    fixed
        Values of run options, by the names of `RunOptions`.
    axes
        Values by the name of an option, or ``OPTION.KEY`` for an option whose values are an object.
    exclude
        A combination is excluded if all values that one of these names are among those listed.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    exclude: tuple[Mapping[str, tuple[Any, ...]], ...] = ()

    def __post_init__(self) -> None:
        if both := [name for name in self.axes if name in self.fixed]:
            raise UsageError(f"{both[0]} has a fixed value and is also varied", hint="omit one of them")
        for row in self.exclude:
            for name, values in row.items():
                if name not in self.axes:
                    raise UsageError(f"an exclusion has {name}, which is not varied", hint=f"varied: {', '.join(self.axes)}")
                if unknown := [value for value in values if value not in self.axes[name]]:
                    raise UsageError(
                        f"an exclusion has {name} {unknown[0]!r}, which is not among its values",
                        hint=f"values: {', '.join(map(str, self.axes[name]))}",
                    )
        if (size := math.prod(map(len, self.axes.values()))) > MAX_CELLS:
            raise UsageError(f"the matrix has {size} combinations; the maximum is {MAX_CELLS}", hint="vary fewer options")

    def cells(self) -> list[Cell]:
        """Every combination that is not excluded; the last axis varies fastest.

        Raises
        ------
        UsageError
            If a value is out of bounds, or no combination is left.
        """
        found = []
        for values in product(*self.axes.values()):
            row = dict(zip(self.axes, values, strict=True))
            if not any(_excluded(row, each) for each in self.exclude):
                found.append(cell_of(self.fixed, row))
        if not found:
            raise UsageError("every combination is excluded", hint="remove an exclusion")
        return found

    def as_data(self) -> dict[str, object]:
        """As JSON, for a campaign's entry."""
        exclude = [{name: list(values) for name, values in row.items()} for row in self.exclude]
        return {
            "fixed": {name: dict(value) if isinstance(value, Mapping) else value for name, value in self.fixed.items()},
            "axes": {name: list(values) for name, values in self.axes.items()},
            "exclude": exclude,
        }


def cell_of(fixed: Mapping[str, Any], values: Mapping[str, Any]) -> Cell:
    """The cell for some values.

    Parameters
    ----------
    fixed
        Options of all cells.
    values
        Options of this one; ``option.key`` sets a key of a nested option.

    Raises
    ------
    UsageError
        If the options exclude each other, or a value is not allowed.
    """
    options = dict(fixed)
    for name, value in values.items():
        head, _, key = name.partition(".")
        options[head] = {**options.get(head, {}), key: value} if key else value
    made = RunOptions.of(options)
    return Cell(of_value(made.as_data())[:12], values, made)


def _excluded(row: Mapping[str, Any], exclusion: Mapping[str, tuple[Any, ...]]) -> bool:
    return all(row[name] in values for name, values in exclusion.items())


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
