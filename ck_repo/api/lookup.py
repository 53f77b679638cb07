"""Find recorded experiments."""

from __future__ import annotations

from ck_repo.actions.experiment import shown
from ck_repo.actions.request import Target
from ck_repo.api.experiment import Experiment, Experiments
from ck_repo.cli.dispatch import request_for
from ck_repo.cli.words import target
from ck_repo.experiments.experiment import MODULE
from ck_repo.session import Session
from ck_repo.store import search
from ck_repo.store.entry import Entry


def find(*, tags: str = "", name: str = "", repository: str = "") -> Experiments:
    """Find experiments.

    Parameters
    ----------
    tags
        ``a,b,-c``: with the tags a and b, without c. The tags of a run include its scenario, backend, model and data set.
    name
        An alias or a UID; ``*`` and ``?`` match parts of a name. All if empty.
    repository
        The repository to search; all if empty.

    Returns
    -------
    Experiments
        The oldest first; empty if none matches. Unreadable experiments are skipped with a warning.
    """
    entries = search.find(Session().repositories, MODULE, name, repository=repository, tags=tags)
    return Experiments(tuple(sorted(Experiment.read_all(entries), key=lambda row: (row.recorded, row.alias))))


def show(experiment: Experiment | str = "") -> Experiment:
    """Read one experiment.

    Parameters
    ----------
    experiment
        Its name (alias, UID or ``repository:experiment:name``); the latest if empty.

    Returns
    -------
    Experiment

    Raises
    ------
    NotFoundError
        If there is no such experiment, or none at all.
    """
    if experiment:
        return Experiment.read(entry_of(experiment))
    return Experiment.read(shown(request_for("show", Target(MODULE), {}))[0])


def entry_of(experiment: Experiment | str) -> Entry:
    """The entry of an experiment, or of its name."""
    if isinstance(experiment, Experiment):
        return search.load(Session().repositories, MODULE, experiment.uid, experiment.repository)
    named = target(experiment)
    return search.load(Session().repositories, MODULE, named.entry or named.module, named.repository)
