"""Find recorded runs that a campaign need not repeat, because options and components are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ck_repo.environment.lockfile import Lock, lock_of_experiment
from ck_repo.errors import CKError
from ck_repo.experiments.figures import TRIAL
from ck_repo.experiments.meta import ExperimentMeta, readable
from ck_repo.machine.platform import machine_of, same_machine
from ck_repo.machine.python_packages import installed_packages
from ck_repo.resolve.plan import PythonPackage, in_order
from ck_repo.run.options import RunOptions
from ck_repo.run.prepare import RunPlan
from ck_repo.session import Session
from ck_repo.store.digest import of_value
from ck_repo.store.entry import Entry
from ck_repo.store.search import find

Found = tuple[Entry, ExperimentMeta]


class Recorded:
    """The experiments on this machine, by their options.

    Parameters
    ----------
    venv
        The lock of the venv that runs have to be made in; that of each plan if None.
    """

    def __init__(self, session: Session, venv: Lock | None = None) -> None:
        self._session, self._venv = session, venv
        self._packages: dict[Path, dict[str, str]] = {}
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
        venv has every Python package of it in the same version. It must have been made on this machine: processor, number of
        cores, memory and operating system are compared.

        Parameters
        ----------
        campaign
            UID of a campaign whose runs on other machines count, too.
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
        if campaign and campaign_of(meta).get("uid") == campaign and not _is_here(meta):
            return True
        return _is_here(meta) and self._same_venv(lock, plan)

    def _lock(self, entry: Entry, meta: ExperimentMeta) -> Lock | None:
        if entry.uid not in self._locks:
            try:
                self._locks[entry.uid] = lock_of_experiment(entry.path, meta.data)
            except CKError:  # without a lock its components are unknown
                self._locks[entry.uid] = None
        return self._locks[entry.uid]

    def _same_venv(self, lock: Lock, plan: RunPlan) -> bool:
        if self._venv:
            return lock.python_minor == self._venv.python_minor and all(
                name in lock.packages and lock.packages[name].version == row.version
                for name, row in self._venv.packages.items()
            )
        if plan.venv is None or lock.interpreter.get("version") != plan.venv.version:
            return False
        python = plan.venv.python
        if python not in self._packages:
            self._packages[python] = {name: row.version for name, row in installed_packages(python).items()}
        here = self._packages[python]
        return all(here.get(name) == row.version for name, row in lock.packages.items())


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


def _is_here(meta: ExperimentMeta) -> bool:
    """Whether a run was made on a machine like this one."""
    return meta.platform is not None and machine_of(meta.platform) == same_machine()
