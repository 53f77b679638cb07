"""Confirm settings against the default choice by pairs of runs that take turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.goal import Goal
from ck_repo.campaign.journal import RUN, Event
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.measure import Measure
from ck_repo.experiments.interval import geometric_interval
from ck_repo.store.digest import of_value

DEFAULT, WINNER = "default", "winner"


@dataclass(frozen=True)
class Verdict:
    """How the winner compares with the default choice.

    Attributes
    ----------
    values
        The winner's settings.
    ratio
        Its speed relative to the default's: the geometric mean of the pairs.
    interval
        The 95 % confidence interval of the ratio; None for a single pair.
    """

    values: Mapping[str, Any]
    ratio: float
    interval: tuple[float, float] | None
    default: tuple[float, ...]
    winner: tuple[float, ...]

    @property
    def beats(self) -> bool:
        """Whether the winner is faster beyond doubt: the whole interval is above 1."""
        return self.interval is not None and self.interval[0] > 1

    def as_data(self) -> dict[str, object]:
        """For JSON, and for the campaign's entry."""
        return {**vars(self), "values": dict(self.values), "beats_default": self.beats}


def confirm(
    measure: Measure,
    campaign: Campaign,
    goal: Goal,
    default: Cell,
    winner: Cell,
    conditions: str,
    *,
    pairs: int,
    seconds: float,
) -> Verdict:
    """Measure the winner and the default choice in turns, in alternating order.

    Runs that an earlier call made of the same two under the same conditions are not repeated.

    Parameters
    ----------
    measure
        Makes a run, and returns its figure.
    conditions
        Digest of what the runs are made with.
    pairs
        Number of runs of each.
    seconds
        Duration of a run.

    Returns
    -------
    Verdict
        The geometric mean of the pairs' gains with its 95 % interval, and the figures of both in the order of the pairs.

    Raises
    ------
    CKError
        If a run fails.
    """
    pair = of_value([conditions, goal.name, default.key, winner.key, seconds])[:12]
    known = _known(campaign, pair)
    figures: dict[str, list[float]] = {DEFAULT: [], WINNER: []}
    options = {DEFAULT: default.options, WINNER: winner.options}
    with progress.task(f"confirming {goal.name}", pairs, "pairs") as task:
        for number in range(1, pairs + 1):
            for which in (DEFAULT, WINNER) if number % 2 else (WINNER, DEFAULT):
                key = (which, number)
                if key not in known:
                    found = measure.figure(goal, options[which], seconds)
                    known[key] = found.figure
                    uid = found.record.experiment.uid
                    campaign.journal.add([Event(RUN, f"{which}:{pair}", uid, number, why=repr(found.figure))])
                figures[which].append(known[key])
            task.advance_to(number)
    ratios = [goal.gain(new, old) for new, old in zip(figures[WINNER], figures[DEFAULT], strict=True)]
    product = 1.0
    for ratio in ratios:
        product *= ratio
    mean = product ** (1 / len(ratios))
    return Verdict(winner.values, mean, geometric_interval(ratios), tuple(figures[DEFAULT]), tuple(figures[WINNER]))


def _known(campaign: Campaign, pair: str) -> dict[tuple[str, int], float]:
    """The figures that were recorded for a pair."""
    return {
        (event.cell.partition(":")[0], event.repetition): float(event.why)
        for event in campaign.events()
        if event.kind == RUN and event.cell.partition(":")[2] == pair
    }
