"""Run an experiment again, with what it was made of, and hold the outcome against what was recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ck_repo import progress
from ck_repo.environment.collect import entry_of, locked_packages
from ck_repo.environment.lockfile import NAME, Lock, lock_of_experiment
from ck_repo.environment.locking import extend_lock, read_venv_lock
from ck_repo.environment.venv import Venv, find_venv, read_venv
from ck_repo.errors import ConfigError, NotFoundError, UsageError
from ck_repo.experiments.experiment import MODULE
from ck_repo.experiments.meta import ExperimentMeta, read_experiment
from ck_repo.machine.python_packages import python_packages
from ck_repo.reproduce.artifacts import ARTIFACTS, bring_in
from ck_repo.reproduce.difference import Difference, between
from ck_repo.reproduce.pins import pinned
from ck_repo.reproduce.recipes import recipes_of_experiment
from ck_repo.reproduce.recreate import install_components, interpreter_for, known_packages, recreate
from ck_repo.reproduce.verdict import USUAL, Tolerances, Verdict, judge
from ck_repo.run.options import MEASURED, RUN_OPTIONS, RunOptions
from ck_repo.run.pipeline import RunRecord, execute
from ck_repo.run.prepare import prepare
from ck_repo.session import Session
from ck_repo.store.digest import of_value
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import LOCAL, default_repository_alias
from ck_repo.store.search import find, load
from ck_repo.store.writing import update_entry
from ck_repo.trust import is_own_lock, require_code


@dataclass(frozen=True)
class Replay:
    """What a replay left: its experiments, children of the one that was replayed, and the verdict."""

    records: list[RunRecord]
    verdict: Verdict


@dataclass(frozen=True)
class Foreseen:
    """What a replay would run and install.

    Attributes
    ----------
    program
        The entry that would run.
    packages
        Python packages that our recipes name, as ``name==version``: installed with what they need in turn.
    others
        Further packages of the lock: installed only where one of `packages` needs them, or with ``--trust``.
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
        """For JSON."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """For a person."""
        rule = "installed" if self.own else "installed only where one of these needs them, or with --trust"
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
    """The program to run: that of the lock's UID, else the one of its name; another repository's needs ``--trust``."""
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
        The venv to use as it is; without a name one that the lock fits is reused, or made.
    python
        The Python for a venv that is made; one of the lock's minor version if empty.
    repetitions
        How often performance is measured. Accuracy is measured once: it does not vary.
    tolerances
        What counts as reproduced.
    name, repository
        Of the first of the new experiments.
    """
    meta = read_experiment(experiment)
    lock = lock_of_experiment(experiment.path, meta.data)
    options = options_of(lock, experiment)
    scope = f"{MODULE}:{experiment.uid}"
    entry = _program(session, lock, meta)
    progress.say(f"replaying with {entry.repository}:{entry.cid}, in a venv with the Python packages of the lock that it needs")
    own = is_own_lock(experiment.path / NAME)
    with recipes_of_experiment(session, experiment.path / ARTIFACTS):
        bring_in(session, lock, experiment.path / ARTIFACTS, scope)
        using = pinned(session, lock, scope)
        home, missing = _environment(session, lock, venv, python, own)
        before = python_packages(home.python)
        _, told = install_components(session, lock, home.python, scope)
        told = [*missing, *told]
        extend_lock(session, home, before, ())  # what a recipe was made with
        _refuse_missing(lock, told)
    records: list[RunRecord] = []
    for number in range(repetitions):
        mode = options.mode if number == 0 else "performance"
        plan = prepare(session, entry, replace(options, venv=home.name, mode=mode), as_recorded=True, scope=scope, pinned=using)
        more = {"parent": {"uid": experiment.uid, "alias": experiment.alias, "module": MODULE}}
        alias = name if number == 0 else ""
        records.append(execute(session, plan, name=alias, repository=repository, tags=["replay"], more=more))
        measured = records[0].results  # the further ones measure the same layout, and do not look for one again
        options = replace(options, **{key: getattr(measured, key) for key in MEASURED})
        if options.mode == "accuracy":
            break
    here = lock_of_experiment(records[0].experiment.path, read_experiment(records[0].experiment).data)
    differences = _distinct([*told, *between(lock, here)])
    outcome = [(row.experiment.path, read_experiment(row.experiment)) for row in records]
    verdict = judge((experiment.path, meta), outcome, differences, tolerances)
    update_entry(records[0].experiment, {"verdict": verdict.as_data()})
    return Replay(records, verdict)


