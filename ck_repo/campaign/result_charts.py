"""Charts of a sweep's results: speed against accuracy, and the machines side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ck_repo.campaign.results import Row
from ck_repo.report.chart import MUTED, Chart, data, nominal, quantity, tooltip

_MAX_BARS = 60  # bars of a chart of machines


def front_charts(rows: Sequence[Row]) -> list[Chart]:
    """Speed against accuracy with the Pareto front of each machine, a chart for each scenario and unit."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.value is not None and row.mAP is not None:
            groups[row.scenario, row.unit].append(row)
    return [_front(f"front-{number}", *key, found) for number, (key, found) in enumerate(groups.items())]


def _front(key: str, scenario: str, unit: str, rows: Sequence[Row]) -> Chart:
    points = [
        {
            "cell": str(row.cell),
            "machine": row.machine or "this machine",
            "value": row.value,
            "mAP": row.mAP,
            "front": "on the front" if row.on_front else "not on the front",
        }
        for row in rows
    ]
    x = quantity("value", unit, scale={"zero": False, "padding": 12})
    y = quantity("mAP", "mAP", scale={"zero": False, "padding": 12}, axis={"format": ".3f"})
    best = sorted((row for row in points if row["front"] == "on the front"), key=lambda row: float(str(row["value"])))
    line = {
        "data": data(best, "front"),
        "mark": {"type": "line", "color": MUTED, "strokeDash": [4, 3], "strokeWidth": 1.5},
        "encoding": {"x": x, "y": y, "detail": nominal("machine"), "order": {"field": "value", "type": "quantitative"}},
    }
    dots = {
        "data": data(points),
        "mark": {"type": "point", "size": 70},
        "encoding": {
            "x": x, "y": y, "color": nominal("machine"), "shape": nominal("front"),
            "tooltip": tooltip(("cell", "cell"), ("machine", "machine"), ("value", unit, ".5g"), ("mAP", "mAP", ".4f"),
                               ("front", "Pareto")),
        },
    }  # fmt: skip
    side = "left" if rows[0].lower_is_better else "right"
    text = f"Better is {side} and up. A dashed line joins the Pareto front of a machine."
    table = [(row["cell"], row["machine"], f"{row['value']:.6g}", f"{row['mAP']:.4f}", row["front"]) for row in points]
    return Chart(
        key, f"Speed and accuracy: {scenario}", text, {"height": 320, "layer": [line, dots]},
        ("cell", "machine", unit, "mAP", "Pareto front"), table,
    )  # fmt: skip


def machine_charts(rows: Sequence[Row]) -> list[Chart]:
    """The figure of every cell on each machine, a chart for each scenario and unit; none with one machine."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.value is not None and row.machine:
            groups[row.scenario, row.unit].append(row)
    return [
        _machines(f"machines-{number}", *key, found[:_MAX_BARS], len(found))
        for number, (key, found) in enumerate(groups.items())
        if len({row.machine for row in found}) > 1
    ]


def _machines(key: str, scenario: str, unit: str, rows: Sequence[Row], count: int) -> Chart:
    points = [{"cell": str(row.cell), "machine": row.machine, "value": row.value} for row in rows]
    spec = {
        "data": data(points),
        "mark": {"type": "bar"},
        "encoding": {
            "y": nominal("cell", None, axis={"labelLimit": 260}),
            "yOffset": nominal("machine"),
            "x": quantity("value", unit),
            "color": nominal("machine"),
            "tooltip": tooltip(("cell", "cell"), ("machine", "machine"), ("value", unit, ".5g")),
        },
        "height": {"step": 14},
    }
    left = f" The first {len(rows)} of {count} are drawn." if len(rows) < count else ""
    better = "lower" if rows[0].lower_is_better else "higher"
    table = [(row["cell"], row["machine"], f"{row['value']:.6g}") for row in points]
    text = f"The median of each cell on each machine; {better} is better.{left}"
    return Chart(key, f"Machines: {scenario}", text, spec, ("cell", "machine", unit), table, wide=True)
