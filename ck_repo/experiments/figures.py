"""The metrics of an experiment in one form, whether it was run here or imported from a submission."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.contract.record import write
from ck_repo.contract.results import Results
from ck_repo.experiments.meta import ExperimentMeta
from ck_repo.rounds.round import DEFAULT, Round, find_round
from ck_repo.rounds.scenario import Scenario

TRIAL = "find-performance"  # tag of the runs of a search for a target, which are not results


@dataclass(frozen=True)
class Figures:
    """The results of an experiment.

    Attributes
    ----------
    benchmark
        ``ssd-mobilenet`` or ``ssd-resnet34``; empty if unknown.
    scenario
        In lower case.
    mAP
        0–1; None if accuracy was not measured.
    value, unit
        The scenario's metric: ms, samples/s, queries/s or samples/query; None if performance was not measured.
    latency_ms
        p99 of the query latency in ms, for scenarios with a latency bound.
    lower_is_better
        Whether lower values are better.
    round
        The round whose rules apply.
    """

    model: str
    benchmark: str
    scenario: str
    mAP: float | None
    value: float | None
    unit: str
    valid: bool
    latency_ms: float | None
    lower_is_better: bool = False
    round: str = DEFAULT


# for a model without a benchmark: by the side of its input
_BY_SIDE = {300: "ssd-mobilenet", 1200: "ssd-resnet34"}


def round_of(meta: ExperimentMeta) -> Round | None:
    """The round whose rules apply to an experiment; None if this ck does not support it."""
    return find_round(meta.published.round if meta.published else meta.options.round)


def scenario_of(meta: ExperimentMeta) -> Scenario | None:
    """The scenario of an experiment; None if its round does not have it, or is not supported."""
    round_, source = round_of(meta), meta.published or meta.results
    return round_.find_scenario(source.scenario) if round_ and source else None


def figures(meta: ExperimentMeta) -> Figures:
    """The metrics in an experiment's meta."""
    round_, scenario = round_of(meta), scenario_of(meta)
    name = round_.name if round_ else ""
    lower = bool(scenario and scenario.lower_is_better)
    if published := meta.published:
        return Figures(
            published.model, round_.benchmark_in_tree(published.model) if round_ else "", published.scenario.lower(),
            None if published.mAP is None else published.mAP / 100, published.value, published.unit, published.valid,
            published.p99_ms, lower, name,
        )  # fmt: skip
    results = meta.results or Results()
    accuracy, performance = results.accuracy, results.performance
    section = meta.model.section("model") if meta.model else {}
    side = meta.spec.model.side if meta.spec and meta.spec.model else None
    return Figures(
        results.model or "?", str(section.get("benchmark") or _BY_SIDE.get(int(side or 0), "")), results.scenario,
        accuracy.mAP if accuracy else None, scenario.recorded_figure(write(performance)) if scenario and performance else None,
        scenario.unit if scenario else "", bool(performance and performance.valid),
        performance.latency_ms.get("p99") if performance else None, lower, name,
    )  # fmt: skip
