"""The settings that `ck tune` searches: options of the user, backends, models, the layout, and the options of backends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from ck_repo.campaign.alternatives import Alternatives
from ck_repo.campaign.goal import Goal
from ck_repo.models.backend_options import BackendOption
from ck_repo.models.backends import Backend
from ck_repo.run.options import MEASURED, RunOptions
from ck_repo.run.prepare import RunPlan

_BATCHES = (1, 2, 4, 8)
_PREFIX = "backend_options."
_FIRST = ("model", "backend")  # which decide about the other settings of a trial
_UNSET = ""  # value of a backend's option that is left to the backend


@dataclass(frozen=True)
class Space:
    """Values by the name of an option; the first value of each is that of the default choice.

    Attributes
    ----------
    common
        Axes of every trial.
    by_backend
        Options of a backend, for trials with that backend only. An empty value leaves the option to the backend.
    default_backend
        The backend of trials that choose none.
    runs
        The backends that run a model, by the value of the axis `model`. A model that is not listed is tried with all.
    takes
        The options that a backend has, with their defaults. Options of others are omitted from its trials; a backend that is
        not listed gets all.
    """

    common: Mapping[str, tuple[Any, ...]]
    by_backend: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    default_backend: str = ""
    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    takes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def suggest(self, choose: Callable[[str, tuple[Any, ...]], Any]) -> dict[str, object]:
        """The values of a trial; `choose` selects one of several, by a label that always has the same values."""
        values: dict[str, object] = {}
        for name, label, rows in self._of_first(values):
            values[name] = choose(label, rows) if len(rows) > 1 else rows[0]
        for name, label, rows in self._of_backend(self._backend(values)):
            value = choose(label, rows) if len(rows) > 1 else rows[0]
            if value != _UNSET or not name.startswith(_PREFIX):
                values[name] = value
        return values

    def _of_first(self, values: Mapping[str, object]) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
        """Name, label and values of model and backend; the backends depend on the model, which `values` has by then."""
        for name in _FIRST:
            if rows := self.common.get(name):
                own = self.runs.get(str(values.get("model")), rows) if name == "backend" else rows
                yield name, name if own == rows else f"{name} of {values['model']}", own

    def _of_backend(self, backend: str) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
        """Name, label and values of all other settings of a trial with a backend."""
        for name, rows in self.common.items():
            if name not in _FIRST and self._is_for(backend, name):
                yield name, name, rows
        for name, own in self.by_backend.get(backend, {}).items():
            if _PREFIX + name not in self.common:
                yield _PREFIX + name, f"{backend}.{name}", own

    def _backend(self, values: Mapping[str, object]) -> str:
        return str(values.get("backend") or self.default_backend)

    def _is_for(self, backend: str, name: str) -> bool:
        """Whether a backend has an option; options of `ck run` are for all."""
        own = self.takes.get(backend)
        return own is None or not name.startswith(_PREFIX) or name.removeprefix(_PREFIX) in own

    def fixed_for(self, values: Mapping[str, object], fixed: Mapping[str, Any]) -> dict[str, Any]:
        """The options that the user fixed, without options that the backend of a trial does not have."""
        backend = self._backend(values)
        own = {
            key: value for key, value in (fixed.get("backend_options") or {}).items() if self._is_for(backend, _PREFIX + key)
        }
        return {**fixed, "backend_options": own} if "backend_options" in fixed else dict(fixed)

    def without_defaults(self, options: RunOptions) -> RunOptions:
        """The same options, where options of the backend that have their default value are omitted."""
        usual = self.takes.get(options.backend or self.default_backend, {})
        own = {name: value for name, value in options.backend_options.items() if value != usual.get(name)}
        return options.with_values({"backend_options": own})

    def points(self) -> Iterator[dict[str, object]]:
        """Every combination, as the values by the labels that `suggest` chooses by."""
        return (point for point, _ in self._expanded({}))

    def choices(self) -> list[dict[str, object]]:
        """Every combination of what has to be installed: of all options of the user, models and backends."""
        common = {name: rows for name, rows in self.common.items() if name not in MEASURED}
        return [values for _, values in replace(self, common=common, by_backend={})._expanded({})]

    def _expanded(self, known: Mapping[str, object]) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
        """The combinations that have some values by label, with what `suggest` makes of them."""
        open_: list[tuple[str, tuple[Any, ...]]] = []

        def choose(label: str, rows: tuple[Any, ...]) -> Any:
            if label not in known:
                open_.append((label, rows))
            return known.get(label, rows[0])

        values = self.suggest(choose)
        if not open_:
            yield dict(known), values
        else:
            label, rows = open_[0]
            for value in rows:
                yield from self._expanded({**known, label: value})

    def default_point(self, layout: Mapping[str, Any]) -> dict[str, object]:
        """The default choice by label: the first value of each setting, and the layout that was measured for it."""
        point: dict[str, object] = {}

        def choose(label: str, rows: tuple[Any, ...]) -> Any:
            point[label] = layout[label] if layout.get(label) in rows else rows[0]
            return point[label]

        self.suggest(choose)
        return point

    def with_layout(self, layout: Mapping[str, int]) -> Space:
        """The space with further values of the layout; those that the space does not have are not searched."""
        common = dict(self.common)
        for name, value in layout.items():
            if value not in common.get(name, (value,)):
                common[name] = tuple(sorted((*common[name], value)))
        return replace(self, common=common)

    @property
    def size(self) -> int:
        """The number of combinations."""
        total = 0
        for model in self.common.get("model", ("",)):
            for name, _, rows in self._of_first({"model": model}):
                if name == "backend":
                    total += sum(self._size_with(str(backend)) for backend in rows)
            total += 0 if "backend" in self.common else self._size_with(self.default_backend)
        return total

    def _size_with(self, backend: str) -> int:
        return prod(len(rows) for _, _, rows in self._of_backend(backend))

    def as_data(self) -> dict[str, object]:
        """As JSON: spaces of equal content are the same."""
        return {
            "common": {name: list(rows) for name, rows in self.common.items()},
            "by_backend": {name: {key: list(rows) for key, rows in own.items()} for name, own in self.by_backend.items()},
            "default_backend": self.default_backend,
            "runs": {name: list(rows) for name, rows in self.runs.items()},
            "takes": {name: dict(rows) for name, rows in self.takes.items()},
        }


def space_of(
    plan: RunPlan,
    goals: Sequence[Goal],
    over: Mapping[str, tuple[Any, ...]],
    backends: Mapping[str, Backend],
    fixed: Mapping[str, Any],
    found: Alternatives,
) -> Space:
    """The space around a default choice.

    Parameters
    ----------
    over
        The options to search, with their values.
    fixed
        Options that the user set, which are not searched.
    found
        The models and backends to search.
    """
    common = {**found.axes, **over}
    for name, values in _layout(plan, goals).items():
        if name not in fixed:
            common.setdefault(name, values)
    given = fixed.get("backend_options") or {}
    names = [str(name) for name in common.get("backend", (plan.backend,))]
    options = {
        name: {row.name: _searched(row) for row in backends[name].options.values() if row.search and row.name not in given}
        for name in names
        if name in backends
    }
    takes = {name: {row.name: row.default for row in backends[name].options.values()} for name in names if name in backends}
    return Space(common, options, plan.backend, found.runs, takes)


def _searched(option: BackendOption) -> tuple[str, ...]:
    """The values of an option, the default first: without a declared one, leaving it to the backend."""
    default = option.default or _UNSET
    return (default, *(value for value in option.search if value != default))


def _layout(plan: RunPlan, goals: Sequence[Goal]) -> dict[str, tuple[int, ...]]:
    """Sessions and threads up to the cores, and batches that the model takes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = tuple(sorted({1, cores, *(1 << power for power in range(cores.bit_length()) if 1 << power <= cores)}))
    maximum = plan.model.get("max_batch")
    batches = tuple(size for size in _BATCHES if not maximum or size <= int(maximum))
    every = {"sessions": counts, "threads": counts, "batch_size": batches or (1,)}
    return {name: rows for name, rows in every.items() if any(name in goal.layout for goal in goals)}
