"""Experiments side by side."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.api.experiment import Experiment, Experiments
from ck_repo.api.lookup import entry_of
from ck_repo.api.table import html_table
from ck_repo.errors import UsageError
from ck_repo.experiments.compare import equal_detections, side_by_side, speeds

_ALWAYS = ("model", "scenario", "mAP")  # shown even if they are equal


@dataclass(frozen=True)
class Property:
    """One property of every experiment.

    Attributes
    ----------
    values
        In the order of the experiments; empty for experiments without it.
    """

    name: str
    values: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether it is equal in all experiments."""
        return len(set(self.values)) == 1


@dataclass(frozen=True)
class Comparison:
    """Experiments and their differences from the first.

    Attributes
    ----------
    experiments
        In the order given.
    properties
        Results, settings, machine and versions of Python packages.
    speed
        Speed relative to the first experiment, above 1 if faster; None where the results cannot be compared.
    equal_detections
        Share of detections equal to those of the first, 0–1: same sample and class, box edges and score within 2e-3; None
        without an accuracy log.
    """

    experiments: Experiments
    properties: tuple[Property, ...]
    speed: tuple[float | None, ...]
    equal_detections: tuple[float | None, ...]

    @property
    def differences(self) -> tuple[Property, ...]:
        """The properties that are not equal in all experiments."""
        return tuple(row for row in self.properties if not row.same)

    def _repr_html_(self) -> str:
        shown = [row for row in self.properties if not row.same or row.name in _ALWAYS]
        header = ("", *(row.alias for row in self.experiments))
        return html_table(header, [(row.name, *row.values) for row in shown])


def compare(first: Experiment | str, *others: Experiment | str) -> Comparison:
    """Compare experiments with the first.

    Parameters
    ----------
    first, others
        Experiments, or their names (alias, UID or ``repository:experiment:name``).

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        If there is only one experiment.
    NotFoundError
        If an experiment does not exist.
    """
    if not others:
        raise UsageError("there is only one experiment to compare", hint="compare(first, second)")
    entries = [entry_of(row) for row in (first, *others)]
    return Comparison(
        Experiments(tuple(map(Experiment.read, entries))),
        tuple(Property(row.name, row.values) for row in side_by_side(entries)),
        tuple(speeds(entries)),
        tuple(equal_detections(entries)),
    )
