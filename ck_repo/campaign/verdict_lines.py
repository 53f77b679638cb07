"""The outcome of a search for settings, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.campaign.goal import GOALS


def verdict_lines(meta: Mapping[str, Any]) -> list[str]:
    """The verdict in the meta of a campaign of kind `tune`, or that there is none yet."""
    goal = GOALS.get(str(meta.get("goal")))
    verdict = meta.get("verdict")
    if not isinstance(verdict, Mapping) or goal is None:
        return ["no settings are confirmed yet: run the command that started the search to continue it"]
    counted = ", ".join(f"{number} {state}" for state, number in (meta.get("trials") or {}).items())
    settings = [(str(name).removeprefix("backend_options."), value) for name, value in (verdict["values"] or {}).items()]
    width = max((len(name) for name, _ in settings), default=0)
    interval = verdict.get("interval")
    between = "" if interval is None else f" (95 % interval {interval[0]:.3f} – {interval[1]:.3f})"
    beats = bool(verdict.get("beats_default"))
    return [
        f"goal: {goal.name}, {goal.scenario}; trials: {counted}",
        *(f"{name.ljust(width)}  {value}" for name, value in settings),
        f"settings: {_figures(verdict['winner'])} {goal.unit}",
        f"default:  {_figures(verdict['default'])} {goal.unit}",
        f"{verdict['ratio']:.3f} times the speed of the default choice{between}",
        "the settings are faster than the default choice: `ck run --tuned` uses them on this machine"
        if beats
        else "the settings are NOT faster than the default choice, which `ck run --tuned` uses on this machine",
    ]


def _figures(values: Any) -> str:
    return ", ".join(f"{float(value):.5g}" for value in values)
