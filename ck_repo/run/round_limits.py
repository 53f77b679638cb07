"""Limits of a round's rules for the options of an official performance run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ck_repo.errors import UsageError

if TYPE_CHECKING:
    from ck_repo.rounds.scenario import Scenario
    from ck_repo.run.options import RunOptions


def check_duration(options: RunOptions, rules: Scenario) -> None:
    """``--time``: longer runs are allowed, shorter ones are not.

    Raises
    ------
    UsageError
        If the duration is below the round's minimum.
    """
    if options.seconds is not None and 1e3 * options.seconds < rules.min_duration_ms:
        raise UsageError(
            f"an official run takes at least {rules.min_duration_ms / 1e3:g} s, and --time={options.seconds:g}",
            hint="omit --time=, or omit --official to experiment",
        )


def check_target(options: RunOptions, rules: Scenario) -> None:
    """``--target-qps``: Server needs one, and fixed intervals are set by the round.

    Raises
    ------
    UsageError
        If the target is missing, or differs from a fixed one.
    """
    if rules.at_rate and options.target_qps is None:
        raise UsageError(
            f"an official run of {rules.key} needs a target",
            hint=f"--target-qps=, or --user-conf=: `ck find performance --scenario={rules.key}` writes one",
        )
    if rules.fixed_intervals and options.target_qps not in (None, rules.target_qps):
        raise UsageError(
            f"the intervals of {rules.name} are the round's: {rules.target_qps:g} a second", hint="omit --target-qps="
        )


def check_latency_bound(options: RunOptions, rules: Scenario) -> None:
    """``--target-latency``: the round's bound may only be lowered.

    Raises
    ------
    UsageError
        If the bound is above the round's.
    """
    bound, asked = rules.bound_ms, options.target_latency
    if bound is not None and asked is not None and asked > bound:
        raise UsageError(
            f"the rules' bound for {rules.name} is {bound:g} ms, and --target-latency={asked:g}",
            hint="it may only be lowered",
        )
