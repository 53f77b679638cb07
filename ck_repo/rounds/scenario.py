"""A scenario of a round: its settings, its bounds, and where its result is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.store.fields import Fields

NEXT, INTERVALS, RATE, ONE_QUERY = "next", "intervals", "rate", "one query"
_ISSUE = (NEXT, INTERVALS, RATE, ONE_QUERY)
_TARGETS = ("target_qps", "target_latency", "samples_per_query")
_LATENCY = "latency_ms"


@dataclass(frozen=True)
class Scenario:
    """A scenario under the rules of a round, for one benchmark.

    Attributes
    ----------
    key, name
        As options and spec.json name it, and as LoadGen does: ``singlestream``, ``SingleStream``.
    result_key
        The key of LoadGen's detail log whose value is the result.
    recorded
        The key of the same figure in results.json; with ``latency_ms`` that of the scenario's percentile.
    figure_name, unit, factor, digits
        What the figure is called where the unit alone is ambiguous (``scheduled``), the unit of the result, what the logged
        value is multiplied by to be in it, and the decimals that the round publishes.
    lower_is_better
        Whether a lower result is the better one.
    percentile
        Of the latencies, 0–1.
    min_duration_ms, min_query_count
        Minimum duration, and minimum number of queries; of samples where all of them are in one query.
    target_latency_ms
        Target or bound, ms; None if the scenario has neither.
    latency_bound
        Whether the percentile of the latency has to be at most `target_latency_ms`.
    issue
        How LoadGen issues queries: ``next`` when the last is answered, at fixed ``intervals``, at a ``rate``, or ``one query``.
    target
        The setting that `ck find performance` writes into user.conf.
    target_qps
        The value in mlperf.conf: of fixed intervals their number in a second, else a value that users replace.
    power_unit, power_queries, power_rate
        The unit of the power figure; if it is energy, the log's key for the number of queries that the energy is divided by, or
        for the queries/s that the mean power is divided by.
    """

    key: str
    name: str
    result_key: str
    recorded: str
    figure_name: str
    unit: str
    factor: float
    digits: int
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
    power_queries: str
    power_rate: str

    @property
    def bound_ms(self) -> float | None:
        """The maximum of the latency's percentile, ms; None if the rules have none."""
        return self.target_latency_ms if self.latency_bound else None

    @property
    def percentile_name(self) -> str:
        """The percentile as results.json names it: ``p90``."""
        return f"p{100 * self.percentile:g}".replace(".", "_")

    @property
    def one_query(self) -> bool:
        """Whether all samples are in one query, so that samples are counted instead of queries."""
        return self.issue == ONE_QUERY

    @property
    def fixed_intervals(self) -> bool:
        """Whether queries are issued at fixed intervals."""
        return self.issue == INTERVALS

    def figure(self, raw: float | None) -> float | None:
        """The result in `unit`, as the round publishes it, of the value in the log."""
        return None if raw is None else round(raw * self.factor, self.digits)

    def recorded_figure(self, performance: Mapping[str, Any]) -> float | None:
        """The result of a recorded run.

        Parameters
        ----------
        performance
            The object `performance` of results.json.
        """
        value = performance.get(self.recorded)
        if self.recorded == _LATENCY:
            value = (value or {}).get(self.percentile_name)
        return None if value is None else float(value)


def read_scenario(key: str, row: Fields, benchmark: str) -> Scenario:
    """A scenario of a round's data file; figures that depend on the benchmark are those of `benchmark`.

    Raises
    ------
    ConfigError
        If a value is missing or of the wrong kind; with its file and key.
    """
    power = row.fields("power")
    return Scenario(
        key=key,
        name=row.needed("name"),
        result_key=row.needed("result_key"),
        recorded=row.needed("recorded"),
        figure_name=row.text("figure_name"),
        unit=row.needed("unit"),
        factor=needed_number(row, "factor"),
        digits=row.whole("digits", 9) or 0,
        lower_is_better=one_of(row, "better", ("lower", "higher")) == "lower",
        percentile=needed_number(row, "percentile"),
        min_duration_ms=needed_whole(row, "min_duration_ms"),
        min_query_count=needed_whole(row, "min_query_count"),
        target_latency_ms=row.fields("target_latency_ms").number(benchmark),
        latency_bound=row.flag("latency_bound"),
        issue=one_of(row, "issue", _ISSUE, NEXT),
        target=one_of(row, "target", _TARGETS),
        target_qps=row.fields("target_qps").number(benchmark),
        samples_per_query=needed_whole(row, "samples_per_query"),
        max_async_queries=row.whole("max_async_queries", 1) or 1,
        power_unit=power.needed("unit"),
        power_queries=power.text("queries"),
        power_rate=power.text("rate"),
    )


def needed_number(row: Fields, key: str) -> float:
    """A number that has to be there."""
    value = row.number(key)
    if value is None:
        raise row.error(key, None, "a finite number")
    return value


def needed_whole(row: Fields, key: str) -> int:
    """An integer that has to be there."""
    value = row.whole(key)
    if value is None:
        raise row.error(key, None, "an integer")
    return value


def one_of(row: Fields, key: str, known: tuple[str, ...], default: str = "") -> str:
    """One of the known words."""
    value = row.text(key, default)
    if value not in known:
        raise row.error(key, value, f"one of {', '.join(known)}")
    return value
