"""The figures of an experiment in one form, whether it was run here or imported from a submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.rounds.round import DEFAULT, Round, find_round
from ck_repo.rounds.scenario import Scenario

TRIAL = "find-performance"  # tag of the runs of a search for a target: they are no results


@dataclass(frozen=True)
class Figures:
    """What came out of an experiment.

    Attributes
    ----------
    benchmark
        ``ssd-mobilenet`` or ``ssd-resnet34``; empty if unknown.
    scenario
        In lower case.
    mAP
        0–1; None if accuracy was not measured.
    value, unit
        The scenario's figure: ms, samples/s, queries/s or samples/query; None if performance was not measured.
    latency_ms
        p99 of a query, ms; the one that bounds a scenario with latency.
    lower_is_better
        Whether a lower value is the better one.
    round
        The round whose rules it is under.
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


# of a model that does not say its benchmark: by the side of its input
_BY_SIDE = {300: "ssd-mobilenet", 1200: "ssd-resnet34"}


def round_of(meta: Mapping[str, Any]) -> Round | None:
    """The round whose rules an experiment is under; None if this ck has no data file of it."""
    said = meta.get("published") or meta.get("options") or {}
    return find_round(str(said.get("round") or DEFAULT))


def scenario_of(meta: Mapping[str, Any]) -> Scenario | None:
    """The scenario of an experiment; None if its round has none of that name, or is not known."""
    round_, said = round_of(meta), meta.get("published") or meta.get("results") or {}
    return round_.find_scenario(str(said.get("scenario") or "")) if round_ else None


def figures(meta: Mapping[str, Any]) -> Figures:
    """The figures of an experiment's meta."""
    round_, scenario = round_of(meta), scenario_of(meta)
    name = round_.name if round_ else ""
    published = meta.get("published")  # its types are those of `check_experiment`
    if published:
        percent, model = published.get("mAP"), str(published["model"])
        return Figures(
            model, round_.benchmark_called(model) if round_ else "", str(published["scenario"]).lower(),
            None if percent is None else percent / 100, published.get("value"), str(published.get("unit", "")),
            bool(published.get("valid")), published.get("p99_ms"), bool(scenario and scenario.lower_is_better), name,
        )  # fmt: skip
    results = meta.get("results") or {}
    row = results.get("performance") or {}
    section = (meta.get("model") or {}).get("model") or {}
    side = ((meta.get("spec") or {}).get("model") or {}).get("side") or 0
    return Figures(
        str(results.get("model", "?")), str(section.get("benchmark") or _BY_SIDE.get(int(side), "")),
        str(results.get("scenario") or ""), (results.get("accuracy") or {}).get("mAP"),
        scenario.recorded_figure(row) if scenario else None, scenario.unit if scenario else "",
        bool(row.get("valid")), (row.get("latency_ms") or {}).get("p99"), bool(scenario and scenario.lower_is_better), name,
    )  # fmt: skip
