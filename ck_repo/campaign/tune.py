"""Search the best settings: trials by Optuna, accuracy kept, the winner of each goal confirmed against the default choice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ck_repo import progress
from ck_repo.campaign.accuracy import Accuracy, choice_key, minimum_of
from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.conditions import conditions_of
from ck_repo.campaign.confirm import Verdict, confirm
from ck_repo.campaign.goal import GOALS, Goal, Keep
from ck_repo.campaign.matrix import Cell, cell_of
from ck_repo.campaign.measure import Measure
from ck_repo.campaign.planning import ENDS_ALL, install_all, plan_cells
from ck_repo.campaign.settling import Settling
from ck_repo.campaign.space import Space
from ck_repo.campaign.study import Study
from ck_repo.campaign.tuned import settings_of
from ck_repo.campaign.verdict_lines import settings_text
from ck_repo.errors import CKError, RunError
from ck_repo.run.options import DEFAULT_SECONDS, MEASURED, RunOptions
from ck_repo.run.prepare import prepare
from ck_repo.session import Session
from ck_repo.store.digest import of_value
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
        The default choice: the first value of each option that is searched, other than the layout and options of backends.
    reference
        The options in which the run whose accuracy is kept differs from the default choice.
    """

    def __init__(
        self,
        session: Session,
        program: Entry,
        campaign: Campaign,
        goals: Sequence[Goal],
        space: Space,
        first: Mapping[str, Any],
        reference: Mapping[str, Any],
        settling: Settling,
    ) -> None:
        self._session, self._program, self._campaign = session, program, campaign
        self._goals, self._space, self._first = tuple(goals), space, first
        self._fixed = campaign.definition.matrix.fixed
        self._measure = Measure(session, program, {"uid": campaign.entry.uid, "alias": campaign.entry.alias}, settling)
        default = self._cell(self._goals[0], first).options
        self._seconds, self._reference = default.seconds or DEFAULT_SECONDS, default.with_values(reference)
        self._conditions, self._accuracy = "", Accuracy()

    def run(self, search: Search) -> tuple[Study, dict[str, Verdict]]:
        """Search, and confirm what was found; a verdict for each goal that is a speed.

        Raises
        ------
        RunError
            If the default choice cannot be measured, or no trial has a figure and keeps the accuracy.
        """
        with self._campaign.running():
            self._conditions = self._install()
            self._accuracy = self._read_accuracy(search.keep)
            layouts = self._default_layouts()
            for layout in layouts:
                self._space = self._space.with_layout(layout)
            seed = int(self._campaign.definition.digest[:8], 16)
            study = Study(self._campaign.entry.path, self._goals, self._space, seed, self._conditions, self._accuracy)
            self._measure_accuracies(study)
            if not study.done:
                for layout in layouts:
                    study.enqueue(self._space.default_point(layout))
            self._try_all(study, search)
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
        return cell_of({**self._space.fixed_for(values, self._fixed), "scenario": goal.scenario}, own)

    def _install(self) -> str:
        """Install the needs of the searched models and backends before measuring; the digest of what is measured with.

        Figures, trials and confirmations of other conditions are not used.
        """
        cells = [self._cell(self._goals[0], values) for values in self._space.choices()]
        planned = install_all(self._session, self._program, plan_cells(self._session, self._program, cells))
        conditions = [conditions_of(row.plan) if row.plan else None for row in planned]
        return of_value([self._campaign.definition.machine, self._space.as_data(), conditions])[:16]

    def _read_accuracy(self, keep: Sequence[Keep]) -> Accuracy:
        """The accuracy that was measured under the same conditions, and the minimum that follows from the reference."""
        entry = self._campaign.entry
        known = (entry.meta().get("accuracy") or {}).get(self._conditions) or {}
        self._accuracy = Accuracy(known=dict(known))
        minimum = minimum_of(keep, self._accuracy_of(self._reference))
        update_entry(entry, {"conditions": self._conditions, "minimum": [list(row) for row in minimum.items()]})
        return replace(self._accuracy, minimum=minimum)

    def _measure_accuracies(self, study: Study) -> None:
        """Measure the accuracy of earlier trials that matter with today's --keep."""
        asked: list[Mapping[str, Any]] = []
        while (values := study.unmeasured()) is not None and values not in asked:
            asked.append(values)
            options = self._cell(self._goals[0], values).options
            try:
                self._accuracy_of(options)
            except ENDS_ALL:
                raise
            except CKError as error:
                progress.warn(f"the accuracy of {settings_text(values)} cannot be measured: {error.what}")
                self._accuracy.known[self._choice(options)] = {}  # which keeps nothing; the next search tries again

    def _default_layouts(self) -> list[dict[str, int]]:
        """What the harness measures as the best layout of the default choice, for each goal that is a speed; measured once.

        Only what the search chooses: not what the user fixed, or wants searched with other values.
        """
        known: dict[str, dict[str, int]] = (self._campaign.entry.meta().get("layouts") or {}).get(self._conditions) or {}
        found: list[dict[str, int]] = []
        for goal in self._goals:
            names = [name for name in goal.layout if name in self._space.common and name not in self._first]
            if names and goal.name not in known:
                base = self._cell(goal, self._first).options
                results = self._measure.figure(goal, base, self._short).record.results
                known[goal.name] = {name: value for name in names if (value := getattr(results, name))}
                update_entry(self._campaign.entry, {"layouts": {self._conditions: known}})
            if goal.is_speed:  # what a goal does not depend on is that of the goal before
                found.append({**(found[-1] if found else {}), **known.get(goal.name, {})})
        return found

    @property
    def _short(self) -> float:
        return max(self._seconds / _SHORT, _MINIMUM)

    def _try_all(self, study: Study, search: Search) -> None:
        began = time.monotonic()
        with progress.task("trials", search.trials, "trials") as task:
            while study.done < search.trials:
                if study.exhausted:
                    progress.say(f"every combination was tried: {study.done}")
                    return
                if search.total is not None and time.monotonic() - began > search.total:
                    progress.say(f"the time for trials is over after {study.done}; the same command continues")
                    return
                self._try(study)
                best = next(iter(study.front()), None)
                note = f"best {self._shown([best.figures[goal.name] for goal in self._goals])}" if best else ""
                task.advance_to(study.done, note=note)

    def _try(self, study: Study) -> None:
        """One trial: short runs, longer ones if those were promising, accuracy if no other trial is better."""
        trial, values = study.ask()
        settings = settings_text(values)
        try:
            choice = self._cell(self._goals[0], values).options
            figures, experiments = self._short_runs(values)
            if figures and study.is_hopeless(trial, figures):
                study.pruned(trial)
                progress.say(f"trial {trial.number}: {settings}: {self._shown(figures)}, stopped early")
                return
            if not figures or self._seconds > self._short:
                figures, experiments = self._long_runs(values)
            if not study.surpassed(figures):
                self._accuracy_of(choice)
        except ENDS_ALL:
            raise
        except CKError as error:
            progress.warn(f"trial {trial.number}: {settings}: {error.what}")
            study.failed(trial, error.what)
            return
        key = self._choice(choice)
        study.finished(trial, figures, experiments, values, key)
        lost = ", too inaccurate" if (self._accuracy.violation(key) or 0.0) > 0 else ""
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

    def _choice(self, options: RunOptions) -> str:
        """The key of what the accuracy of a run depends on."""
        return choice_key(self._space.without_defaults(options))

    def _accuracy_of(self, options: RunOptions) -> dict[str, float]:
        """The accuracy of a choice. The layout does not affect it, so it is measured once for all layouts."""
        key = self._choice(options)
        known = self._accuracy.known
        if key not in known:
            default = RunOptions()
            known[key] = self._measure.accuracy(replace(options, **{name: getattr(default, name) for name in MEASURED}))
            update_entry(self._campaign.entry, {"accuracy": {self._conditions: {key: known[key]}}})
        return known[key]

    def _confirm(self, study: Study, pairs: int) -> dict[str, Verdict]:
        """Confirm the fastest trial that keeps the accuracy, for each goal that is a speed."""
        rows = [row for row in study.front() if row.keeps_accuracy]
        if not rows:
            raise self._nothing(study)
        verdicts = {}
        for goal in self._goals:
            if not goal.is_speed:
                continue
            best = max(rows, key=lambda row, goal=goal: goal.merit(row.figures[goal.name]))  # type: ignore[misc]
            default, winner = self._cell(goal, self._first), self._cell(goal, best.values)
            verdicts[goal.name] = confirm(
                self._measure,
                self._campaign,
                goal,
                default,
                winner,
                self._conditions,
                pairs=pairs,
                seconds=self._seconds,
            )
        return verdicts

    def _nothing(self, study: Study) -> RunError:
        """Why there is nothing to confirm: no trial has ended, none has a figure, or none is accurate enough."""
        rows = [row for row in study.rows() if row["state"] != "running"]
        complete = [row for row in rows if row["state"] == "complete"]
        ended = ", ".join(f"{number} {state}" for state, number in Counter(row["state"] for row in rows).items())
        if not rows:
            return RunError(
                "the time for trials was over before one had ended",
                hint="the same command continues, with a longer --time_limit=",
            )
        if not complete:
            why = next((row["why"] for row in rows if row["why"]), "")
            failed = f"; the first that failed: {why}" if why else ""
            return RunError(
                f"no trial has a figure: {ended}{failed}",
                hint="the same command continues, with more --trials= or a longer --time_limit=",
            )
        minimum = ", ".join(f"{metric} {value:.4g}" for metric, value in self._accuracy.minimum.items())
        best = max(complete, key=lambda row: -(row["violation"] or 0.0))["accuracy"] or {}
        reached = ", ".join(f"{metric} {best[metric]:.4g}" for metric in self._accuracy.minimum if metric in best)
        reference = self._reference.model or "the default choice"
        return RunError(
            f"no trial keeps the accuracy: the minimum is {minimum}, relative to {reference}, "
            f"and the most accurate of {len(complete)} has {reached}",
            hint="the same command continues with more --trials=, and with --keep.mAP=-5% allows a larger loss",
        )

    def _keep(self, study: Study, verdicts: Mapping[str, Verdict]) -> None:
        """Keep the settings for `ck run --tuned` on this machine."""
        kept = {
            "verdicts": {name: verdict.as_data() for name, verdict in verdicts.items()},
            "settings": {name: self._settings(GOALS[name], verdict) for name, verdict in verdicts.items()},
            "front": [vars(row) for row in study.front()],
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "trials": dict(Counter(row["state"] for row in study.rows())),
        }
        update_entry(self._campaign.entry, dict.fromkeys(("verdicts", "settings", "trials")))  # else they would be merged
        update_entry(self._campaign.entry, kept)

    def _settings(self, goal: Goal, verdict: Verdict) -> dict[str, object]:
        """What a run uses: the settings of the winner if it is faster, otherwise the default choice; with their conditions."""
        cell = self._cell(goal, verdict.values if verdict.beats else self._first)
        plan = prepare(self._session, self._program, cell.options)
        return {"options": settings_of(cell, plan), "conditions": conditions_of(plan)}
