"""Search the best settings: trials by Optuna, accuracy kept, the winner of each goal confirmed against the default choice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.confirm import Verdict, confirm
from ck_repo.campaign.goal import Goal, Keep
from ck_repo.campaign.matrix import Cell, cell_of
from ck_repo.campaign.measure import Measure
from ck_repo.campaign.planning import ENDS_ALL, install_all, plan_cells
from ck_repo.campaign.settling import Settling
from ck_repo.campaign.space import Space
from ck_repo.campaign.study import Study
from ck_repo.errors import CKError, RunError
from ck_repo.machine.platform import same_machine
from ck_repo.run.options import DEFAULT_SECONDS, MEASURED, RunOptions
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.writing import update_entry

_SHORT = 3  # how many times shorter the run is after which a slow trial is stopped
_MINIMUM = 1.0  # s of such a run


@dataclass(frozen=True)
class Search:
    """The limits of a search.

    Attributes
    ----------
    trials
        Total number of trials, including those of earlier calls.
    repetitions
        Pairs of runs, of the best settings and of the default choice, for confirmation.
    total
        Seconds for the trials; None for no limit.
    """

    trials: int
    repetitions: int
    keep: tuple[Keep, ...]
    total: float | None = None


class Tuning:
    """A search that is carried out.

    Parameters
    ----------
    first
        The first value of each option that the user wants searched: the default choice.
    """

    def __init__(
        self,
        session: Session,
        program: Entry,
        campaign: Campaign,
        goals: Sequence[Goal],
        space: Space,
        first: Mapping[str, Any],
        settling: Settling,
    ) -> None:
        self._session, self._program, self._campaign = session, program, campaign
        self._goals, self._space, self._first = tuple(goals), space, first
        self._fixed = campaign.definition.matrix.fixed
        self._measure = Measure(session, program, {"uid": campaign.entry.uid, "alias": campaign.entry.alias}, settling)
        self._accuracy: dict[str, dict[str, float]] = dict(campaign.entry.meta().get("accuracy") or {})
        self._seconds = self._cell(self._goals[0], first).options.seconds or DEFAULT_SECONDS

    def run(self, search: Search) -> tuple[Study, dict[str, Verdict]]:
        """Search, and confirm what was found; a verdict for each goal that is a speed.

        Raises
        ------
        RunError
            If the default choice cannot be measured, or no trial has a figure and keeps the accuracy.
        """
        with self._campaign.running():
            self._install()
            reference = self._accuracy_of(self._cell(self._goals[0], self._first).options)
            bounds = [(keep.figure, keep.bound(float(reference[keep.figure]))) for keep in search.keep]
            seed = int(self._campaign.definition.digest[:8], 16)
            study = Study(self._campaign.entry.path, self._goals, self._space, seed)
            if not study.done:
                self._enqueue_default(study)
            self._try_all(study, search, bounds)
            verdicts = self._confirm(study, search.repetitions)
            self._keep(study, verdicts)
        return study, verdicts

    def _cell(self, goal: Goal, values: Mapping[str, Any]) -> Cell:
        """The options that measure a goal: of the layout only what the goal depends on, or what the user wants searched."""
        own = {
            name: value
            for name, value in values.items()
            if name not in MEASURED or name in goal.layout or name in self._first or not goal.is_speed
        }
        return cell_of({**self._fixed, "scenario": goal.scenario}, own)

    def _install(self) -> None:
        """Install the needs of the searched models and backends before measuring."""
        axes = {name: rows for name, rows in self._space.common.items() if name not in MEASURED}
        matrix = replace(self._campaign.definition.matrix, axes=axes, exclude=())
        install_all(self._session, self._program, plan_cells(self._session, self._program, matrix.cells()))

    def _enqueue_default(self, study: Study) -> None:
        """Begin with the layout that the harness measures as the best for each goal."""
        for goal in self._goals:
            if not goal.layout:
                continue
            base = self._cell(goal, self._first).options
            results = self._measure.figure(goal, base, self._short).record.results
            values = {**{name: getattr(results, name) for name in goal.layout}, **base.as_data()}
            study.enqueue({name: values.get(name) for name, rows in self._space.common.items() if values.get(name) in rows})

    @property
    def _short(self) -> float:
        return max(self._seconds / _SHORT, _MINIMUM)

    def _try_all(self, study: Study, search: Search, bounds: Sequence[tuple[str, float]]) -> None:
        began = time.monotonic()
        with progress.task("trials", search.trials, "trials") as task:
            while study.done < search.trials:
                if study.exhausted:
                    progress.say(f"every combination was tried: {study.done}")
                    return
                if search.total is not None and time.monotonic() - began > search.total:
                    progress.say(f"the time for trials is over after {study.done}; the same command continues")
                    return
                self._try(study, bounds)
                best = next(iter(study.front()), None)
                note = f"best {self._shown([best.figures[goal.name] for goal in self._goals])}" if best else ""
                task.advance_to(study.done, note=note)

    def _try(self, study: Study, bounds: Sequence[tuple[str, float]]) -> None:
        """One trial: short runs, longer ones if those were promising, accuracy if no other trial is better."""
        trial, values = study.ask()
        settings = ", ".join(f"{name.removeprefix('backend_options.')} {value}" for name, value in values.items())
        try:
            figures, experiments = self._short_runs(values)
            if figures and study.is_hopeless(trial, figures):
                study.pruned(trial)
                progress.say(f"trial {trial.number}: {settings}: {self._shown(figures)}, stopped early")
                return
            if not figures or self._seconds > self._short:
                figures, experiments = self._long_runs(values)
            violation = None
            if not study.surpassed(figures):
                accuracy = self._accuracy_of(self._cell(self._goals[0], values).options)
                violation = max((bound - float(accuracy[figure]) for figure, bound in bounds), default=0.0)
        except ENDS_ALL:
            raise
        except CKError as error:
            progress.warn(f"trial {trial.number}: {settings}: {error.what}")
            study.failed(trial, error.what)
            return
        study.finished(trial, figures, experiments, values, violation)
        lost = ", too inaccurate" if violation is not None and violation > 0 else ""
        progress.say(f"trial {trial.number}: {settings}: {self._shown(figures)}{lost}")

    def _short_runs(self, values: Mapping[str, Any]) -> tuple[list[float], list[str]]:
        """Short runs of every goal; none where accuracy is a goal, as a slow trial may be the most accurate one."""
        if not all(goal.is_speed for goal in self._goals):
            return [], []
        found = [self._measure.figure(goal, self._cell(goal, values).options, self._short) for goal in self._goals]
        return [row.figure for row in found], [row.record.experiment.uid for row in found]

    def _long_runs(self, values: Mapping[str, Any]) -> tuple[list[float], list[str]]:
        """Runs of the whole duration, in the order of the goals."""
        figures, experiments = [], []
        for goal in self._goals:
            options = self._cell(goal, values).options
            if goal.is_speed:
                found = self._measure.figure(goal, options, self._seconds)
                figures.append(found.figure)
                experiments.append(found.record.experiment.uid)
            else:
                figures.append(float(self._accuracy_of(options)["mAP"]))
        return figures, experiments

    def _shown(self, figures: Sequence[float]) -> str:
        return ", ".join(f"{figure:.5g} {goal.unit}" for figure, goal in zip(figures, self._goals, strict=True))

    def _accuracy_of(self, options: RunOptions) -> dict[str, float]:
        """The accuracy of a choice. The layout does not affect it, so it is measured once for all layouts."""
        default = RunOptions()
        plain = replace(options, **{name: getattr(default, name) for name in MEASURED})
        key = cell_of({}, {name: value for name, value in plain.as_data().items() if name not in ("scenario", "seconds")}).key
        if key not in self._accuracy:
            self._accuracy[key] = self._measure.accuracy(plain)
            update_entry(self._campaign.entry, {"accuracy": {key: self._accuracy[key]}})
        return self._accuracy[key]

    def _confirm(self, study: Study, pairs: int) -> dict[str, Verdict]:
        """Confirm the fastest trial that keeps the accuracy, for each goal that is a speed."""
        rows = [row for row in study.front() if row.keeps_accuracy]
        if not rows:
            raise RunError(
                "no trial has a value within the accuracy limit",
                hint="use the same command with more --trials= to continue; --keep.mAP=-2% allows a larger loss",
            )
        verdicts = {}
        for goal in self._goals:
            if not goal.is_speed:
                continue
            best = max(rows, key=lambda row, goal=goal: goal.merit(row.figures[goal.name]))  # type: ignore[misc]
            default, winner = self._cell(goal, self._first), self._cell(goal, best.values)
            verdicts[goal.name] = confirm(
                self._measure, self._campaign, goal, default, winner, pairs=pairs, seconds=self._seconds
            )
        return verdicts

    def _keep(self, study: Study, verdicts: Mapping[str, Verdict]) -> None:
        """Keep the settings for `ck run --tuned` on this machine."""
        update_entry(self._campaign.entry, {"verdicts": None})  # an object would be merged with the old one
        kept = {
            "verdicts": {name: verdict.as_data() for name, verdict in verdicts.items()},
            "front": [vars(row) for row in study.front()],
            "machine": same_machine(),
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "trials": dict(Counter(row["state"] for row in study.rows())),
        }
        update_entry(self._campaign.entry, kept)
