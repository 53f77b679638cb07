"""What the rules of a round leave to the user of an official performance run, by option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ck_repo.errors import UsageError

if TYPE_CHECKING:
    from ck_repo.rounds.rules import ScenarioRules
    from ck_repo.run.options import RunOptions


def check_duration(options: RunOptions, rules: ScenarioRules) -> None:
    """``--time``: a longer run is allowed, a shorter one is not."""
    if options.seconds is not None and 1e3 * options.seconds < rules.min_duration_ms:
        raise UsageError(
            f"an official run takes at least {rules.min_duration_ms / 1e3:g} s, and --time={options.seconds:g}",
            hint="leave out --time=, or --official to try something",
        )


def check_target(options: RunOptions, rules: ScenarioRules) -> None:
    """``--target-qps``: Server needs one, and MultiStream has that of the round."""
    if options.scenario == "server" and options.target_qps is None:
        raise UsageError(
            "an official run of server needs a target",
            hint="--target-qps=, or --user-conf=: `ck find performance --scenario=server` writes one",
        )
    if options.scenario == "multistream" and options.target_qps not in (None, rules.target_qps):
        raise UsageError(
            f"the intervals of MultiStream are the round's: {rules.target_qps:g} a second", hint="leave out --target-qps="
        )


def check_latency_bound(options: RunOptions, rules: ScenarioRules) -> None:
    """``--target-latency``: the bound of Server and MultiStream may be lowered."""
    bound, asked = rules.target_latency_ms, options.target_latency
    if options.scenario in ("server", "multistream") and bound is not None and asked is not None and asked > bound:
        raise UsageError(
            f"the rules' bound for {rules.name} is {bound:g} ms, and --target-latency={asked:g}",
            hint="a user may lower it, not raise it",
        )
