"""A scenario of a round: its settings, its limits, and the key of its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ck_repo.contract.logs import Detail
from ck_repo.store.fields import Fields

NEXT, INTERVALS, RATE, ONE_QUERY = "next", "intervals", "rate", "one query"
_ISSUE = (NEXT, INTERVALS, RATE, ONE_QUERY)
_TARGETS = ("target_qps", "target_latency", "samples_per_query")
_BY_PERCENTILE = ("latency_ms", "early_stopping_latency_ms")
_INFERENCES = ("rate", "latency", "samples")


@dataclass(frozen=True)
class Inference:
    """How a scenario's result is inferred from the log of another scenario.

    Attributes
    ----------
    source
        The scenario of the log.
    kind
        ``rate``: the logged value; ``latency``: the logged latency of a sample, `times` as long; ``samples``: the samples of a
        query over the logged latency of a query, per second.
    key
        The key of the value in the log.
    times
        How many queries of the other scenario correspond to one query; 1 if they are the same.
    """

    source: str
    kind: str
    key: str
    times: int

    def raw(self, log: Detail) -> float | None:
        """The result as the log of the scenario itself would have it; None if the log lacks it."""
        value = log.number(self.key)
        if value is None or self.kind == "rate":
            return value
        if self.kind == "latency":
            return value * self.times or None  # 0 if early stopping had too few queries for an estimate
        samples = log.number("effective_samples_per_query")
        return samples * 1000 / (value / 1e6) if samples and value else None


@dataclass(frozen=True)
class Scenario:
    """A scenario of a round, for one benchmark.

    Attributes
    ----------
    key, name
        Names in options and spec.json, and in LoadGen: ``singlestream``, ``SingleStream``.
    result_key
        The key of the result in LoadGen's detail log.
    recorded
        The key of the same figure in results.json; of ``latency_ms`` and ``early_stopping_latency_ms`` that of the scenario's
        percentile.
    figure_name, unit, divisor, digits
        A name for the result if the unit is ambiguous (``scheduled``), the unit of the result, the divisor for the logged
        value, and the decimals in the round's tables of results.
    compliance_key
        The key of the result that compliance tests are compared with.
    latency_key
        The key of the bounded latency.
    summary_unit, power_summary_unit
        The units in the round's summary.csv.
    lower_is_better
        Whether lower results are better.
    percentile
        Of the latencies, 0–1.
    min_duration_ms, min_query_count
        Minimum duration, and minimum number of queries; of samples if all of them are in one query.
    target_latency_ms
        Target or bound, ms; None if the scenario has neither.
    latency_bound
        Whether the percentile of the latency has to be at most `target_latency_ms`.
    issue
        How LoadGen issues queries: ``next`` when the last is answered, at fixed ``intervals``, at a ``rate``, or ``one query``.
    target
        The setting that `ck find performance` writes into user.conf.
    target_qps
        The value in mlperf.conf: for fixed intervals their number in a second, else a value that users replace.
    power_unit, power_queries, power_rate
        The unit of the power result; for an energy, the log's keys whose product is the number of queries that it is divided
        by, or the key of the rate in queries/s from which that number follows.
    runs
        Number of performance runs that the round requires: run_1, run_2 ….
    early_stopping
        Whether the run has to meet LoadGen's early stopping, which then determines the number of queries; a latency bound is
        compared with early stopping's target.
    needs
        Keys of the log that must be numbers.
    inferred
        The scenarios whose log may be used for this one, with their formulas.
    """

    key: str
    name: str
    result_key: str
    recorded: str
    figure_name: str
    unit: str
    divisor: float
    digits: int
    compliance_key: str
    latency_key: str
    summary_unit: str
    power_summary_unit: str
    lower_is_better: bool
    percentile: float
    min_duration_ms: int
    min_query_count: int
    target_latency_ms: float | None
    latency_bound: bool
    issue: str
    target: str
    target_qps: float | None
    samples_per_query: int
    max_async_queries: int
    power_unit: str
    power_queries: Sequence[str]
    power_rate: str
    runs: int
    early_stopping: bool
    needs: Sequence[str]
    inferred: Sequence[Inference]

    @property
    def min_queries(self) -> int:
        """The minimum number of queries of a run; 0 if early stopping decides."""
        return 0 if self.early_stopping else self.min_query_count

    @property
    def bound_ms(self) -> float | None:
        """The maximum of the latency's percentile in ms; None if the rules have none."""
        return self.target_latency_ms if self.latency_bound else None

    @property
    def percentile_name(self) -> str:
        """The name of the percentile in results.json: ``p90``."""
        return f"p{100 * self.percentile:g}".replace(".", "_")

    @property
    def one_query(self) -> bool:
        """Whether all samples are in one query, so that samples are counted instead of queries."""
        return self.issue == ONE_QUERY

    @property
    def fixed_intervals(self) -> bool:
        """Whether queries are issued at fixed intervals."""
        return self.issue == INTERVALS

    @property
    def at_rate(self) -> bool:
        """Whether queries are issued at a rate, so that some may have to wait for others."""
        return self.issue == RATE

    @property
    def several_samples(self) -> bool:
        """Whether a query has several samples, but not all of them: then queries are counted instead of samples."""
        return self.samples_per_query > 1 and not self.one_query

    def figure(self, raw: float | None) -> float | None:
        """The result in `unit` from the logged value."""
        return None if raw is None else raw / self.divisor

    def inference(self, logged: object) -> Inference | None:
        """How the result is inferred from a log of the scenario `logged`; None if the rules do not allow it."""
        return next((row for row in self.inferred if row.source == logged), None)

    def recorded_figure(self, performance: Mapping[str, Any]) -> float | None:
        """The result of a recorded run.

        Parameters
        ----------
        performance
            The object `performance` of results.json.
        """
        value = performance.get(self.recorded)
        if self.recorded in _BY_PERCENTILE:
            value = (value or {}).get(self.percentile_name)
        return None if value is None else float(value)


