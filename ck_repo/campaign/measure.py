"""Measure the figures of goals with given options."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ck_repo.campaign.goal import ACCURACY, Goal
from ck_repo.campaign.job import carry_out
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.queue import Job
from ck_repo.campaign.settling import Settled, Settling
from ck_repo.contract.results import Results
from ck_repo.errors import RunError
from ck_repo.experiments.figures import TRIAL, figures
from ck_repo.experiments.meta import read_experiment
from ck_repo.rounds.round import load_round
from ck_repo.run.options import RunOptions
from ck_repo.run.pipeline import RunRecord
from ck_repo.run.prepare import prepare
from ck_repo.run.spec import rules_of
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.submit.targets import find_target


@dataclass(frozen=True)
class Measured:
    """A value and its run."""

    figure: float
    record: RunRecord


class Measure:
    """Makes the runs of a search; each is recorded as a trial of the campaign."""

    def __init__(self, session: Session, program: Entry, campaign: dict[str, str], settling: Settling) -> None:
        self._session, self._program, self._campaign = session, program, campaign
        self._settled = Settled(settling)

    def run(self, options: RunOptions, *tags: str) -> RunRecord:
        """Make a run."""
        job = Job(Cell("", {}, options), 1)
        return carry_out(self._session, self._program, job, self._campaign, tags=(TRIAL, *tags), ready=self._settled)

    def figure(self, goal: Goal, options: RunOptions, seconds: float) -> Measured:
        """A goal's figure by a run of so many seconds; if queries are issued at a rate, by a search of several such runs.

        Raises
        ------
        RunError
            If a run fails, or lacks the metric.
        """
        options = replace(options, mode="performance", scenario=goal.scenario, seconds=seconds)
        if load_round(options.round).scenario(options.scenario).at_rate:
            return self._highest_rate(options)
        record = self.run(options)
        value = figures(read_experiment(record.experiment)).value
        if not value:
            raise RunError("the run lacks the metric", hint=f"see {record.experiment.path}")
        return Measured(value, record)

    def _highest_rate(self, options: RunOptions) -> Measured:
        last: list[RunRecord] = []

        def run(wanted: RunOptions) -> Results:
            last[:] = [self.run(wanted)]
            return last[0].results

        rules = rules_of(prepare(self._session, self._program, options)).scenario(options.scenario)
        bound = options.target_latency or rules.bound_ms
        found = find_target(replace(options, target_latency=None), rules, bound, run)
        return Measured(found.value, last[0])

    def accuracy(self, options: RunOptions) -> dict[str, float]:
        """The accuracy metrics of a run."""
        record = self.run(replace(options, mode="accuracy", scenario="offline", seconds=None, target_latency=None))
        found = record.results.accuracy
        if found is None:
            raise RunError("the run has no accuracy", hint=f"see {record.experiment.path}")
        return {name: float(value) for name in ACCURACY if (value := getattr(found, name)) is not None}
