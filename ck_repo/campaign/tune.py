"""Search for the best settings: trials with Optuna, an accuracy limit, and confirmation against the default choice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.goal import Goal, Keep
from ck_repo.campaign.journal import RUN, Event
from ck_repo.campaign.matrix import cell_of
from ck_repo.campaign.measure import Measure
from ck_repo.campaign.planning import ENDS_ALL, install_all, plan_cells
from ck_repo.campaign.recorded import same_machine
from ck_repo.campaign.space import Space
from ck_repo.campaign.study import Best, Study
from ck_repo.errors import CKError, RunError
from ck_repo.experiments.interval import geometric_interval
from ck_repo.run.options import DEFAULT_SECONDS, MEASURED, RunOptions
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.writing import update_entry

DEFAULT, WINNER = "default", "winner"
_SHORT = 3  # a slow trial is stopped after a run that is shorter by this factor
_LEAST = 1.0  # s; minimum of such a run


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


@dataclass(frozen=True)
class Verdict:
    """The best settings compared with the default choice.

    Attributes
    ----------
    values
        The best settings.
    ratio
        Their speed relative to the default's: the geometric mean of the pairs.
    interval
        The 95 % confidence interval of the ratio; None for a single pair.
    """

    values: dict[str, Any]
    ratio: float
    interval: tuple[float, float] | None
    default: tuple[float, ...]
    winner: tuple[float, ...]

    @property
    def beats(self) -> bool:
        """Whether the settings are significantly faster: the whole interval is above 1."""
        return self.interval is not None and self.interval[0] > 1

    def as_data(self) -> dict[str, Any]:
        """As JSON, also for the campaign's entry."""
        return {**vars(self), "beats_default": self.beats}