def read_scenario(key: str, row: Fields, benchmark: str) -> Scenario:
    """A scenario from a round's data file; values that depend on the benchmark are those of `benchmark`.

    Raises
    ------
    ConfigError
        If a value is missing or has the wrong type; with its file and key.
    """
    power = row.fields("power")
    return Scenario(
        key=key,
        name=row.needed("name"),
        result_key=row.needed("result_key"),
        recorded=row.needed("recorded"),
        figure_name=row.text("figure_name"),
        unit=row.needed("unit"),
        divisor=needed_number(row, "divisor"),
        digits=row.integer("digits", 9) or 0,
        compliance_key=row.text("compliance_key", row.needed("result_key")),
        latency_key=row.text("latency_key", f"result_{100 * needed_number(row, 'percentile'):.2f}_percentile_latency_ns"),
        summary_unit=row.text("summary_unit", row.needed("unit")),
        power_summary_unit=power.text("summary_unit", power.needed("unit")),
        lower_is_better=one_of(row, "better", ("lower", "higher")) == "lower",
        percentile=needed_number(row, "percentile"),
        min_duration_ms=needed_integer(row, "min_duration_ms"),
        min_query_count=needed_integer(row, "min_query_count"),
        target_latency_ms=row.fields("target_latency_ms").number(benchmark),
        latency_bound=row.flag("latency_bound"),
        issue=one_of(row, "issue", _ISSUE, NEXT),
        target=one_of(row, "target", _TARGETS),
        target_qps=row.fields("target_qps").number(benchmark),
        samples_per_query=needed_integer(row, "samples_per_query"),
        max_async_queries=row.integer("max_async_queries", 1) or 1,
        power_unit=power.needed("unit"),
        power_queries=power.texts("queries"),
        power_rate=power.text("rate"),
        runs=row.integer("runs", 1) or 1,
        early_stopping=row.flag("early_stopping"),
        needs=row.texts("needs"),
        inferred=[
            Inference(each.needed("from"), one_of(each, "kind", _INFERENCES), each.needed("key"), each.integer("times", 1) or 1)
            for each in row.rows("inferred")
        ],
    )


def needed_number(row: Fields, key: str) -> float:
    """A required number.

    Raises
    ------
    ConfigError
        If it is missing, or is not a finite number.
    """
    value = row.number(key)
    if value is None:
        raise row.error(key, None, "a finite number")
    return value


def needed_integer(row: Fields, key: str) -> int:
    """A required integer.

    Raises
    ------
    ConfigError
        If it is missing, or is not an integer.
    """
    value = row.integer(key)
    if value is None:
        raise row.error(key, None, "an integer")
    return value


def one_of(row: Fields, key: str, known: tuple[str, ...], default: str = "") -> str:
    """One of the allowed words.

    Parameters
    ----------
    default
        The value of a missing key.

    Raises
    ------
    ConfigError
        If it is another word; the message lists the allowed ones.
    """
    value = row.text(key, default)
    if value not in known:
        raise row.error(key, value, f"one of {', '.join(known)}")
    return value
