"""Whether results of two rounds can be compared, and how their rules differ."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.rounds.round import Round
from ck_repo.rounds.scenario import Scenario


@dataclass(frozen=True)
class Comparison:
    """The rules of two rounds for a scenario.

    Attributes
    ----------
    comparable
        Whether the ratio of two results is meaningful.
    notes
        How the rules differ.
    """

    comparable: bool
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """The notes; empty if the rules are equal."""
        return "; ".join(self.notes)


def compare_rules(one: Round, other: Round, scenario: str, benchmark: str = "") -> Comparison:
    """Compare the rules of two rounds for a scenario.

    Parameters
    ----------
    scenario
        Its name, in any case.
    benchmark
        The benchmark, because some have rules of their own; empty for those of all.

    Returns
    -------
    Comparison
        Whether results are comparable; the differences that prevent it, or else those that are worth a remark.
    """
    if one.name == other.name:
        return Comparison(True, ())
    rules = [round_.find_scenario(scenario, benchmark if benchmark in round_.benchmarks else "") for round_ in (one, other)]
    left, right = rules
    if left is None or right is None:
        missing = one if left is None else other
        return Comparison(False, (f"round {missing} has no {scenario}",))
    notes = _apart(one, other, left, right)
    if notes:
        return Comparison(False, notes)
    return Comparison(True, tuple(_remarks(one, other, left, right)))


def _apart(one: Round, other: Round, left: Scenario, right: Scenario) -> tuple[str, ...]:
    """Why the results are of different kinds; empty if they are not."""
    found = []
    if (left.unit, left.lower_is_better) != (right.unit, right.lower_is_better):
        found.append(f"the result is {left.unit} in {one} and {right.unit} in {other}")
    if left.issue != right.issue:
        found.append(f"queries are issued differently: {left.issue} in {one}, {right.issue} in {other}")
    if left.percentile != right.percentile:
        found.append(f"different percentiles: {100 * left.percentile:g} in {one}, {100 * right.percentile:g} in {other}")
    return tuple(found)


def _remarks(one: Round, other: Round, left: Scenario, right: Scenario) -> list[str]:
    found = []
    if left.early_stopping != right.early_stopping:
        name = one if left.early_stopping else other
        found.append(f"in {name} early stopping determines the length, and latencies are its estimates")
    if left.min_duration_ms != right.min_duration_ms:
        seconds = (left.min_duration_ms / 1e3, right.min_duration_ms / 1e3)
        found.append(f"runs of at least {seconds[0]:g} s in {one} and {seconds[1]:g} s in {other}")
    if left.bound_ms != right.bound_ms:
        found.append(f"a latency bound of {left.bound_ms} ms in {one} and {right.bound_ms} ms in {other}")
    if left.runs != right.runs:
        found.append(f"{left.runs} runs in {one} and {right.runs} in {other}")
    return found
