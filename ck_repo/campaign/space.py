"""The settings that `ck tune` searches: options of the user, the layout, and the options that backends declare."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ck_repo.campaign.goal import Goal
from ck_repo.models.backends import Backend
from ck_repo.run.prepare import RunPlan

_BATCHES = (1, 2, 4, 8)
_PREFIX = "backend_options."


@dataclass(frozen=True)
class Space:
    """Values by the name of an option.

    Attributes
    ----------
    common
        Axes of every trial.
    by_backend
        Options of a backend, for trials with that backend only.
    default_backend
        The backend of trials that choose none.
    """

    common: Mapping[str, tuple[Any, ...]]
    by_backend: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    default_backend: str = ""

    def suggest(self, choose: Callable[[str, tuple[Any, ...]], Any]) -> dict[str, object]:
        """The values of a trial; `choose` selects one of several, by a name that always has the same values."""
        values = {name: choose(name, rows) if len(rows) > 1 else rows[0] for name, rows in self.common.items()}
        backend = str(values.get("backend") or self.default_backend)
        for name, rows in self.by_backend.get(backend, {}).items():
            if _PREFIX + name not in values:
                values[_PREFIX + name] = choose(f"{backend}.{name}", rows)
        return values

    def points(self) -> Iterator[dict[str, object]]:
        """Every combination, as the values by the names that `suggest` chooses by."""
        searched = {name: rows for name, rows in self.common.items() if len(rows) > 1}
        for chosen in product(*searched.values()):
            values = dict(zip(searched, chosen, strict=True))
            only = self.common.get("backend", (self.default_backend,))
            backend = str(values.get("backend", only[0]))
            own = {
                f"{backend}.{name}": rows
                for name, rows in self.by_backend.get(backend, {}).items()
                if _PREFIX + name not in self.common
            }
            for more in product(*own.values()):
                yield {**values, **dict(zip(own, more, strict=True))}

    @property
    def size(self) -> int:
        """The number of combinations."""
        total = 0
        for backend in self.common.get("backend", (self.default_backend,)):
            count = 1
            for name, rows in self.common.items():
                count *= 1 if name == "backend" else len(rows)
            for name, rows in self.by_backend.get(str(backend), {}).items():
                count *= 1 if _PREFIX + name in self.common else len(rows)
            total += count
        return total


def space_of(
    plan: RunPlan,
    goals: Sequence[Goal],
    over: Mapping[str, tuple[Any, ...]],
    backends: Mapping[str, Backend],
    fixed: Mapping[str, Any],
) -> Space:
    """The space around a default choice.

    Parameters
    ----------
    over
        The options to search, with their values.
    fixed
        Options that the user set, which are not searched.
    """
    common = dict(over)
    for name, values in _layout(plan, goals).items():
        if name not in fixed:
            common.setdefault(name, values)
    given = fixed.get("backend_options") or {}
    names = [str(name) for name in common.get("backend", (plan.backend,))]
    options = {
        name: {row.name: row.search for row in backends[name].options.values() if row.search and row.name not in given}
        for name in names
        if name in backends
    }
    return Space(common, options, plan.backend)


def _layout(plan: RunPlan, goals: Sequence[Goal]) -> dict[str, tuple[int, ...]]:
    """Sessions and threads up to the cores, and batches that the model takes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = tuple(sorted({1, cores, *(1 << power for power in range(cores.bit_length()) if 1 << power <= cores)}))
    maximum = plan.model.get("max_batch")
    batches = tuple(size for size in _BATCHES if not maximum or size <= int(maximum))
    every = {"sessions": counts, "threads": counts, "batch_size": batches or (1,)}
    return {name: rows for name, rows in every.items() if any(name in goal.layout for goal in goals)}