class Tuning:
    """A search."""

    def __init__(
        self, session: Session, program: Entry, campaign: Campaign, goal: Goal, space: Space, first: Mapping[str, Any]
    ) -> None:
        self._session, self._program, self._campaign = session, program, campaign
        self._goal, self._space = goal, space
        self._fixed = {**campaign.definition.matrix.fixed, "scenario": goal.scenario}
        self._base = cell_of(self._fixed, first).options
        names = {"uid": campaign.entry.uid, "alias": campaign.entry.alias}
        self._measure = Measure(session, program, names, goal)
        self._accuracy: dict[str, dict[str, float]] = dict(campaign.entry.meta().get("accuracy") or {})
        self._seconds = self._base.seconds or DEFAULT_SECONDS

    def run(self, search: Search) -> tuple[Study, Verdict | None]:
        """Search, and confirm the result.

        Raises
        ------
        RunError
            If the default choice cannot be measured.
        """
        with self._campaign.running():
            self._install()
            reference = self._accuracy_of(self._base)
            seed = int(self._campaign.definition.digest[:8], 16)
            study = Study(self._campaign.entry.path, self._goal, self._space, seed)
            if not study.done:
                self._enqueue_default(study)
            bounds = [(keep.figure, keep.bound(float(reference[keep.figure]))) for keep in search.keep]
            self._try_all(study, search, bounds)
            best = study.best()
            verdict = self._confirm(best, search.repetitions) if best else None
            self._keep(study, verdict)
        return study, verdict

    def _install(self) -> None:
        """Install the needs of the searched models and backends before measuring."""
        axes = {name: rows for name, rows in self._space.common.items() if name not in MEASURED}
        matrix = replace(self._campaign.definition.matrix, fixed={**self._fixed}, axes=axes, exclude=())
        install_all(self._session, self._program, plan_cells(self._session, self._program, matrix.cells()))

    def _enqueue_default(self, study: Study) -> None:
        """Start with the layout that the harness selects."""
        results = self._measure.figure(self._base, max(self._seconds / _SHORT, _LEAST)).record.results
        values = {**{name: getattr(results, name) for name in MEASURED}, **self._base.as_data()}
        known = {name: values.get(name) for name, rows in self._space.common.items() if values.get(name) in rows}
        study.enqueue(known)

    def _try_all(self, study: Study, search: Search, bounds: Sequence[tuple[str, float]]) -> None:
        begun = time.monotonic()
        with progress.task("trials", search.trials, "trials") as task:
            while study.done < search.trials:
                if search.total is not None and time.monotonic() - begun > search.total:
                    progress.say(f"the time for trials is over after {study.done}; the same command continues")
                    return
                self._try(study, bounds)
                best = study.best()
                task.advance_to(study.done, note=f"best {best.figure:.5g} {self._goal.unit}" if best else "")

    def _try(self, study: Study, bounds: Sequence[tuple[str, float]]) -> None:
        """Run one trial: a short run, a longer one if that was promising, accuracy if it is the best so far."""
        trial, values = study.ask()
        shown = ", ".join(f"{name.removeprefix('backend_options.')} {value}" for name, value in values.items())
        try:
            options = cell_of(self._fixed, values).options
            short = max(self._seconds / _SHORT, _LEAST)
            first = self._measure.figure(options, short)
            if study.is_hopeless(trial, first.figure):
                study.pruned(trial)
                progress.say(f"trial {trial.number}: {shown}: {first.figure:.5g} {self._goal.unit}, stopped early")
                return
            found = self._measure.figure(options, self._seconds) if self._seconds > short else first
            best = study.best()
            violation = None
            if best is None or self._goal.better(found.figure, best.figure):
                accuracy = self._accuracy_of(options)
                violation = max((bound - float(accuracy[figure]) for figure, bound in bounds), default=0.0)
        except ENDS_ALL:
            raise
        except CKError as error:
            progress.warn(f"trial {trial.number}: {shown}: {error.what}")
            study.failed(trial, error.what)
            return
        study.finished(trial, found.figure, found.record.experiment.uid, values, violation)
        lost = ", too inaccurate" if violation is not None and violation > 0 else ""
        progress.say(f"trial {trial.number}: {shown}: {found.figure:.5g} {self._goal.unit}{lost}")

    def _accuracy_of(self, options: RunOptions) -> dict[str, float]:
        """The accuracy of a choice. The layout does not affect it, so it is measured once for all layouts."""
        plain = replace(options, sessions=None, threads=None, batch_size=None)
        key = cell_of({}, {name: value for name, value in plain.as_data().items() if name not in ("scenario", "seconds")}).key
        if key not in self._accuracy:
            self._accuracy[key] = self._measure.accuracy(plain)
            update_entry(self._campaign.entry, {"accuracy": {key: self._accuracy[key]}})
        return self._accuracy[key]

    def _confirm(self, best: Best, pairs: int) -> Verdict:
        """Measure the best settings and the default choice alternately; the order changes with every pair."""
        winner = cell_of(self._fixed, best.values)
        known = self._confirmed(winner.key)
        figures: dict[str, list[float]] = {DEFAULT: [], WINNER: []}
        options = {DEFAULT: self._base, WINNER: winner.options}
        with progress.task("confirming", pairs, "pairs") as task:
            for number in range(1, pairs + 1):
                for which in (DEFAULT, WINNER) if number % 2 else (WINNER, DEFAULT):
                    key = (which, number)
                    if key not in known:
                        found = self._measure.figure(options[which], self._seconds)
                        known[key] = found.figure
                        uid = found.record.experiment.uid
                        event = Event(RUN, f"{which}:{winner.key}", uid, number, why=repr(found.figure))
                        self._campaign.journal.add([event])
                    figures[which].append(known[key])
                task.advance_to(number)
        ratios = [self._goal.gain(new, old) for new, old in zip(figures[WINNER], figures[DEFAULT], strict=True)]
        product = 1.0
        for ratio in ratios:
            product *= ratio
        mean = product ** (1 / len(ratios))
        return Verdict(best.values, mean, geometric_interval(ratios), tuple(figures[DEFAULT]), tuple(figures[WINNER]))

    def _confirmed(self, key: str) -> dict[tuple[str, int], float]:
        """The values of confirmation runs that an earlier call made for the same settings."""
        return {
            (event.cell.partition(":")[0], event.repetition): float(event.why)
            for event in self._campaign.events()
            if event.kind == RUN and event.cell.partition(":")[2] == key
        }

    def _keep(self, study: Study, verdict: Verdict | None) -> None:
        """Store the settings for `ck run --tuned` on this machine."""
        if verdict is None:
            raise RunError(
                "no trial has a value within the accuracy limit",
                hint="use the same command with more --trials= to continue; --keep.mAP=-2% allows a larger loss",
            )
        ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        update_entry(self._campaign.entry, {"verdict": None})  # an object would be merged with the old one
        trials = dict(Counter(row["state"] for row in study.rows()))
        kept = {"verdict": verdict.as_data(), "machine": same_machine(), "ended": ended, "trials": trials}
        update_entry(self._campaign.entry, kept)
