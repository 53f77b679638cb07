"""LoadGen's settings for a performance run, and whether the run was long enough."""

from __future__ import annotations

from pathlib import Path

from ck_repo.contract.logs import Detail
from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.rules import Rules
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission_rules import REJECTED


def check_settings(row: Checked, log: Detail, path: Path, rules: Rules, scenario: Scenario) -> None:
    """Check a log against the settings and limits of its scenario; a missing or invalid value makes the log invalid.

    Parameters
    ----------
    row
        The result, which gets a finding for each deviation.
    path
        The file of the log, for findings.
    rules
        Seeds and number of samples of the benchmark.
    scenario
        Minimum duration (ms) and number of queries, bound of the latency (ms), and required keys.
    """
    settings = _Settings(row, log, path)
    for key in (*scenario.needs, *(row.round.text_log.needs if row.round.text_log else ())):
        settings.number(key)
    settings.at_least("sample-count", "effective_performance_sample_count", rules.performance_sample_count)
    settings.at_least("duration", "effective_min_duration_ms", scenario.min_duration_ms)
    for name, seed in rules.seeds.items():
        if log.values.get(f"effective_{name}") != seed:
            settings.add("seed", f"effective_{name}", f"effective_{name} {seed}")
    if scenario.one_query:
        _samples(settings, scenario)
    elif scenario.early_stopping:
        if not log.values.get("early_stopping_met"):
            settings.add("early-stopping", "early_stopping_met", "early_stopping_met true")
    else:
        settings.at_least("query-count", "effective_min_query_count", scenario.min_query_count)
        settings.at_least("query-count", "generated_query_count", scenario.min_query_count, needed=False)
    if scenario.bound_ms is not None:
        bound = scenario.bound_ms * 1e6
        key = "effective_target_latency_ns" if scenario.early_stopping else scenario.latency_key
        if (seen := settings.number(key)) is not None and seen > bound:
            settings.add("latency", key, f"{key} of at most {bound:.0f}")


def _samples(settings: _Settings, scenario: Scenario) -> None:
    settings.number("effective_min_query_count")
    minimum = scenario.min_query_count
    settings.at_least("offline-samples", "effective_samples_per_query", minimum)
    settings.at_least("offline-samples", "effective_min_sample_count", minimum, needed=False)
    settings.at_least("offline-samples", "generated_samples_per_query", minimum, needed=False)


class _Settings:
    """The values of a log, with findings about them."""

    def __init__(self, row: Checked, log: Detail, path: Path) -> None:
        self._row, self._log, self._path = row, log, path
        self._wrong: set[str] = set()

    def add(self, rule: str, key: str, expected: str) -> None:
        seen = self._log.values.get(key, "no such key")
        self._row.add(rule, self._path, expected, seen, self._log.lines.get(key, 0))

    def number(self, key: str, rule: str = "setting") -> float | None:
        """A required number; text that looks like a number is invalid in logs of JSON lines."""
        value = self._log.number(key)
        if self._row.round.text_log is None and isinstance(self._log.values.get(key), str):
            value = None
        if value is None and key not in self._wrong:
            self._wrong.add(key)
            self.add(rule, key, f"a number as {key}")
        return value

    def at_least(self, rule: str, key: str, bound: float, *, needed: bool = True) -> None:
        if not needed and key not in self._log.values:
            return
        rejecting = self._row.round.submission.advice[rule].severity == REJECTED
        value = self.number(key, rule if rejecting else "setting") if needed else self._log.number(key)
        if value is not None and value < bound:
            self.add(rule, key, f"{key} of at least {bound:g}")
