"""A search by Optuna, whose study is in the campaign's folder."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from ck_repo.campaign.accuracy import Accuracy
from ck_repo.campaign.goal import Goal
from ck_repo.campaign.optional import optional
from ck_repo.campaign.space import Space
from ck_repo.campaign.trials import CHOICE, NAME, WHY, Trials, storage, study_name

_STARTUP = 6  # trials before the sampler and the pruner judge
_SHORT = "short"  # the figures of the short runs, in the order of the goals
_SMALL = 20_000  # combinations of a space in which none is tried twice


class Study(Trials):
    """A study of Optuna's, as a search uses it; one process at a time opens it.

    Parameters
    ----------
    folder
        The campaign's. An existing study is continued: trials that a killed process left running are repeated.
    goals
        With two, Optuna searches the front of both.
    conditions
        Digest of the space and of what trials are measured with; other conditions are another study.
    accuracy
        What is known of the accuracy of choices; the caller adds to it.
    """

    def __init__(
        self, folder: Path, goals: Sequence[Goal], space: Space, seed: int, conditions: str, accuracy: Accuracy
    ) -> None:
        optuna = optional("optuna", "tune")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with suppress(FileNotFoundError):  # of a process that was killed while it wrote
            (folder / f"{NAME}.lock").unlink()
        constraints = {}
        if all(goal.is_speed for goal in goals) and not hasattr(optuna.trial.Trial, "set_constraint"):  # before Optuna 5
            constraints["constraints_func"] = lambda trial: (self._violation(trial) or 0.0,)
        study = optuna.create_study(
            storage=storage(folder),
            study_name=study_name(goals, conditions),
            directions=["minimize" if goal.lower_is_better else "maximize" for goal in goals],
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP, **constraints),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=0),
            load_if_exists=True,
        )
        super().__init__(study, goals, accuracy)
        self._space, self._seed = space, seed
        state = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(state.RUNNING,)):
            self._study.tell(trial.number, state=state.FAIL)
            self._study.enqueue_trial(trial.params)

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Try these values next, once, by the names that `Space.suggest` uses."""
        self._study.enqueue_trial(dict(values), skip_if_exists=True)

    def ask(self) -> tuple[Any, dict[str, object]]:
        """A trial and its values: a combination that no earlier trial had, as long as there is one.

        Optuna may suggest a combination again. In small spaces that wastes trials, so another one is drawn at random then.
        """
        trial = self._study.ask()
        values = self._space.suggest(trial.suggest_categorical)
        tried = self._tried()
        if self._space.size > _SMALL or frozenset(trial.params.items()) not in tried:
            return trial, values
        left = [point for point in self._space.points() if frozenset(point.items()) not in tried]
        if not left:
            return trial, values
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        self._study.enqueue_trial(Random(f"{self._seed} {trial.number}").choice(left))
        trial = self._study.ask()
        return trial, self._space.suggest(trial.suggest_categorical)

    @property
    def exhausted(self) -> bool:
        """Whether every combination was tried."""
        return len(self._tried()) >= self._space.size

    def _tried(self) -> set[frozenset[tuple[str, Any]]]:
        return {frozenset(trial.params.items()) for trial in self._trials() if trial.state.is_finished()}

    def is_hopeless(self, trial: Any, figures: Sequence[float]) -> bool:
        """Whether short runs were so slow that longer ones are not worth their time.

        Optuna's pruner judges a single goal, and does not support two. Of two goals a trial is hopeless if it is worse than the
        median of the earlier ones in both.

        Parameters
        ----------
        figures
            Of the short runs, in the order of the goals.
        """
        if len(self._goals) == 1:
            trial.report(figures[0], 0)
            return bool(trial.should_prune())
        trial.set_user_attr(_SHORT, list(figures))
        earlier = [row.user_attrs[_SHORT] for row in self._ended("COMPLETE", "PRUNED") if _SHORT in row.user_attrs]
        if len(earlier) < _STARTUP:
            return False
        medians = [statistics.median(rows) for rows in zip(*earlier, strict=True)]
        return all(goal.better(old, new) for goal, old, new in zip(self._goals, medians, figures, strict=True))

    def pruned(self, trial: Any) -> None:
        """The trial was stopped after its short runs."""
        self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)

    def failed(self, trial: Any, why: str) -> None:
        """The trial's run failed."""
        trial.set_user_attr(WHY, why)
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def finished(
        self,
        trial: Any,
        figures: Sequence[float],
        experiments: Sequence[str],
        values: Mapping[str, Any],
        choice: str,
    ) -> None:
        """The trial has its figures.

        Parameters
        ----------
        figures
            In the order of the goals.
        experiments
            UIDs of its runs.
        choice
            The key of what its accuracy depends on. Its accuracy is not measured if another trial is better.
        """
        trial.set_user_attr("experiments", list(experiments))
        trial.set_user_attr("values", dict(values))
        trial.set_user_attr(CHOICE, choice)
        # Optuna's sampler avoids what is above 0. It cannot be changed later, so another --keep does not affect the suggestions
        if self._bounded and hasattr(trial, "set_constraint"):
            trial.set_constraint("accuracy", self._accuracy.violation(choice) or 0.0)
        self._study.tell(trial, list(figures))

    @property
    def done(self) -> int:
        """How many trials have ended, failed ones among them."""
        return len([trial for trial in self._trials() if trial.state.is_finished()])
