"""Find recorded runs that a campaign need not repeat, because options and components are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ck_repo.campaign.job import machine_name
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.queue import Job
from ck_repo.campaign.venv_packages import Packages, packages_in, packages_of
from ck_repo.environment.lockfile import Lock, lock_of_experiment
from ck_repo.errors import CKError
from ck_repo.experiments.figures import TRIAL
from ck_repo.experiments.meta import ExperimentMeta, readable
from ck_repo.machine.platform import machine_of, same_machine
from ck_repo.resolve.plan import PythonPackage, in_order
from ck_repo.run.options import RunOptions
from ck_repo.run.prepare import RunPlan
from ck_repo.session import Session
from ck_repo.store.digest import of_value
from ck_repo.store.entry import Entry
from ck_repo.store.search import find

Found = tuple[Entry, ExperimentMeta]


class Recorded:
    """The experiments in the repositories of this machine, by their options.

    Parameters
    ----------
    venv
        The lock of the venv that every machine makes for the campaign; None if each has its own.
    there
        The packages on the machines of a cluster, by the machine and the option `venv`; see `reported_packages`.
    """

    def __init__(
        self,
        session: Session,
        venv: Lock | None = None,
        there: Mapping[str, Mapping[str, Packages | None]] | None = None,
    ) -> None:
        self._session, self._venv, self._there = session, venv, there or {}
        self._here: dict[Path, Packages] = {}
        self._locks: dict[str, Lock | None] = {}

    @cached_property
    def _by_options(self) -> dict[str, list[Found]]:
        found: dict[str, list[Found]] = defaultdict(list)
        for entry, meta in readable(find(self._session.repositories, "experiment", tags=f"mlperf,-{TRIAL}")):
            if meta.results and meta.results.scenario and not meta.published:
                found[_named(meta.data.get("options") or {})].append((entry, meta))
        for rows in found.values():
            rows.sort(key=lambda row: row[1].recorded)
        return dict(found)

    def seconds(self, options: RunOptions) -> float | None:
        """The duration of the last run with these options; None if none is recorded."""
        times = [
            float((meta.data.get("seconds") or {}).get("all") or 0.0)
            for _, meta in self._by_options.get(_named(options.as_data()), [])
            if set(options.modes) <= _modes(meta)
        ]
        return times[-1] if times and times[-1] else None

    def like(self, plan: RunPlan, *, campaign: str = "") -> list[Found]:
        """The recorded runs that match a plan, the oldest first.

        A run matches if its options, the keys of its model, data set and program, and its interpreter are the same, and the
        venv of its machine has every Python package of it in the same version. It must have been made on this machine:
        processor, number of cores, memory and operating system are compared.

        Parameters
        ----------
        campaign
            UID of a campaign whose runs on other machines count, too. Their names tell the machines apart.
        """
        rows = self._by_options.get(_named(plan.options.as_data()), [])
        return [row for row in rows if self._same(row, plan, campaign)]

    def matches(self, row: Found, plan: RunPlan) -> bool:
        """Whether a run that is known otherwise matches a plan, as in `like`; no other experiment is read."""
        options = row[1].data.get("options") or {}
        return _named(options) == _named(plan.options.as_data()) and self._same(row, plan, "")

    def _same(self, row: Found, plan: RunPlan, campaign: str) -> bool:
        entry, meta = row
        if meta.program is None or meta.program.digest != plan.program.digest:
            return False
        lock = self._lock(entry, meta)
        if lock is None:
            return False
        wanted = {
            choice.key
            for _, choice in in_order(plan.choices)
            if not isinstance(choice, PythonPackage) and not choice.for_a_venv
        }
        if not wanted <= {component.key for component in lock.components}:
            return False
        machine = self._elsewhere(meta, campaign)
        if not machine and not _is_here(meta):
            return False
        if self._venv:
            return _made_of(self._venv, lock)
        packages = self._packages_there(campaign, machine, plan.options.venv) if machine else self._packages_here(plan)
        return packages is not None and packages.have_all(lock)

    def _elsewhere(self, meta: ExperimentMeta, campaign: str) -> str:
        """The other machine that made a run of the campaign; empty for all other runs."""
        made = campaign_of(meta)
        machine = str(made.get("machine") or "")
        other = machine in self._there or machine != machine_name()
        return machine if campaign and made.get("uid") == campaign and other else ""

    def _lock(self, entry: Entry, meta: ExperimentMeta) -> Lock | None:
        if entry.uid not in self._locks:
            try:
                self._locks[entry.uid] = lock_of_experiment(entry.path, meta.data)
            except CKError:  # without a lock its components are unknown
                self._locks[entry.uid] = None
        return self._locks[entry.uid]

    def _packages_here(self, plan: RunPlan) -> Packages | None:
        if plan.venv is None:
            return None
        python = plan.venv.python
        if python not in self._here:
            self._here[python] = packages_in(python, plan.venv.version)
        return self._here[python]

    def _packages_there(self, campaign: str, machine: str, venv: str) -> Packages | None:
        """What a machine reports; one that is not connected has what it had in its last run of the campaign."""
        if machine in self._there:
            return self._there[machine].get(venv)
        lock = self._lock(*self._last[campaign, machine, venv])
        return packages_of(lock) if lock else None

    @cached_property
    def _last(self) -> dict[tuple[str, str, str], Found]:
        """The last run of each campaign on each machine in each venv."""
        found: dict[tuple[str, str, str], Found] = {}
        for entry, meta in sorted((row for rows in self._by_options.values() for row in rows), key=lambda row: row[1].recorded):
            made, options = campaign_of(meta), meta.data.get("options") or {}
            found[str(made.get("uid")), str(made.get("machine")), str(options.get("venv") or "")] = (entry, meta)
        return found


def _made_of(venv: Lock, lock: Lock) -> bool:
    """Whether the venv of a run was made of a lock; further packages may have been installed for the run."""
    return lock.python_minor == venv.python_minor and all(
        name in lock.packages and lock.packages[name].version == row.version for name, row in venv.packages.items()
    )


def _named(options: Mapping[str, Any]) -> str:
    """Identifies options without the tests, which are compared separately, because a run of both tests matches either."""
    return of_value({key: value for key, value in options.items() if key != "mode"})


def _modes(meta: ExperimentMeta) -> set[str]:
    """The tests that a recorded run has results of."""
    return {mode for mode in ("accuracy", "performance") if meta.results and getattr(meta.results, mode)}


def campaign_of(meta: ExperimentMeta) -> Mapping[str, Any]:
    """The campaign that an experiment belongs to; empty if none."""
    row = meta.data.get("campaign")
    return row if isinstance(row, Mapping) else {}


def has_modes(meta: ExperimentMeta, options: RunOptions) -> bool:
    """Whether a recorded run has the results of every requested test."""
    return set(options.modes) <= _modes(meta)


def repetitions_of(cell: Cell, found: Sequence[Found], *, each_machine: bool) -> dict[str, list[Found]]:
    """The recorded runs that are repetitions of a cell, by the machine that made them.

    Parameters
    ----------
    found
        The runs that match the cell's plan.
    each_machine
        Whether every machine makes all repetitions, the first of which has every test; else any machine makes them.
    """
    groups: dict[str, list[Found]] = defaultdict(list)
    for row in found:
        groups[_maker(row[1]) if each_machine else ""].append(row)
    repetitions: dict[str, list[Found]] = defaultdict(list)
    for rows in groups.values():
        if first := next((row for row in rows if has_modes(row[1], cell.options)), None):
            rest = [row for row in rows if row is not first and has_modes(row[1], Job(cell, 2).options)]
            for row in (first, *rest):
                repetitions[_maker(row[1])].append(row)
    return dict(repetitions)


def _maker(meta: ExperimentMeta) -> str:
    """The machine that made a run; this one if it is of no campaign."""
    return str(campaign_of(meta).get("machine") or machine_name())


def _is_here(meta: ExperimentMeta) -> bool:
    """Whether a run was made on a machine like this one."""
    return meta.platform is not None and machine_of(meta.platform) == same_machine()
