"""The rules of a round for one benchmark, and its settings in the syntax of LoadGen's configuration files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ck_repo.contract.spec import LoadGenSettings
from ck_repo.errors import UsageError, did_you_mean
from ck_repo.rounds.round import Round
from ck_repo.rounds.scenario import Scenario


@dataclass(frozen=True)
class Rules:
    """The rules of a round for one benchmark (``ssd-mobilenet`` or ``ssd-resnet34``)."""

    round: Round
    benchmark: str

    @property
    def seeds(self) -> Mapping[str, int]:
        """The round's seeds by their names in TestSettings."""
        return self.round.seeds

    @property
    def performance_sample_count(self) -> int:
        """Number of samples that are loaded for a performance run."""
        return self.round.benchmarks[self.benchmark].performance_sample_count

    @property
    def accuracy(self) -> float:
        """Minimum mAP in the closed division, 0–1."""
        return self.round.benchmarks[self.benchmark].accuracy

    @property
    def scenarios(self) -> Mapping[str, Scenario]:
        """The scenarios by key (``singlestream``), with the benchmark's values."""
        return self.round.scenarios(self.benchmark)

    def scenario(self, name: str) -> Scenario:
        """The scenario with this name, in any case; an error if the round has none."""
        return self.round.scenario(name, self.benchmark)


def rules_for(round_: Round, benchmark: str) -> Rules:
    """The rules of a round for a benchmark.

    Raises
    ------
    UsageError
        If the round does not have the benchmark.
    """
    if benchmark not in round_.benchmarks:
        raise UsageError(f"{benchmark} is not a benchmark of round {round_}", hint=did_you_mean(benchmark, round_.benchmarks))
    return Rules(round_, benchmark)


def benchmark_of(model: Mapping[str, object], side: int) -> str:
    """The benchmark of a model: from its meta, else by the side of its input.

    Parameters
    ----------
    model
        The `model` section of a meta.
    side
        Height and width of the input, pixels.
    """
    return str(model.get("benchmark") or ("ssd-resnet34" if side >= 1200 else "ssd-mobilenet"))


def mlperf_conf(rules: Rules) -> str:
    """mlperf.conf with the round's values for the benchmark, in the syntax ``model.scenario.key = value``; times in ms."""
    lines = [f"# MLPerf Inference {rules.round.name}, {rules.benchmark}"]
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
        if row.target == "samples_per_query" or row.samples_per_query > 1:
            lines.append(f"*.{row.name}.samples_per_query = {row.samples_per_query}")
            lines.append(f"*.{row.name}.max_async_queries = {row.max_async_queries}")
    return "\n".join(lines) + "\n"


def _plain(value: float) -> str:
    """A number with all digits; integers without a decimal point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def user_conf(rules: Rules, scenario: str, loadgen: LoadGenSettings) -> str:
    """user.conf: differences of this run from the round's values. LoadGen gets them as settings, not from this file.

    Parameters
    ----------
    loadgen
        The settings of the run.
    """
    row = rules.scenario(scenario)
    usual = {
        "min_duration": row.min_duration_ms,
        "min_query_count": row.min_query_count,
        "target_latency": row.target_latency_ms,
        "performance_sample_count_override": rules.performance_sample_count,
        "samples_per_query": row.samples_per_query,
        "target_qps": row.target_qps,
    }
    ours = {
        "min_duration": loadgen.min_duration_ms,
        "min_query_count": loadgen.min_query_count,
        "target_latency": loadgen.target_latency_ms,
        "performance_sample_count_override": loadgen.performance_sample_count,
        "samples_per_query": loadgen.samples_per_query,
        "target_qps": loadgen.target_qps,
    }
    lines = [
        f"{rules.benchmark}.{row.name}.{key} = {_plain(value)}"
        for key, value in ours.items()
        if value is not None and value != usual[key]
    ]
    return "\n".join(["# settings of this run that differ from mlperf.conf", *lines]) + "\n"
