"""The study of a search, in Optuna's own storage in the campaign's folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo.campaign.goal import Goal
from ck_repo.campaign.optional import optional
from ck_repo.campaign.space import Space

NAME = "study.log"
_STARTUP = 6  # trials before the sampler and the pruner judge
_VIOLATION = "violation"  # how far accuracy is below what is kept; positive is too far


@dataclass(frozen=True)
class Best:
    """The best trial whose accuracy is kept."""

    number: int
    values: dict[str, Any]
    figure: float


class Study:
    """A study of Optuna's, as a search uses it; one process at a time opens it.

    Parameters
    ----------
    folder
        The campaign's. A study that is there is continued: trials that a killed process left running are made again.
    """

    def __init__(self, folder: Path, goal: Goal, space: Space, seed: int) -> None:
        self._optuna = optional("optuna", "tune")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        storages = optional("optuna.storages", "tune")
        journal = optional("optuna.storages.journal", "tune")
        path = str(folder / NAME)
        with suppress(FileNotFoundError):  # of a process that was killed while it wrote
            Path(f"{path}.lock").unlink()
        lock = journal.JournalFileOpenLock(path)
        self._space = space
        self._goal = goal
        self._study = self._optuna.create_study(
            storage=storages.JournalStorage(journal.JournalFileBackend(path, lock_obj=lock)),
            study_name=goal.name,
            direction="minimize" if goal.lower_is_better else "maximize",
            sampler=self._optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP, **self._constraints()),
            pruner=self._optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=0),
            load_if_exists=True,
        )
        state = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(state.RUNNING,)):
            self._study.tell(trial.number, state=state.FAIL)
            self._study.enqueue_trial(trial.params)

    def _constraints(self) -> dict[str, Any]:
        """How the sampler is told of accuracy: Optuna 4 asks a function, later ones take it from the trial."""
        return {} if hasattr(self._optuna.trial.Trial, "set_constraint") else {"constraints_func": _violations}

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Try these values next, by the names that `Space.suggest` chooses by; once."""
        self._study.enqueue_trial(dict(values), skip_if_exists=True)

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """A trial and its values."""
        trial = self._study.ask()
        return trial, self._space.suggest(trial.suggest_categorical)

    def is_hopeless(self, trial: Any, figure: float) -> bool:
        """Whether a short run was so slow that a longer one is not worth its time."""
        trial.report(figure, 0)
        return bool(trial.should_prune())

    def pruned(self, trial: Any) -> None:
        """The trial was stopped after its short run."""
        self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)

    def failed(self, trial: Any, why: str) -> None:
        """The trial's run failed."""
        trial.set_user_attr("why", why)
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def finished(self, trial: Any, figure: float, experiment: str, values: Mapping[str, Any], violation: float | None) -> None:
        """The trial has a figure.

        Parameters
        ----------
        violation
            None if its accuracy was not measured, as it was slower than another.
        """
        trial.set_user_attr("experiment", experiment)
        trial.set_user_attr("values", dict(values))
        trial.set_user_attr(_VIOLATION, violation)
        if hasattr(trial, "set_constraint"):
            trial.set_constraint("accuracy", violation or 0.0)
        self._study.tell(trial, figure)

    @property
    def done(self) -> int:
        """How many trials have ended, failed ones among them."""
        return len([trial for trial in self._study.trials if trial.state.is_finished()])

    def best(self) -> Best | None:
        """The best trial whose accuracy is within what is kept."""
        found = None
        for trial in self._study.get_trials(deepcopy=False, states=(self._optuna.trial.TrialState.COMPLETE,)):
            violation = trial.user_attrs.get(_VIOLATION)
            if violation is not None and violation <= 0 and (found is None or self._goal.better(trial.value, found.figure)):
                found = Best(trial.number, dict(trial.user_attrs["values"]), float(trial.value))
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Every trial, for a table."""
        return [
            {
                "number": trial.number,
                "state": trial.state.name.lower(),
                "figure": trial.value,
                "values": dict(trial.user_attrs.get("values") or trial.params),
                "violation": trial.user_attrs.get(_VIOLATION),
                "experiment": trial.user_attrs.get("experiment", ""),
                "why": trial.user_attrs.get("why", ""),
            }
            for trial in self._study.get_trials(deepcopy=False)
        ]


def _violations(trial: Any) -> tuple[float]:
    """For Optuna: what is above 0 is not allowed."""
    return (float(trial.user_attrs.get(_VIOLATION) or 0.0),)
