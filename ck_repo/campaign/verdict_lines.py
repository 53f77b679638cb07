"""The outcome of a search for settings, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ck_repo.campaign.goal import GOALS, Goal
from ck_repo.run.options import RunOptions
from ck_repo.table import pair_lines


def verdict_lines(meta: Mapping[str, Any]) -> list[str]:
    """The verdict in the meta of a campaign of kind `tune`, or that there is none yet."""
    verdicts = meta.get("verdicts")
    if not isinstance(verdicts, Mapping) or not verdicts:
        return ["no settings are confirmed yet: the command that began the search continues it"]
    counted = ", ".join(f"{number} {state}" for state, number in (meta.get("trials") or {}).items())
    lines = [f"trials: {counted}"]
    if len(goals := list(meta.get("goals") or ())) > 1:
        lines += ["", *front_lines(goals, meta.get("front") or ())]
    for name, verdict in verdicts.items():
        if goal := GOALS.get(str(name)):
            lines += ["", *_one(goal, verdict, kept=name in (meta.get("settings") or {}))]
    return lines


def front_lines(goals: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The front of two goals: a line for each trial that no other surpasses."""
    lines = [f"front of {' and '.join(goals)}: no other trial is at least as good in both"]
    for row in rows:
        found = ", ".join(f"{float(row['figures'][name]):.5g} {GOALS[name].unit}" for name in goals if name in GOALS)
        lost = "" if row.get("keeps_accuracy", True) else "    (loses more accuracy than --keep allows)"
        lines.append(f"  {found}    {settings_text(row['values'])}{lost}")
    return lines


def settings_text(values: Mapping[str, Any]) -> str:
    """Settings in a line; what is left to ck is its default."""
    return ", ".join(f"{name.removeprefix('backend_options.')} {shown(value)}" for name, value in values.items())


def shown(value: Any) -> str:
    """A value of a setting; an empty one leaves the choice to ck, or to the backend."""
    return "default" if value == "" else str(value)


def _one(goal: Goal, verdict: Mapping[str, Any], *, kept: bool) -> list[str]:
    settings = [(str(name).removeprefix("backend_options."), shown(value)) for name, value in (verdict["values"] or {}).items()]
    interval = verdict.get("interval")
    between = "" if interval is None else f" (95 % interval {interval[0]:.3f} – {interval[1]:.3f})"
    named = "" if goal.scenario == RunOptions().scenario else f" --scenario={goal.scenario}"
    run = f"`ck run --tuned{named}`"
    lines = [
        f"goal: {goal.name}, {goal.scenario}",
        *pair_lines(settings),
        f"settings: {_figures(verdict['winner'])} {goal.unit}",
        f"default:  {_figures(verdict['default'])} {goal.unit}",
        f"{verdict['ratio']:.3f} times the speed of the default choice{between}",
    ]
    if not kept:
        return [*lines, f"recorded by an earlier version of ck: {run} does not use it"]
    if verdict.get("beats_default"):
        return [*lines, f"the settings are faster than the default choice: {run} uses them on this machine"]
    return [*lines, f"the settings are NOT faster than the default choice, which {run} uses on this machine"]


def _figures(values: Any) -> str:
    return ", ".join(f"{float(value):.5g}" for value in values)