def options_of(lock: Lock, experiment: Entry) -> RunOptions:
    """The options that an experiment ran with."""
    known = {option.name: option for option in RUN_OPTIONS}
    unknown = sorted(set(lock.options) - set(known))
    if unknown:
        raise ConfigError(
            f"{experiment.path}: it ran with the option {unknown[0]}, which this ck does not know",
            hint=f"it was made by ck {lock.engine.get('version')}: install that, or a newer one",
        )
    # an option of the other machine means nothing here, or does harm
    options = {name: value for name, value in lock.options.items() if not known[name].this_machine}
    for name, value in options.items():
        if known[name].choices and value not in (known[name].default, *known[name].choices):
            raise ConfigError(f"{experiment.path}: its option {name} is {value!r}", hint="the lock was edited")
    try:
        return RunOptions(**options)
    except UsageError as error:
        raise ConfigError(f"{experiment.path}: its option {error.what}", hint="the lock was edited") from None


def _environment(session: Session, lock: Lock, name: str, python: str, own: bool) -> tuple[Venv, list[Difference]]:
    """The venv to replay in: the one that is named, one that the lock fits, or a new one; and what a new one lacks."""
    if name:
        found = find_venv(session, name)
        if found is None:
            raise NotFoundError(f"there is no venv:{name}", hint="leave out --venv=: a venv is made from the experiment's lock")
        found.check()
        return found, []
    made = f"replay-{of_value([lock.as_data()['packages'], lock.python_minor, python])[:8]}"
    for candidate in map(read_venv, find(session.repositories, "venv", repository=LOCAL)):
        if candidate.python.exists() and _fits(session, candidate, made, lock, python):
            progress.say(f"venv:{candidate.name} is what the lock says")
            return candidate, []
    # one that was made for this lock before, and was changed by hand since, is made anew
    interpreter = interpreter_for(lock, python)
    done = recreate(session, made, lock, interpreter, components=False, force=True, own=own)
    for row in done.differences:
        if row.kind == "package" and not row.here:
            progress.say(str(row))
    return done.venv, [row for row in done.differences if row.kind == "package"]


def _fits(session: Session, venv: Venv, made: str, lock: Lock, python: str) -> bool:
    """Whether a venv can be used for a lock: it holds the same packages; or it was made for it, and is as it was made."""
    if venv.name == made:
        return locked_packages(venv.python) == read_venv_lock(session, venv).packages
    if python or venv.version != lock.interpreter.get("version"):
        return False
    here = locked_packages(venv.python)
    return set(here) == set(lock.packages) and all(lock.packages[name].same_as(row) for name, row in here.items())


def _refuse_missing(lock: Lock, told: Sequence[Difference]) -> None:
    """A run without the user's own model or data set would be another run."""
    gone = {row.name for row in told if row.kind == "component" and not row.here}
    for row in lock.components:
        if row.role in ("weights", "dataset") and row.label in gone:
            why = next(each.remark for each in told if each.name == row.label)
            raise NotFoundError(
                f"{row.label} ({row.content[:12]}), which the experiment ran with, is not here",
                hint=f"{why}\nor have it packed where it was run: `ck zip experiment:NAME --artifacts=all`",
            )


def _by_alias(session: Session, meta: ExperimentMeta) -> Entry:
    alias = meta.program.alias if meta.program else ""
    if not re.fullmatch(r"[\w.-]+", alias):
        raise ConfigError(f"the experiment does not say which program it ran: {alias!r}")
    return load(session.repositories, "program", alias)


def _distinct(rows: Sequence[Difference]) -> list[Difference]:
    """One difference for each thing; what was told first, with its reason, stays."""
    kept: dict[tuple[str, str], Difference] = {}
    for row in rows:
        kept.setdefault((row.kind, row.name), row)
    return list(kept.values())
