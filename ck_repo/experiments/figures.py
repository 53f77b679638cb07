"""The figures of an experiment in one form, whether it was run here or imported from a submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.rounds.rules import benchmark_called, scenario_rules

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
    """

    model: str
    benchmark: str
    scenario: str
    mAP: float | None
    value: float | None
    unit: str
    valid: bool
    latency_ms: float | None

    @property
    def lower_is_better(self) -> bool:
        """Whether the figure is a latency."""
        return self.unit == "ms"


# of a model that does not say its benchmark: by the side of its input
_BY_SIDE = {300: "ssd-mobilenet", 1200: "ssd-resnet34"}


def figures(meta: Mapping[str, Any]) -> Figures:
    """The figures of an experiment's meta."""
    published = meta.get("published")  # its types are those of `check_experiment`
    if published:
        percent = published.get("mAP")
        return Figures(
            str(published["model"]), benchmark_called(str(published["model"])), str(published["scenario"]).lower(),
            None if percent is None else percent / 100, published.get("value"), str(published.get("unit", "")),
            bool(published.get("valid")), published.get("p99_ms"),
        )  # fmt: skip
    results = meta.get("results") or {}
    scenario = str(results.get("scenario") or "")
    row = results.get("performance") or {}
    latency = row.get("latency_ms") or {}
    keys = {"offline": "samples_per_second", "server": "scheduled_queries_per_second", "multistream": "samples_per_query"}
    value = latency.get("p90") if scenario == "singlestream" else row.get(keys.get(scenario, ""))
    rules = scenario_rules(scenario)
    section = (meta.get("model") or {}).get("model") or {}
    side = ((meta.get("spec") or {}).get("model") or {}).get("side") or 0
    return Figures(
        str(results.get("model", "?")), str(section.get("benchmark") or _BY_SIDE.get(int(side), "")), scenario,
        (results.get("accuracy") or {}).get("mAP"), None if value is None else float(value), rules.unit if rules else "",
        bool(row.get("valid")), latency.get("p99"),
    )  # fmt: skip
