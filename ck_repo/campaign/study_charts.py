"""Charts of a search for settings: its history, the importance of the settings, and the front of two goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ck_repo.campaign.goal import GOALS, Goal
from ck_repo.campaign.verdict_lines import settings_text
from ck_repo.report.chart import MUTED, Chart, data, nominal, quantity, tooltip

Trial = Mapping[str, Any]


def history_charts(goals: Sequence[Goal], trials: Sequence[Trial]) -> list[Chart]:
    """The figure of every trial in the order of the search, and the best one so far; a chart for each goal."""
    charts = []
    for goal in goals:
        points, best = [], None
        for row in trials:
            if (figure := row["figures"].get(goal.name)) is None:
                continue
            kept = row["violation"] is None or row["violation"] <= 0
            if kept and (best is None or goal.better(figure, best)):
                best = figure
            points.append(
                {
                    "trial": row["number"],
                    "value": figure,
                    "best": best,
                    "settings": settings_text(row["values"]),
                    "accuracy": "kept" if kept else "too low",
                }
            )
        if points:
            charts.append(_history(goal, points))
    return charts


def _history(goal: Goal, points: Sequence[Mapping[str, Any]]) -> Chart:
    x = quantity("trial", "trial", axis={"tickMinStep": 1})
    y = quantity("value", goal.unit, scale={"zero": False})
    line = {
        "data": data([row for row in points if row["best"] is not None], "best"),
        "mark": {"type": "line", "interpolate": "step-after", "color": MUTED},
        "encoding": {"x": x, "y": quantity("best", goal.unit, scale={"zero": False})},
    }
    dots = {
        "data": data(points),
        "mark": {"type": "point", "size": 60},
        "encoding": {
            "x": x,
            "y": y,
            "shape": nominal("accuracy"),
            "tooltip": tooltip(("settings", "settings"), ("value", goal.unit, ".5g"), ("accuracy", "accuracy")),
        },
    }
    better = "lower" if goal.lower_is_better else "higher"
    text = f"A point for each completed trial; {better} is better. The line is the best figure so far whose accuracy is kept."
    table = [(row["trial"], row["settings"], f"{row['value']:.6g}", row["accuracy"]) for row in points]
    columns = ("trial", "settings", goal.unit, "accuracy")
    return Chart(f"history-{goal.name}", f"History: {goal.name}", text, {"layer": [line, dots]}, columns, table)


def importance_charts(importance: Mapping[str, Mapping[str, float]]) -> list[Chart]:
    """How much of a figure's variation is due to each setting; a chart for each goal."""
    charts = []
    for name, shares in importance.items():
        points = [{"setting": key.removeprefix("backend_options."), "share": share} for key, share in shares.items()]
        spec = {
            "data": data(points),
            "mark": {"type": "bar"},
            "encoding": {
                "y": nominal("setting", None, sort=[row["setting"] for row in points]),
                "x": quantity("share", "share of the variation", axis={"format": "%"}),
                "tooltip": tooltip(("setting", "setting"), ("share", "share", ".1%")),
            },
            "height": {"step": 26},
        }
        text = "How much of the variation among the completed trials is due to each setting (PED-ANOVA)."
        table = [(row["setting"], f"{row['share']:.3f}") for row in points]
        charts.append(Chart(f"importance-{name}", f"Importance: {name}", text, spec, ("setting", "share"), table))
    return charts


def goals_chart(goals: Sequence[Goal], trials: Sequence[Trial], front: Sequence[int]) -> Chart | None:
    """The figures of two goals against each other, the front joined by a line; None with one goal.

    Parameters
    ----------
    front
        Numbers of the trials on it.
    """
    if len(goals) < 2:
        return None
    one, other = goals[:2]
    points = [
        {
            "trial": row["number"],
            "x": row["figures"][one.name],
            "y": row["figures"][other.name],
            "settings": settings_text(row["values"]),
            "front": "on the front" if row["number"] in front else "not on the front",
        }
        for row in trials
        if one.name in row["figures"] and other.name in row["figures"]
    ]
    x = quantity("x", one.unit, scale={"zero": False, "padding": 12})
    y = quantity("y", other.unit, scale={"zero": False, "padding": 12})
    line = {
        "data": data([row for row in points if row["front"] == "on the front"], "front"),
        "mark": {"type": "line", "color": MUTED, "strokeDash": [4, 3]},
        "encoding": {"x": x, "y": y, "order": {"field": "x", "type": "quantitative"}},
    }
    dots = {
        "data": data(points),
        "mark": {"type": "point", "size": 70},
        "encoding": {
            "x": x,
            "y": y,
            "shape": nominal("front"),
            "color": nominal("front"),
            "tooltip": tooltip(("settings", "settings"), ("x", one.unit, ".5g"), ("y", other.unit, ".5g"), ("front", "front")),
        },
    }
    sides = f"{'left' if one.lower_is_better else 'right'} and {'down' if other.lower_is_better else 'up'}"
    text = f"Better is {sides}. The dashed line joins the trials that no other surpasses."
    table = [(row["trial"], row["settings"], f"{row['x']:.6g}", f"{row['y']:.6g}", row["front"]) for row in points]
    return Chart(
        "goals", f"Front: {one.name} and {other.name}", text, {"height": 320, "layer": [line, dots]},
        ("trial", "settings", one.unit, other.unit, "front"), table,
    )  # fmt: skip


def goals_of(meta: Mapping[str, Any]) -> list[Goal]:
    """The goals that a campaign's meta names."""
    return [GOALS[name] for name in meta.get("goals") or () if name in GOALS]
