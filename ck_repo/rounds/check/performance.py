"""The performance log of a result, and the figure that is in it."""

from __future__ import annotations

from pathlib import Path

from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.logs import Detail, read_detail
from ck_repo.rounds.rules import Rules
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission import DETAIL
from ck_repo.store.plain_file import UnreadableError


def read_log(path: Path, row: Checked, rule: str) -> Detail | None:
    """A detail log; None if it is not there, or is none."""
    try:
        log = read_detail(path, row.place.root)
    except UnreadableError as error:
        row.add(rule, path, "LoadGen's detail log", error.why)
        return None
    if log.broken:
        row.add(rule, path, "events of LoadGen", "a line that cannot be read: cut short, or edited", log.broken[0])
    if not log.values:
        row.add(rule, path, "events of LoadGen", "none")
        return None
    return log


def check_performance(row: Checked, rules: Rules, scenario: Scenario) -> Detail | None:
    """Check the performance run; the result's figure is entered in `row`."""
    folder = row.place.performance
    for name in row.round.submission.performance_files:
        if name != DETAIL:
            row.needs("files", folder / name)
    path = folder / DETAIL
    log = read_log(path, row, "performance-log")
    if log is None:
        return None

    def at(key: str) -> int:
        return log.lines.get(key, 0)

    if log.values.get("effective_scenario") != scenario.name:
        row.add("scenario", path, scenario.name, log.values.get("effective_scenario", "none"), at("effective_scenario"))
    if log.values.get("effective_test_mode") != "PerformanceOnly":
        seen = log.values.get("effective_test_mode", "none")
        row.add("test-mode", path, "PerformanceOnly", seen, at("effective_test_mode"))
    if log.values.get("result_validity") != "VALID":
        row.add("valid", path, "VALID", log.values.get("result_validity", "no result"), at("result_validity"))
    for line, text in log.errors[:1]:
        row.add("errors", path, "no event with is_error", f"{len(log.errors)}, the first: {text}", line)
    row.value, row.unit = scenario.figure(log.number(scenario.result_key)), scenario.unit
    if row.value is None:
        seen = repr(log.values[scenario.result_key]) if scenario.result_key in log.values else "no such key"
        row.add("result", path, f"a number as {scenario.result_key}", seen, at(scenario.result_key))
    _settings(row, log, path, rules, scenario)
    return log


def _settings(row: Checked, log: Detail, path: Path, rules: Rules, scenario: Scenario) -> None:
    """What LoadGen was told, and whether the run was long enough."""

    def least(rule: str, key: str, bound: float) -> None:
        seen = log.number(key)
        if seen is None or seen < bound:
            row.add(rule, path, f"{key} of at least {bound:g}", log.values.get(key, "no such key"), log.lines.get(key, 0))

    least("sample-count", "effective_performance_sample_count", rules.performance_sample_count)
    for name, seed in rules.seeds.items():
        key = f"effective_{name}"
        if log.values.get(key) != seed:
            row.add("seed", path, f"{key} {seed}", log.values.get(key, "no such key"), log.lines.get(key, 0))
    least("duration", "effective_min_duration_ms", scenario.min_duration_ms)
    if scenario.one_query:
        least("offline-samples", "effective_min_sample_count", scenario.min_query_count)
        samples = log.number("generated_samples_per_query")
        if samples is not None and samples < scenario.min_query_count:
            line = log.lines.get("generated_samples_per_query", 0)
            row.add("offline-samples", path, f"{scenario.min_query_count} samples in the query", f"{samples:g}", line)
    else:
        least("query-count", "effective_min_query_count", scenario.min_query_count)
        queries = log.number("generated_query_count")
        if queries is not None and queries < scenario.min_query_count:
            line = log.lines.get("generated_query_count", 0)
            row.add("query-count", path, f"{scenario.min_query_count} queries", f"{queries:g}", line)
    if scenario.bound_ms is not None:
        key = log.latency_key(scenario.percentile)
        seen = log.number(key)
        if seen is None or seen > scenario.bound_ms * 1e6:
            text = log.values.get(key, "no such key")
            row.add("latency", path, f"{key} of at most {scenario.bound_ms * 1e6:.0f}", text, log.lines.get(key, 0))
