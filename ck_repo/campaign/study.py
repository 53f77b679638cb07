"""The study of a search, in Optuna's storage in the campaign's folder."""

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
_STARTUP = 6  # number of trials before sampler and pruner are used
_VIOLATION = "violation"  # how much accuracy is below the limit; positive values violate it


@dataclass(frozen=True)
class Best:
    """The best trial within the accuracy limit."""

    number: int
    values: dict[str, Any]
    figure: float


class Study:
    """An Optuna study; one process at a time opens it.

    Parameters
    ----------
    folder
        The campaign's folder. An existing study is continued: trials that a killed process left running are repeated.
    """

    def __init__(self, folder: Path, goal: Goal, space: Space, seed: int) -> None:
        self._optuna = optional("optuna", "tune")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        storages = optional("optuna.storages", "tune")
        journal = optional("optuna.storages.journal", "tune")
        path = str(folder / NAME)
        with suppress(FileNotFoundError):  # left by a process that was killed while writing
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
        """How the sampler gets the constraints: Optuna 4 calls a function, later versions read the trial."""
        return {} if hasattr(self._optuna.trial.Trial, "set_constraint") else {"constraints_func": _violations}

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Try these values next, once, by the names that `Space.suggest` uses."""
        self._study.enqueue_trial(dict(values), skip_if_exists=True)

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Start a trial; return it and its values."""
        trial = self._study.ask()
        return trial, self._space.suggest(trial.suggest_categorical)

    def is_hopeless(self, trial: Any, figure: float) -> bool:
        """Whether a short run was too slow to justify a longer one."""
        trial.report(figure, 0)
        return bool(trial.should_prune())

    def pruned(self, trial: Any) -> None:
        """Stop the trial after its short run."""
        self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)

    def failed(self, trial: Any, why: str) -> None:
        """Mark the trial's run as failed."""
        trial.set_user_attr("why", why)
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def finished(self, trial: Any, figure: float, experiment: str, values: Mapping[str, Any], violation: float | None) -> None:
        """Record the trial's value.

        Parameters
        ----------
        violation
            None if its accuracy was not measured because it was slower than another.
        """
        trial.set_user_attr("experiment", experiment)
        trial.set_user_attr("values", dict(values))
        trial.set_user_attr(_VIOLATION, violation)
        if hasattr(trial, "set_constraint"):
            trial.set_constraint("accuracy", violation or 0.0)
        self._study.tell(trial, figure)

    @property
    def done(self) -> int:
        """The number of finished trials, including failed ones."""
        return len([trial for trial in self._study.trials if trial.state.is_finished()])

    def best(self) -> Best | None:
        """The best trial within the accuracy limit."""
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
    """The constraints for Optuna: positive values are not allowed."""
    return (float(trial.user_attrs.get(_VIOLATION) or 0.0),)
