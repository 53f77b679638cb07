"""mlperf.conf and user.conf: ``model.scenario.key = value``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ck_repo.rounds.round import SEEDS, Round
from ck_repo.rounds.rules import Rules
from ck_repo.rounds.scenario import Scenario

_LINE = re.compile(r"^\s*([^.\s]+)\.([^.\s]+)\.([^=\s]+)\s*=\s*(.*?)\s*$")
TARGETS = ("target_qps", "target_latency", "samples_per_query", "coalesce_queries", "max_async_queries")
# settings that users may raise but not lower
_COUNTS = ("performance_sample_count_override", "min_duration", "min_query_count")
_KNOWN = (*SEEDS, *TARGETS, *_COUNTS, "target_latency_percentile", "max_duration", "max_query_count", "target_duration", "mode")


@dataclass(frozen=True)
class Setting:
    """A setting.

    Attributes
    ----------
    model, scenario
        ``*`` for any.
    value
        As written; times in ms.
    line
        From 1.
    """

    model: str
    scenario: str
    key: str
    value: str
    line: int
    text: str

    @property
    def number(self) -> float | None:
        """The value as a number; None if it is not one."""
        try:
            return float(self.value)
        except ValueError:
            return None

    def concerns(self, round_: Round, scenario: str) -> bool:
        """Whether the setting applies to a scenario: its own, any, or an unknown one.

        Parameters
        ----------
        scenario
            The name in the round, such as ``SingleStream``.
        """
        named = round_.find_scenario(self.scenario)
        return named is None or named.name == scenario

    def refusal(self, rules: Rules) -> str:
        """What the rules require instead; empty if they allow it."""
        if not self.key:
            return "model.scenario.key = value"
        round_ = rules.round
        benchmark = round_.benchmark_called(self.model)
        if not benchmark and self.model.lower() not in ("*", *round_.submission.other_benchmarks, *round_.conf_models):
            return "a model of the round, or *"
        if self.model != "*" and benchmark != rules.benchmark:
            return ""  # another benchmark, with its own rules
        if self.scenario != "*" and round_.find_scenario(self.scenario) is None:
            return "" if self.scenario in round_.other_scenarios else "a scenario of the round, or *"
        if self.key not in _KNOWN:
            return "a setting that LoadGen of the round knows"
        if self.number is None and self.key != "mode":
            return "a number"
        if self.key in ("target_qps", "target_latency", "samples_per_query") and not 0 < (self.number or 0) < float("inf"):
            return "a number above 0"
        if self.key in SEEDS:
            wanted = rules.seeds[self.key]
            return "" if self.value == str(wanted) else f"no own seed: the round's is {wanted}"
        if self.key in ("min_query_count", "max_query_count") and all(row.early_stopping for row in self._scenarios(rules)):
            return ""  # early stopping decides
        if self.key in _COUNTS:
            minimum = self._minimum(rules)
            return "" if (self.number or 0) >= minimum else f"{self.key} of at least {minimum:g}"
        row = rules.scenarios.get(self.scenario.lower())
        if row and row.fixed_intervals and self.key in ("target_qps", "max_async_queries"):
            fixed = row.target_qps if self.key == "target_qps" else row.max_async_queries
            return "" if self.number == fixed else f"the round's {fixed:g}: {row.name} has fixed intervals"
        if self.key == "target_latency_percentile":
            percentiles = sorted({100 * row.percentile for row in self._scenarios(rules)})
            return "" if [self.number] == percentiles else f"the round's {' or '.join(f'{each:g}' for each in percentiles)}"
        if self.key in ("max_duration", "max_query_count") and self.number:
            return f"no {self.key}: a run ends when the minimum of the rules is reached"
        if self.key == "target_latency":
            return self._over_the_bound(rules)
        return ""

    def not_taken(self, rules: Rules) -> str:
        """The value that our run would use instead, if the rules allow more than it supports; empty if it uses the setting."""
        if self.refusal(rules) or rules.round.benchmark_called(self.model) not in ("", rules.benchmark):
            return ""
        minimum = self._minimum(rules) if self.key in ("performance_sample_count_override", "min_query_count") else 0
        return f"the round's {minimum:g}: higher values are not supported" if minimum and (self.number or 0) > minimum else ""

    def _over_the_bound(self, rules: Rules) -> str:
        bounds = [row.bound_ms for row in self._scenarios(rules) if row.bound_ms]
        if bounds and (self.number or 0) > min(bounds):
            return f"target_latency of at most {min(bounds):g} ms"
        return ""

    def _minimum(self, rules: Rules) -> float:
        if self.key == "performance_sample_count_override":
            return rules.performance_sample_count
        rows = self._scenarios(rules)
        if self.key == "min_duration":
            return max((row.min_duration_ms for row in rows), default=0)
        # if all samples are in one query, their minimum is not this setting
        return max((row.min_query_count for row in rows if not row.one_query), default=0)

    def _scenarios(self, rules: Rules) -> list[Scenario]:
        """The scenarios that the setting applies to."""
        return [row for row in rules.scenarios.values() if self.scenario.lower() in ("*", row.key)]


def parse_conf(text: str) -> list[Setting]:
    """The settings of a file; invalid lines have an empty key; comments and empty lines are skipped."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#", 1)[0].strip()
        if not content:
            continue
        match = _LINE.match(content)
        model, scenario, key, value = match.groups() if match else ("", "", "", "")
        rows.append(Setting(model, scenario, key, value, number, content))
    return rows


def look_up(round_: Round, rows: Sequence[Setting], model: str, scenario: str, key: str) -> Setting | None:
    """The effective setting: that of model.scenario, any.scenario, model.any or any.any, in this order; the last one
    among equals.

    Parameters
    ----------
    rows
        The settings of a file, in order.

    Returns
    -------
    Setting or None
        None if no setting applies.
    """
    benchmark = round_.benchmark_called(model)
    names = {"*", model.lower(), benchmark}
    best: tuple[int, Setting] | None = None
    for row in rows:
        if row.key != key or row.scenario.lower() not in ("*", scenario.lower()):
            continue
        if row.model.lower() not in names and round_.benchmark_called(row.model) != benchmark:
            continue
        rank = (row.scenario != "*") * 2 + (row.model != "*")
        if best is None or rank >= best[0]:
            best = (rank, row)
    return best[1] if best else None


def with_setting(text: str, line: str) -> str:
    """A file's text with a setting; older ones with the same model, scenario and key are replaced.

    Parameters
    ----------
    text
        The content of a user.conf.
    line
        The setting as in a user.conf.
    """
    (new,) = parse_conf(line)
    names = (new.model.lower(), new.scenario.lower(), new.key)
    old = {row.line for row in parse_conf(text) if (row.model.lower(), row.scenario.lower(), row.key) == names}
    kept = [row for number, row in enumerate(text.splitlines(), 1) if number not in old]
    return "\n".join([*kept, line]) + "\n"


def targets_of(round_: Round, text: str, model: str, scenario: str) -> dict[str, float]:
    """The settings of a user.conf for a run: target_qps (1/s), target_latency and min_duration (ms), samples_per_query.

    Returns
    -------
    dict
        Only the settings that the file has.
    """
    rows = parse_conf(text)
    names = ("target_qps", "target_latency", "samples_per_query", "min_duration")
    found = {key: look_up(round_, rows, model, scenario, key) for key in names}
    return {key: row.number for key, row in found.items() if row is not None and row.number is not None}
