"""The goals of `ck tune`, and the accuracy that it keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.errors import UsageError, did_you_mean

ACCURACY = ("mAP", "AP50", "AP75")
USUAL = "-1%"


@dataclass(frozen=True)
class Goal:
    """A goal.

    Attributes
    ----------
    scenario
        The scenario that measures it.
    lower_is_better
        Whether lower values are better.
    layout
        The options of the layout that are worth a search.
    is_speed
        Whether it is measured by a performance run, and not by an accuracy run.
    """

    name: str
    scenario: str
    unit: str
    lower_is_better: bool
    layout: tuple[str, ...]
    is_speed: bool = True

    def better(self, one: float, other: float) -> bool:
        """Whether one value is better than another."""
        return one < other if self.lower_is_better else one > other

    def gain(self, new: float, old: float) -> float:
        """The speed of one value relative to another.

        Returns
        -------
        float
            Above 1 if `new` is better, whether the goal's figures are times or rates.
        """
        return old / new if self.lower_is_better else new / old

    def merit(self, figure: float) -> float:
        """A figure as a number that is higher the better it is."""
        return -figure if self.lower_is_better else figure


GOALS = {
    goal.name: goal
    for goal in (
        Goal("throughput", "offline", "samples/s", False, ("sessions", "threads", "batch_size")),
        Goal("latency", "singlestream", "ms", True, ("threads",)),
        Goal("server", "server", "queries/s", False, ("sessions", "threads", "batch_size")),
        Goal("accuracy", "offline", "mAP", False, (), is_speed=False),
    )
}


def read_goals(text: str) -> tuple[Goal, ...]:
    """The value of ``--goal=``: one goal, or two that are separated by a comma.

    >>> [goal.name for goal in read_goals("throughput,latency")]
    ['throughput', 'latency']

    Raises
    ------
    UsageError
        If a goal is unknown or named twice, if there are more than two, or if the first is `accuracy`.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in GOALS:
            raise UsageError(f"--goal={text}: there is no goal {name!r}", hint=did_you_mean(name, GOALS))
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names):
        raise UsageError(f"--goal={text} is not one goal or two different ones", hint="write --goal=throughput,latency")
    if not GOALS[names[0]].is_speed:
        raise UsageError(
            f"--goal={text}: accuracy is not a first goal",
            hint="`--goal=throughput,accuracy` finds the front of both; --keep.mAP=-1% bounds the loss of a single goal",
        )
    return tuple(GOALS[name] for name in names)


@dataclass(frozen=True)
class Keep:
    """The allowed loss of an accuracy metric against the default choice: absolute (0–1), or relative."""

    figure: str
    loss: float
    relative: bool

    def bound(self, reference: float) -> float:
        """The minimum allowed value."""
        return reference * (1 - self.loss) if self.relative else reference - self.loss


def read_keep(given: Mapping[str, Any]) -> tuple[Keep, ...]:
    """Parse the values of ``--keep.FIGURE=``; the default is mAP within 1 %.

    >>> read_keep({"mAP": "-0.5%"})
    (Keep(figure='mAP', loss=0.005, relative=True),)

    Raises
    ------
    UsageError
        If a metric is unknown, or a value is not a loss.
    """
    found = []
    for figure, value in (given or {"mAP": USUAL}).items():
        if figure not in ACCURACY:
            raise UsageError(f"--keep.{figure}: there is no such metric", hint=did_you_mean(figure, ACCURACY))
        match = re.fullmatch(r"(-?\d+(?:\.\d+)?)(%?)", str(value).strip())
        if not match or float(match[1]) > 0:
            raise UsageError(f"--keep.{figure}={value} is not a loss", hint="for example -1% or -0.005; 0 allows none")
        loss, relative = -float(match[1]), bool(match[2])
        if loss > (100 if relative else 1):
            raise UsageError(f"--keep.{figure}={value} is more than 100 %", hint="write -1% or -0.005")
        found.append(Keep(figure, loss / 100 if relative else loss, relative))
    return tuple(found)
