"""The rules of a round, read from one data file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

ROUND = "v1.0"


@dataclass(frozen=True)
class ScenarioRules:
    """What a round says of a scenario. Times in ms, percentile as 0–1; latency None where there is no bound.

    Attributes
    ----------
    target_qps
        What mlperf.conf has: of MultiStream the intervals in a second, of the others a figure that a user replaces.
    result_key, result_factor, result_digits, unit
        Which value of the detail log is the result, what it is multiplied with to be in `unit`, and to how many decimals
        the round publishes it.
    """

    name: str
    percentile: float
    min_duration_ms: int
    min_query_count: int
    target_latency_ms: float | None
    samples_per_query: int
    result_key: str
    result_factor: float
    result_digits: int
    unit: str
    target_qps: float | None
    max_async_queries: int

    def figure(self, raw: float | None) -> float | None:
        """The result in `unit`, as the round publishes it, of the value in the log."""
        return None if raw is None else round(raw * self.result_factor, self.result_digits)


@dataclass(frozen=True)
class Rules:
    """The rules of a round for one benchmark (``ssd-mobilenet`` or ``ssd-resnet34``); accuracy is the least mAP, 0–1.

    Attributes
    ----------
    loadgen, loadgen_of_round
        Versions of LoadGen that load the round's samples: of today's the one that does, and the round's own.
    images
        The least that a closed result is over: COCO val2017 without those that have no annotations.
    """

    round: str
    benchmark: str
    seeds: dict[str, int]
    performance_sample_count: int
    loadgen: str
    loadgen_of_round: str
    images: int
    accuracy: float
    scenarios: dict[str, ScenarioRules]


@cache
def round_data() -> dict[str, Any]:
    """Everything that the round says, as its data file has it; another round is another file."""
    text = files("ck_repo.rounds").joinpath(f"data/{ROUND}.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def rules_for(benchmark: str) -> Rules:
    """The rules of round v1.0 for a benchmark."""
    data = round_data()
    scenarios = {key: _scenario(row, benchmark) for key, row in data["scenarios"].items()}
    row = data["benchmarks"][benchmark]
    return Rules(
        data["round"],
        benchmark,
        dict(data["seeds"]),
        row["performance_sample_count"],
        data["loadgen"],
        data["loadgen_of_round"],
        data["images"],
        row["accuracy"],
        scenarios,
    )


def _scenario(row: dict[str, Any], benchmark: str) -> ScenarioRules:
    return ScenarioRules(
        row["name"], row["percentile"], row["min_duration_ms"], row["min_query_count"],
        row["target_latency_ms"].get(benchmark), row["samples_per_query"], row["result_key"], row["factor"],
        row.get("digits", 9), row["unit"], row.get("target_qps", {}).get(benchmark), row.get("max_async_queries", 1),
    )  # fmt: skip


def scenario_rules(name: str, benchmark: str = "") -> ScenarioRules | None:
    """The rules of the scenario that is called so, in whatever case; None if there is none."""
    row = round_data()["scenarios"].get(name.lower())
    return _scenario(row, benchmark) if row else None


def benchmark_called(model: str) -> str:
    """The benchmark by any of its names (``ssd-small``, ``ssd-mobilenet`` …); empty if it is none of the round's."""
    rows: dict[str, Any] = round_data()["benchmarks"]
    return next((name for name, row in rows.items() if model.lower() in row["names"]), "")


def benchmark_of(model: dict[str, Any], side: int) -> str:
    """The benchmark that a model belongs to: what its meta says, else by the side of its input."""
    return str(model.get("benchmark") or ("ssd-resnet34" if side >= 1200 else "ssd-mobilenet"))


def mlperf_conf(rules: Rules) -> str:
    """mlperf.conf with the round's figures for the benchmark, in the syntax ``model.scenario.key = value``; times in ms."""
    lines = [f"# MLPerf Inference {rules.round}, {rules.benchmark}"]
    lines += [f"*.*.{key} = {value}" for key, value in rules.seeds.items()]
    lines.append(f"{rules.benchmark}.*.performance_sample_count_override = {rules.performance_sample_count}")
    for row in rules.scenarios.values():
        lines.append(f"*.{row.name}.target_latency_percentile = {100 * row.percentile:g}")
        lines.append(f"*.{row.name}.min_duration = {row.min_duration_ms}")
        lines.append(f"*.{row.name}.min_query_count = {row.min_query_count}")
        if row.target_latency_ms is not None:
            lines.append(f"{rules.benchmark}.{row.name}.target_latency = {row.target_latency_ms:g}")
        if row.target_qps is not None:
            lines.append(f"{rules.benchmark}.{row.name}.target_qps = {row.target_qps:g}")
        if row.name == "MultiStream":
            lines.append(f"*.{row.name}.samples_per_query = {row.samples_per_query}")
            lines.append(f"*.{row.name}.max_async_queries = {row.max_async_queries}")
    return "\n".join(lines) + "\n"


def _plain(value: float) -> str:
    """A number to its last digit, whole ones without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def user_conf(rules: Rules, scenario: str, loadgen: dict[str, Any]) -> str:
    """user.conf: where this run departs from the round's figures. LoadGen is told these by its settings, not by this file."""
    row = rules.scenarios[scenario]
    usual = {
        "min_duration": row.min_duration_ms,
        "min_query_count": row.min_query_count,
        "target_latency": row.target_latency_ms,
        "performance_sample_count_override": rules.performance_sample_count,
        "samples_per_query": row.samples_per_query,
        "target_qps": row.target_qps,
    }
    ours = {
        "min_duration": loadgen["min_duration_ms"],
        "min_query_count": loadgen["min_query_count"],
        "target_latency": loadgen["target_latency_ms"],
        "performance_sample_count_override": loadgen["performance_sample_count"],
        "samples_per_query": loadgen["samples_per_query"],
        "target_qps": loadgen["target_qps"],
    }
    lines = [
        f"{rules.benchmark}.{row.name}.{key} = {_plain(value)}"
        for key, value in ours.items()
        if value is not None and value != usual[key]
    ]
    return "\n".join(["# what this run was told beside mlperf.conf", *lines]) + "\n"
