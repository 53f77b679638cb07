"""The trials of a search, as Optuna's storage in the campaign's folder has them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo.campaign.accuracy import Accuracy, read_accuracy
from ck_repo.campaign.goal import Goal
from ck_repo.campaign.optional import optional
from ck_repo.campaign.pareto import front

NAME = "study.log"
CHOICE = "choice"  # the key of what the accuracy of a trial depends on
WHY = "why"  # why a trial failed
_MIN_FOR_IMPORTANCE = 4  # trials


@dataclass(frozen=True)
class Candidate:
    """A trial on the front.

    Attributes
    ----------
    figures
        By the name of a goal.
    keeps_accuracy
        Whether its accuracy is within what is kept.
    """

    number: int
    values: dict[str, object]
    figures: dict[str, float]
    keeps_accuracy: bool = True


class Trials:
    """What a study has found so far.

    Parameters
    ----------
    study
        Optuna's.
    accuracy
        What is known of the accuracy of choices; the study has only the keys of the choices, so a search that is continued with
        another --keep judges its earlier trials again.
    """

    def __init__(self, study: Any, goals: Sequence[Goal], accuracy: Accuracy) -> None:
        self._optuna = optional("optuna", "tune")
        self._study, self._goals, self._accuracy = study, tuple(goals), accuracy
        self._bounded = all(goal.is_speed for goal in goals)

    def front(self) -> list[Candidate]:
        """The trials that no other surpasses, the best of the first goal first.

        Trials whose accuracy is too low do not count, unless accuracy is a goal itself. Of trials with equal figures the first
        counts. The front of a single goal is the best trial.
        """
        found: dict[tuple[float, ...], Candidate] = {}
        for trial in self._ended("COMPLETE"):
            violation = self._violation(trial)
            if violation is not None and (violation <= 0 or not self._bounded):
                values = dict(trial.user_attrs["values"])
                row = Candidate(trial.number, values, self._named(trial.values), violation <= 0)
                found.setdefault(self._merits(row), row)
        best = front({str(number): (merits[0], merits[-1]) for number, merits in enumerate(found)})
        rows = [row for number, row in enumerate(found.values()) if str(number) in best]
        return sorted(rows, key=lambda row: -self._merits(row)[0])

    def surpassed(self, figures: Sequence[float]) -> bool:
        """Whether a trial on the front is at least as good in every goal."""
        mine = [goal.merit(figure) for goal, figure in zip(self._goals, figures, strict=True)]
        return any(all(old >= new for old, new in zip(self._merits(row), mine, strict=True)) for row in self.front())

    def unmeasured(self) -> dict[str, object] | None:
        """The values of the best trial that is on the front if its accuracy, which was not measured, is kept.

        A trial that was surpassed has no accuracy, and matters when the trials that surpassed it are not accurate enough for
        another --keep. None if there is no such trial.
        """
        first = self._goals[0]
        rows = [trial for trial in self._ended("COMPLETE") if self._violation(trial) is None]
        for trial in sorted(rows, key=lambda trial: -first.merit(trial.values[0])):
            if not self.surpassed(trial.values):
                return dict(trial.user_attrs["values"])
        return None

    def importance(self) -> dict[str, dict[str, float]]:
        """How much of each goal's variation is due to each setting, 0-1, by goal; empty with too few trials.

        Optuna's evaluator PED-ANOVA; of settings that not every completed trial has it says nothing.
        """
        done = self._ended("COMPLETE")
        if len(done) < _MIN_FOR_IMPORTANCE or not any(len(row.params) for row in done):
            return {}
        module = optional("optuna.importance", "tune")
        found = {}
        for at, goal in enumerate(self._goals):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the evaluator is experimental, and minimizes: hence the sign
                try:
                    shares = module.get_param_importances(
                        self._study,
                        evaluator=module.PedAnovaImportanceEvaluator(),
                        target=lambda trial, at=at, goal=goal: -goal.merit(trial.values[at]),
                    )
                except (ValueError, RuntimeError):  # all trials have the same figure, or nothing was varied
                    continue
            found[goal.name] = {str(name): float(share) for name, share in shares.items()}
        return found

    def rows(self) -> list[Mapping[str, Any]]:
        """Every trial, for a table."""
        return [
            {
                "number": trial.number,
                "state": trial.state.name.lower(),
                "figures": self._named(trial.values) if trial.values else {},
                "values": dict(trial.user_attrs.get("values") or trial.params),
                "accuracy": self._accuracy.known.get(trial.user_attrs.get(CHOICE)),
                "violation": self._violation(trial),
                "experiments": list(trial.user_attrs.get("experiments") or ()),
                "why": trial.user_attrs.get(WHY, ""),
            }
            for trial in self._trials()
        ]

    def _violation(self, trial: Any) -> float | None:
        """How far the accuracy of a trial is below what is kept; None if it was not measured."""
        return self._accuracy.violation(trial.user_attrs.get(CHOICE, ""))

    def _trials(self) -> list[Any]:
        """All trials but those that were not carried out: waiting and repeated ones, and those of a killed process."""
        state = self._optuna.trial.TrialState
        every = self._study.get_trials(deepcopy=False)
        return [trial for trial in every if trial.state not in (state.WAITING, state.FAIL) or WHY in trial.user_attrs]

    def _ended(self, *states: str) -> list[Any]:
        wanted = tuple(self._optuna.trial.TrialState[name] for name in states)
        return list(self._study.get_trials(deepcopy=False, states=wanted))

    def _named(self, figures: Sequence[float]) -> dict[str, float]:
        return {goal.name: float(figure) for goal, figure in zip(self._goals, figures, strict=True)}

    def _merits(self, row: Candidate) -> tuple[float, ...]:
        return tuple(goal.merit(row.figures[goal.name]) for goal in self._goals)


def read_trials(folder: Path, meta: Mapping[str, Any], goals: Sequence[Goal]) -> Trials | None:
    """The trials of a campaign, which may be in progress and is not changed.

    Parameters
    ----------
    folder, meta
        The campaign's entry.
    goals
        Its goals.

    Returns
    -------
    Trials or None
        None if there is no study yet.

    Raises
    ------
    CKError
        If Optuna is not installed.
    """
    if not (folder / NAME).is_file():
        return None
    optuna = optional("optuna", "tune")
    name = study_name(goals, str(meta.get("conditions", "")))
    try:
        return Trials(optuna.load_study(study_name=name, storage=storage(folder)), goals, read_accuracy(meta))
    except KeyError:  # no study of this name
        return None


def storage(folder: Path) -> Any:
    """Optuna's storage in a campaign's folder."""
    journal = optional("optuna.storages.journal", "tune")
    path = str(folder / NAME)
    backend = journal.JournalFileBackend(path, lock_obj=journal.JournalFileOpenLock(path))
    return optional("optuna.storages", "tune").JournalStorage(backend)


def study_name(goals: Sequence[Goal], conditions: str) -> str:
    """The name of a study in the storage.

    Parameters
    ----------
    conditions
        Digest of the search space, and of what its trials were measured with. Optuna refuses other values of a setting in the
        same study, and figures of other software are not comparable.
    """
    return f"{','.join(goal.name for goal in goals)} {conditions}"
