"""The study of a search, in Optuna's own storage in the campaign's folder."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ck_repo.campaign.goal import Goal
from ck_repo.campaign.optional import optional
from ck_repo.campaign.pareto import front
from ck_repo.campaign.space import Space

NAME = "study.log"
_STARTUP = 6  # trials before the sampler and the pruner judge
_VIOLATION = "violation"  # how far accuracy is below what is kept; positive is too far
_SHORT = "short"  # the figures of the short runs, in the order of the goals
_LEAST_FOR_IMPORTANCE = 4  # trials
_SMALL = 20_000  # combinations of a space in which none is tried twice
_WHY = "why"  # why a trial failed


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
    values: dict[str, Any]
    figures: dict[str, float]
    keeps_accuracy: bool = True


class Study:
    """A study of Optuna's, as a search uses it; one process at a time opens it.

    Parameters
    ----------
    folder
        The campaign's. A study that is there is continued: trials that a killed process left running are made again.
    goals
        With two, Optuna searches the front of both.
    """

    def __init__(self, folder: Path, goals: Sequence[Goal], space: Space, seed: int) -> None:
        self._optuna = optional("optuna", "tune")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        storages = optional("optuna.storages", "tune")
        journal = optional("optuna.storages.journal", "tune")
        path = str(folder / NAME)
        with suppress(FileNotFoundError):  # of a process that was killed while it wrote
            Path(f"{path}.lock").unlink()
        lock = journal.JournalFileOpenLock(path)
        self._space, self._goals = space, tuple(goals)
        self._seed = seed
        self._bounded = all(goal.is_speed for goal in goals)
        self._study = self._optuna.create_study(
            storage=storages.JournalStorage(journal.JournalFileBackend(path, lock_obj=lock)),
            study_name=",".join(goal.name for goal in goals),
            directions=["minimize" if goal.lower_is_better else "maximize" for goal in goals],
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
        if not self._bounded or hasattr(self._optuna.trial.Trial, "set_constraint"):
            return {}
        return {"constraints_func": _violations}

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Try these values next, by the names that `Space.suggest` chooses by; once."""
        self._study.enqueue_trial(dict(values), skip_if_exists=True)

    def ask(self) -> tuple[Any, dict[str, Any]]:
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

    def _trials(self) -> list[Any]:
        """All trials but those that were not carried out: repeated combinations, and trials of a process that was killed."""
        failed = self._optuna.trial.TrialState.FAIL
        every = self._study.get_trials(deepcopy=False)
        return [trial for trial in every if trial.state != failed or _WHY in trial.user_attrs]

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
        trial.set_user_attr(_WHY, why)
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def finished(
        self,
        trial: Any,
        figures: Sequence[float],
        experiments: Sequence[str],
        values: Mapping[str, Any],
        violation: float | None,
    ) -> None:
        """The trial has its figures.

        Parameters
        ----------
        figures
            In the order of the goals.
        experiments
            UIDs of its runs.
        violation
            None if its accuracy was not measured, as another trial was better.
        """
        trial.set_user_attr("experiments", list(experiments))
        trial.set_user_attr("values", dict(values))
        trial.set_user_attr(_VIOLATION, violation)
        if self._bounded and hasattr(trial, "set_constraint"):
            trial.set_constraint("accuracy", violation or 0.0)
        self._study.tell(trial, list(figures))

    @property
    def done(self) -> int:
        """How many trials have ended, failed ones among them."""
        return len([trial for trial in self._trials() if trial.state.is_finished()])

    def front(self) -> list[Candidate]:
        """The trials that no other surpasses, the best of the first goal first.

        Trials whose accuracy is too low do not count, unless accuracy is a goal itself. Of trials with equal figures the first
        counts. The front of a single goal is the best trial.
        """
        found: dict[tuple[float, ...], Candidate] = {}
        for trial in self._ended("COMPLETE"):
            violation = trial.user_attrs.get(_VIOLATION)
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

    def importance(self) -> dict[str, dict[str, float]]:
        """How much of each goal's variation is due to each setting, 0-1, by goal; empty with too few trials.

        Optuna's evaluator PED-ANOVA; of settings that not every completed trial has it says nothing.
        """
        done = self._ended("COMPLETE")
        if len(done) < _LEAST_FOR_IMPORTANCE or not any(len(row.params) for row in done):
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

    def rows(self) -> list[dict[str, Any]]:
        """Every trial, for a table."""
        return [
            {
                "number": trial.number,
                "state": trial.state.name.lower(),
                "figures": self._named(trial.values) if trial.values else {},
                "values": dict(trial.user_attrs.get("values") or trial.params),
                "violation": trial.user_attrs.get(_VIOLATION),
                "experiments": list(trial.user_attrs.get("experiments") or ()),
                "why": trial.user_attrs.get(_WHY, ""),
            }
            for trial in self._trials()
        ]

    def _ended(self, *states: str) -> list[Any]:
        wanted = tuple(self._optuna.trial.TrialState[name] for name in states)
        return list(self._study.get_trials(deepcopy=False, states=wanted))

    def _named(self, figures: Sequence[float]) -> dict[str, float]:
        return {goal.name: float(figure) for goal, figure in zip(self._goals, figures, strict=True)}

    def _merits(self, row: Candidate) -> tuple[float, ...]:
        return tuple(goal.merit(row.figures[goal.name]) for goal in self._goals)


def _violations(trial: Any) -> tuple[float]:
    """For Optuna: what is above 0 is not allowed."""
    return (float(trial.user_attrs.get(_VIOLATION) or 0.0),)
