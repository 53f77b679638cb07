"""Run an experiment again with the same components, and compare the results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ck_repo import progress
from ck_repo.environment.collect import entry_of, locked_packages
from ck_repo.environment.lockfile import NAME, Lock, lock_of_experiment
from ck_repo.environment.locking import extend_lock, read_venv_lock
from ck_repo.environment.venv import Venv, find_venv, read_venv
from ck_repo.errors import ConfigError, NotFoundError
from ck_repo.experiments.experiment import MODULE
from ck_repo.experiments.meta import ExperimentMeta, read_experiment
from ck_repo.machine.python_packages import python_packages
from ck_repo.reproduce.artifacts import ARTIFACTS, bring_in
from ck_repo.reproduce.difference import Difference, between
from ck_repo.reproduce.pins import pinned
from ck_repo.reproduce.recipes import recipes_of_experiment
from ck_repo.reproduce.recreate import install_components, interpreter_for, known_packages, recreate
from ck_repo.reproduce.verdict import USUAL, Tolerances, Verdict, judge
from ck_repo.run.options import MEASURED
from ck_repo.run.pipeline import RunRecord, execute
from ck_repo.run.prepare import prepare
from ck_repo.run.recorded_options import options_of
from ck_repo.session import Session
from ck_repo.store.digest import of_value
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import LOCAL, default_repository_alias
from ck_repo.store.search import find, load
from ck_repo.store.writing import update_entry
from ck_repo.trust import is_own_lock, require_code


@dataclass(frozen=True)
class Replay:
    """The result of a replay: its experiments, which are children of the original, and the verdict."""

    records: list[RunRecord]
    verdict: Verdict


@dataclass(frozen=True)
class Foreseen:
    """What a replay would run and install.

    Attributes
    ----------
    program
        The entry to run.
    packages
        Python packages of our recipes, as ``name==version``: installed with their dependencies.
    others
        Other packages of the lock: only installed if one of `packages` needs them, or with ``--trust``.
    components
        Models and data sets, as ``role: name (source)``.
    own
        Whether this machine wrote the lock.
    """

    program: str
    packages: tuple[str, ...]
    others: tuple[str, ...]
    components: tuple[str, ...]
    own: bool

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """As text."""
        rule = "installed" if self.own else "only installed if one of these needs them, or with --trust"
        return [
            f"program: {self.program}",
            f"packages: {', '.join(self.packages) or 'none'}",
            f"other packages of the lock, {rule}: {', '.join(self.others) or 'none'}",
            *self.components,
        ]


def foresee(session: Session, experiment: Entry) -> Foreseen:
    """What a replay of the experiment would run; nothing is changed."""
    meta = read_experiment(experiment)
    lock = lock_of_experiment(experiment.path, meta.data)
    options_of(lock, experiment)
    entry = _program(session, lock, meta)
    known = known_packages(session)
    pins = {name: f"{name}=={row.version}" for name, row in sorted(lock.packages.items())}
    return Foreseen(
        f"{entry.repository}:{entry.cid}",
        tuple(pin for name, pin in pins.items() if name in known),
        tuple(pin for name, pin in pins.items() if name not in known),
        tuple(f"{row.role}: {row.label} ({row.source})" for row in lock.components if row.source != "program"),
        session.trust or is_own_lock(experiment.path / NAME),
    )


def _program(session: Session, lock: Lock, meta: ExperimentMeta) -> Entry:
    """The program to run: that with the lock's UID, else with its name; another repository's needs ``--trust``."""
    program = lock.component("program")
    entry = entry_of(session, "program", program.uid if program else "") or _by_alias(session, meta)
    require_code(entry.path, "program", session.trust, instead=f"{default_repository_alias()}:program:object-detection")
    return entry


def replay(
    session: Session,
    experiment: Entry,
    *,
    venv: str = "",
    python: str = "",
    repetitions: int = 1,
    tolerances: Tolerances = USUAL,
    name: str = "",
    repository: str = "",
) -> Replay:
    """Replay an experiment.

    Parameters
    ----------
    venv
        The venv to use unchanged; without a name, one that matches the lock is reused or created.
    python
        The Python for a new venv; one with the lock's minor version if empty.
    repetitions
        Number of performance runs. Accuracy is measured once, because it does not vary.
    tolerances
        The tolerances.
    name, repository
        Name of the first new experiment, and the repository of all.
    """
    meta = read_experiment(experiment)
    lock = lock_of_experiment(experiment.path, meta.data)
    options = options_of(lock, experiment)
    scope = f"{MODULE}:{experiment.uid}"
    entry = _program(session, lock, meta)
    progress.say(f"replaying {entry.repository}:{entry.cid}, in a venv with the Python packages of the lock that it needs")
    own = is_own_lock(experiment.path / NAME)
    with recipes_of_experiment(session, experiment.path / ARTIFACTS):
        bring_in(session, lock, experiment.path / ARTIFACTS, scope)
        using = pinned(session, lock, scope)
        home, missing = _environment(session, lock, venv, python, own)
        before = python_packages(home.python)
        _, reported = install_components(session, lock, home.python, scope)
        reported = [*missing, *reported]
        extend_lock(session, home, before, ())  # versions that a recipe was built with
        _refuse_missing(lock, reported)
    records: list[RunRecord] = []
    for number in range(repetitions):
        mode = options.mode if number == 0 else "performance"
        plan = prepare(session, entry, replace(options, venv=home.name, mode=mode), as_recorded=True, scope=scope, pinned=using)
        more = {"parent": {"uid": experiment.uid, "alias": experiment.alias, "module": MODULE}}
        alias = name if number == 0 else ""
        records.append(execute(session, plan, name=alias, repository=repository, tags=["replay"], more=more))
        measured = records[0].results  # the others use the same layout, without searching for one again
        options = replace(options, **{key: getattr(measured, key) for key in MEASURED})
        if options.mode == "accuracy":
            break
    here = lock_of_experiment(records[0].experiment.path, read_experiment(records[0].experiment).data)
    differences = _distinct([*reported, *between(lock, here)])
    outcome = [(row.experiment.path, read_experiment(row.experiment)) for row in records]
    verdict = judge((experiment.path, meta), outcome, differences, tolerances)
    update_entry(records[0].experiment, {"verdict": verdict.as_data()})
    return Replay(records, verdict)


def _environment(session: Session, lock: Lock, name: str, python: str, own: bool) -> tuple[Venv, list[Difference]]:
    """The venv for a replay: the given one, one that matches the lock, or a new one; and what a new one lacks."""
    if name:
        found = find_venv(session, name)
        if found is None:
            raise NotFoundError(f"there is no venv:{name}", hint="omit --venv= to create a venv from the experiment's lock")
        found.check()
        return found, []
    made = f"replay-{of_value([lock.as_data()['packages'], lock.python_minor, python])[:8]}"
    for candidate in map(read_venv, find(session.repositories, "venv", repository=LOCAL)):
        if candidate.python.exists() and _fits(session, candidate, made, lock, python):
            progress.say(f"venv:{candidate.name} matches the lock")
            return candidate, []
    # one that was created for this lock and was changed outside ck is created again
    interpreter = interpreter_for(lock, python)
    done = recreate(session, made, lock, interpreter, components=False, force=True, own=own)
    for row in done.differences:
        if row.kind == "package" and not row.here:
            progress.say(str(row))
    return done.venv, [row for row in done.differences if row.kind == "package"]


def _fits(session: Session, venv: Venv, made: str, lock: Lock, python: str) -> bool:
    """Whether a venv can be used for a lock: it has the same packages, or was created for it and is unchanged."""
    if venv.name == made:
        return locked_packages(venv.python) == read_venv_lock(session, venv).packages
    if python or venv.version != lock.interpreter.get("version"):
        return False
    here = locked_packages(venv.python)
    return set(here) == set(lock.packages) and all(lock.packages[name].same_as(row) for name, row in here.items())


def _refuse_missing(lock: Lock, reported: Sequence[Difference]) -> None:
    """Without the user's own model or data set, it would be a different run."""
    gone = {row.name for row in reported if row.kind == "component" and not row.here}
    for row in lock.components:
        if row.role in ("weights", "dataset") and row.label in gone:
            why = next(each.remark for each in reported if each.name == row.label)
            raise NotFoundError(
                f"{row.label} ({row.content[:12]}), which the experiment used, is not on this machine",
                hint=f"{why}\nor pack it on the other machine: `ck zip experiment:NAME --artifacts=all`",
            )


def _by_alias(session: Session, meta: ExperimentMeta) -> Entry:
    alias = meta.program.alias if meta.program else ""
    if not re.fullmatch(r"[\w.-]+", alias):
        raise ConfigError(f"the experiment does not have a valid program: {alias!r}")
    return load(session.repositories, "program", alias)


def _distinct(rows: Sequence[Difference]) -> list[Difference]:
    """One difference for each subject; the first one, which has a reason, is kept."""
    kept: dict[tuple[str, str], Difference] = {}
    for row in rows:
        kept.setdefault((row.kind, row.name), row)
    return list(kept.values())
