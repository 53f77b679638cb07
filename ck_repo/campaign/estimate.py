"""Estimates of the duration of runs."""

from __future__ import annotations

from ck_repo.campaign.recorded import Recorded
from ck_repo.rounds.round import load_round
from ck_repo.run.options import DEFAULT_SECONDS, RunOptions


class Estimates:
    """Expected durations: of the last run with the same options, else derived from the options."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._known: dict[str, float] = {}

    def note(self, options: RunOptions, seconds: float) -> None:
        """Record the duration of a run."""
        self._known[_key(options)] = seconds

    def known(self, options: RunOptions) -> float | None:
        """Seconds of the last run with the same options, or of a run that has more tests; None if there is none."""
        return self._known.get(_key(options)) or self._recorded.seconds(options)

    def seconds(self, options: RunOptions) -> float:
        """Expected seconds of a run; a lower bound if no run with these options is recorded."""
        return self.known(options) or minimum_seconds(options)


def minimum_seconds(options: RunOptions) -> float:
    """The duration of the performance test; the other parts of a run are unknown beforehand."""
    if "performance" not in options.modes:
        return 0.0
    seconds = options.seconds if options.seconds is not None else DEFAULT_SECONDS
    if options.official and (scenario := load_round(options.round).find_scenario(options.scenario)):
        seconds = max(seconds, scenario.min_duration_ms / 1e3)
    return seconds


def _key(options: RunOptions) -> str:
    return repr(sorted(options.as_data().items()))
