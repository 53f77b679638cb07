"""What `ck tune` searches by default: the backends that run the model here, and other precisions of its network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.planning import Planned, downloads
from ck_repo.errors import CKError
from ck_repo.experiments.overview import precision_of
from ck_repo.models.backend_options import check_options
from ck_repo.models.backends import Backend
from ck_repo.run.fastest_backend import candidates
from ck_repo.run.known_models import KnownModel, known_models
from ck_repo.run.options import RunOptions
from ck_repo.run.prepare import DATASET, WEIGHTS, RunPlan, prepare
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.query import TagQuery

EXACT = "fp32"  # the precision that others are compared with


@dataclass(frozen=True)
class Alternatives:
    """The models and backends of a search.

    Attributes
    ----------
    axes
        The axes `model` and `backend`, as far as there is a choice and the user does not name the values; the default first.
    runs
        The backends that run a model, by its value on the axis; empty where the user names both.
    left_out
        What is not searched, and why.
    """

    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Here:
    """The models and backends that this machine has: what a run with them would not have to download.

    Attributes
    ----------
    options, plan
        The default choice of the search, and its plan. What it needs is installed in any case.
    """

    session: Session
    program: Entry
    options: RunOptions
    plan: RunPlan

    def alternatives(
        self, over: Mapping[str, tuple[Any, ...]], fixed: Mapping[str, Any], backends: Mapping[str, Backend]
    ) -> Alternatives:
        """The models and backends to search.

        Parameters
        ----------
        over
            What the user wants searched, by option: it replaces what would be searched otherwise.
        fixed
            What the user set. A backend is not searched then, and options of a backend exclude those that do not have them.
        backends
            All that are declared.
        """
        chosen = over.get("backend") or ((fixed["backend"],) if fixed.get("backend") else ())
        if chosen and "model" in over:
            return Alternatives()
        left_out: dict[str, str] = {}
        search = _Backends(chosen, fixed.get("backend_options") or {}, backends)
        named = over.get("model") or (self.options.model,)
        runs = {model: self._backends_of(model, search, left_out) or chosen or (self.plan.backend,) for model in named}
        if "model" not in over:
            others = ((model, self._backends_of(model, search, left_out)) for model in self._other_precisions(left_out))
            runs |= {model: names for model, names in others if names}
        every = tuple(dict.fromkeys(name for names in runs.values() for name in names))
        axes: dict[str, tuple[str, ...]] = {}
        if len(runs) > 1 and "model" not in over:
            axes["model"] = tuple(runs)
        if not chosen and (len(every) > 1 or any(self._usual_backend(model) not in every for model in runs)):
            axes["backend"] = every
        return Alternatives(axes, runs, left_out)

    def reference(self) -> dict[str, Any] | None:
        """The options in which the run whose accuracy is kept differs from the default choice, by the names of `RunOptions`.

        It runs the network's model in 32-bit floats without options of a backend. None if the default choice has another
        precision, and this machine has no such model.
        """
        plain: dict[str, Any] = {"backend_options": {}, "calibration": ""}
        if _precision(self.plan) == EXACT:
            return plain
        for row in self._relatives():
            if row.precision == EXACT:
                plan = self._planned(replace(self.options, model=row.name, backend="", **plain))
                if plan and not _needs(plan) - _needs(self.plan) and _same_images(plan, self.plan):
                    return {**plain, "model": row.name, "backend": plan.backend}
        return None

    def _backends_of(self, model: str, search: _Backends, left_out: dict[str, str]) -> tuple[str, ...]:
        """The backends to search that run a model here; its default first, or in the order of the user."""
        options = replace(self.options, model=model, backend_options={}, calibration="")
        try:
            found = candidates(self.session, self.program, options)
        except CKError:  # a trial with it fails, with the reason
            return ()
        usual = _needs(self.plan) | _needs(found.plans[found.default])
        names = []
        for name in search.chosen or found.plans:
            if name not in found.plans:
                continue
            asked = self._planned(replace(self.options, backend=name, backend_options={})) if search.chosen else None
            missing = _needs(found.plans[name]) - usual - (_needs(asked) if asked else set())
            if why := search.refusal(name) or _not_installed(missing):
                left_out[name if model == self.options.model else f"{name} with {model}"] = why
            else:
                names.append(name)
        return tuple(names)

    def _other_precisions(self, left_out: dict[str, str]) -> Iterator[str]:
        """Models of the same network in other precisions that have the tags of --model= and run on the same images."""
        wanted = TagQuery.parse(self.options.model)
        for row in self._relatives():
            if row.precision == _precision(self.plan) or not wanted.matches(row.tags):
                continue
            plan = self._planned(replace(self.options, model=row.name, backend="", backend_options={}, calibration=""))
            if plan is None or not _same_images(plan, self.plan):
                continue
            if why := _not_installed(_needs(plan) - _needs(self.plan)):
                left_out[row.name] = why
            else:
                yield row.name

    def _relatives(self) -> list[_Relative]:
        """The models of the default choice's network: registered ones, then packages; of the same format first."""
        network, format_ = str(self.plan.model.get("network") or ""), self.plan.model.get("format")
        if not network:
            return []
        rows = [row for row in known_models(self.session) if row.model.get("network") == network and row.source != "installed"]
        return [_Relative.of(row) for row in sorted(rows, key=lambda row: row.format != format_)]

    def _usual_backend(self, model: str) -> str:
        """The backend that runs a model if none is named; empty if the model cannot be planned."""
        plan = self._planned(replace(self.options, model=model, backend="", backend_options={}, calibration=""))
        return plan.backend if plan else ""

    def _planned(self, options: RunOptions) -> RunPlan | None:
        try:
            return prepare(self.session, self.program, options)
        except CKError:
            return None


@dataclass(frozen=True)
class _Backends:
    """Which backends to search.

    Attributes
    ----------
    chosen
        The user's; empty for all.
    given
        Options of a backend that the user fixed, which leave the backends that have them.
    declared
        All that are declared.
    """

    chosen: tuple[str, ...]
    given: Mapping[str, str]
    declared: Mapping[str, Backend]

    def refusal(self, name: str) -> str:
        """Why a backend is not searched; empty if it is."""
        if self.chosen:
            return ""
        try:
            check_options(name, self.declared[name].options if name in self.declared else {}, self.given)
        except CKError as error:
            return error.what
        return ""


@dataclass(frozen=True)
class _Relative:
    """A model of the same network.

    Attributes
    ----------
    name
        As for --model=.
    """

    name: str
    precision: str
    tags: frozenset[str]

    @classmethod
    def of(cls, row: KnownModel) -> _Relative:
        name = f"package:{row.name}" if row.source == "package" else row.names[-1]
        return cls(name, precision_of(row.model, row.tags), row.tags)


def _precision(plan: RunPlan) -> str:
    return precision_of(plan.model, plan.choices[WEIGHTS].tags)


def _same_images(one: RunPlan, other: RunPlan) -> bool:
    return one.choices[DATASET].key == other.choices[DATASET].key


def _needs(plan: RunPlan) -> set[str]:
    """The files and Python packages that a run would download."""
    sources, python = downloads([Planned(Cell("", {}, plan.options), plan)])
    return {source.urls[0] for source in sources} | set(python)


def _not_installed(missing: set[str]) -> str:
    """The reason for not searching something that has to be downloaded; empty if nothing is missing."""
    return f"it is not installed: {', '.join(sorted(missing))}" if missing else ""
