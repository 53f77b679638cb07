"""Charts of a site: speed against accuracy, trends, and own results among published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ck_repo.experiments.change_points import change_points
from ck_repo.experiments.published import matching
from ck_repo.experiments.published_figure import Published
from ck_repo.report.chart import ACCENT, BAD, MUTED, Chart, data, nominal, quantity, tooltip
from ck_repo.report.site_rows import SiteRow, front

_FEWEST = 3  # minimum points of a trend
_MAX_TRENDS = 24
_NO_ACCELERATOR = ("", "-", "N/A", "NONE")
_AROUND = 20  # maximum published results drawn on either side of our own


def pareto_charts(rows: Sequence[SiteRow]) -> list[Chart]:
    """Speed against accuracy, a chart for each data set, scenario and unit."""
    groups: dict[tuple[str, str, str], list[SiteRow]] = {}
    for row in rows:
        if row.value is not None and row.mAP is not None and row.kind in ("result", "submitted"):
            groups.setdefault((row.dataset, row.scenario, row.unit), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [_pareto(f"pareto-{number}", *key, found) for number, (key, found) in enumerate(ordered)]


def _pareto(key: str, dataset: str, scenario: str, unit: str, rows: Sequence[SiteRow]) -> Chart:
    best = front(rows)
    on_front = {row.uid for row in best}
    points = [
        {
            "name": row.name, "model": row.model, "backend": row.backend or "unknown", "precision": row.precision or "unknown",
            "machine": row.machine, "value": row.value, "mAP": row.mAP, "verdict": row.verdict,
            "front": "on the front" if row.uid in on_front else "",
        }
        for row in rows
    ]  # fmt: skip
    accuracies = [row.mAP or 0.0 for row in rows]
    room = max(0.005, 0.1 * (max(accuracies) - min(accuracies)))
    between = [max(0.0, min(accuracies) - room), min(1.0, max(accuracies) + room)]
    x = quantity("value", unit, scale={"zero": False, "padding": 12})
    y = quantity("mAP", "mAP", scale={"domain": between, "zero": False}, axis={"format": ".3f"})
    shown = tooltip(("name", "experiment"), ("model", "model"), ("backend", "backend"), ("precision", "precision"),
                    ("machine", "machine"), ("value", unit, ".5g"), ("mAP", "mAP", ".4f"), ("verdict", "verdict"),
                    ("front", "Pareto"))  # fmt: skip
    line = {
        "data": data([{"value": row.value, "mAP": row.mAP, "order": at} for at, row in enumerate(best)], "front"),
        "mark": {"type": "line", "color": MUTED, "strokeDash": [4, 3], "strokeWidth": 1.5},
        "encoding": {"x": x, "y": y, "order": {"field": "order", "type": "quantitative"}},
    }
    dots = {
        "data": data(points),
        "mark": {"type": "point", "size": 70, "opacity": 0.85},
        "encoding": {
            "x": x, "y": y, "color": nominal("backend"), "shape": nominal("precision"),
            "tooltip": shown,
            "opacity": {"condition": {"test": "datum.verdict == 'VALID'", "value": 0.9}, "value": 0.3},
        },
    }  # fmt: skip
    side = "left" if rows[0].lower_is_better else "right"
    text = f"Better is {side} and up. The dashed line joins runs that no other run dominates; INVALID runs are pale."
    table = [
        (row["name"], row["backend"], row["precision"], f"{row['value']:.6g}", f"{row['mAP']:.4f}", row["front"])
        for row in points
    ]
    columns = ("experiment", "backend", "precision", unit, "mAP", "Pareto front")
    title = ", ".join(part for part in (scenario, dataset) if part)
    layers = [line, dots] if len(best) > 1 else [dots]
    return Chart(key, f"Speed and accuracy: {title}", text, {"height": 320, "layer": layers}, columns, table)


@dataclass(frozen=True)
class Trends:
    """Charts of trends, and the number of omitted ones."""

    charts: list[Chart]
    left_out: int


def trend_charts(rows: Sequence[SiteRow]) -> Trends:
    """Results of the same measurement over time, with change points; those with the most runs first."""
    groups: dict[tuple[str, ...], list[SiteRow]] = {}
    for row in rows:
        if row.value is not None and row.kind == "result" and row.recorded:
            groups.setdefault(row.series, []).append(row)
    long = sorted((found for found in groups.values() if len(found) >= _FEWEST), key=lambda found: -len(found))
    charts = [_trend(f"trend-{number}", found) for number, found in enumerate(long[:_MAX_TRENDS])]
    return Trends(charts, max(0, len(long) - _MAX_TRENDS))


def _trend(key: str, rows: Sequence[SiteRow]) -> Chart:
    ordered = sorted(rows, key=lambda row: row.recorded)
    changes = change_points([row.value or 0.0 for row in ordered])
    starts = [0, *changes, len(ordered)]
    unit = ordered[0].unit
    points = [
        {"at": row.recorded, "value": row.value, "name": row.name, "commit": row.commit, "verdict": row.verdict}
        for row in ordered
    ]
    means: list[float] = []
    steps = []
    for begin, end in pairwise(starts):
        mean = sum(row.value or 0.0 for row in ordered[begin:end]) / (end - begin)
        means.append(mean)
        steps += [{"at": ordered[at].recorded, "mean": mean, "part": begin} for at in (begin, end - 1)]
    x = {"field": "at", "type": "temporal", "title": "recorded", "axis": {"labelOverlap": True}}
    marks = [
        {
            "at": ordered[at].recorded, "commit": ordered[at].commit,
            "change": 100 * (means[number + 1] / means[number] - 1),
        }
        for number, at in enumerate(changes)
    ]  # fmt: skip
    shown = tooltip(("name", "experiment"), ("value", unit, ".5g"), ("commit", "commit"), ("verdict", "verdict"))
    layers = [
        {
            "data": data(points),
            "mark": {"type": "point", "size": 40, "color": ACCENT},
            "encoding": {"x": x, "y": quantity("value", unit, scale={"zero": False}), "tooltip": shown},
        },
        {
            "data": data(steps, "means"),
            "mark": {"type": "line", "color": MUTED, "strokeWidth": 1.5},
            "encoding": {"x": x, "y": quantity("mean", unit), "detail": nominal("part")},
        },
    ]
    if marks:
        layers.append(
            {
                "data": data(marks, "changes"),
                "mark": {"type": "rule", "color": BAD, "strokeWidth": 1.5},
                "encoding": {"x": x, "tooltip": tooltip(("commit", "commit"), ("change", "change, %", "+.1f"))},
            }
        )
    described = [f"{row['change']:+.1f} % at {row['at']} ({row['commit'] or 'no commit'})" for row in marks]
    text = f"{len(ordered)} runs. " + (f"Changes: {'; '.join(described)}." if described else "No change beyond the noise.")
    table = [(row["name"], row["at"], f"{row['value']:.6g}", row["commit"], row["verdict"]) for row in points]
    title = ", ".join(part for part in dict.fromkeys(ordered[0].series) if part)
    return Chart(key, title, text, {"layer": layers}, ("experiment", "recorded", unit, "commit", "verdict"), table)


def placement_charts(rows: Sequence[SiteRow], published: Sequence[Published]) -> list[Chart]:
    """The best run of each model and scenario among the published results of similar systems."""
    best: dict[tuple[str, str, str, str], SiteRow] = {}
    for row in rows:
        found = row.subject.figures
        if row.kind != "result" or row.value is None or not row.valid or not found.benchmark:
            continue
        key = (found.benchmark, found.scenario, found.round, "CPU" if row.device == "cpu" else "accelerator")
        if key not in best or _better(row, best[key]):
            best[key] = row
    charts = []
    for number, ((benchmark, scenario, round_, kind), row) in enumerate(sorted(best.items())):
        every = [each for each in matching(published, model=benchmark, scenario=scenario, round_=round_) if each.value]
        like = [each for each in every if (kind == "CPU") == (each.accelerator.upper() in _NO_ACCELERATOR)]
        if every:
            about = f"among systems with {'a CPU alone' if kind == 'CPU' else 'an accelerator'}"
            about = about if like else f"among all systems: none was published with {kind} alone"
            title = f"{benchmark}, {scenario}, round {round_}"
            charts.append(_placement(f"placement-{number}", title, about, row, like or every))
    return charts


def _better(one: SiteRow, other: SiteRow) -> bool:
    first, second = one.value or 0.0, other.value or 0.0
    return first < second if one.lower_is_better else first > second


def _placement(key: str, title: str, about: str, own: SiteRow, like: Sequence[Published]) -> Chart:
    value = own.value or 0.0
    points: list[Mapping[str, object]] = [
        {"name": f"{each.submitter}, {each.system}", "value": each.value, "whose": "published", "division": each.division}
        for each in like
    ]
    points = [*points, {"name": f"{own.name} (ours)", "value": value, "whose": "ours", "division": ""}]
    points.sort(key=lambda point: float(str(point["value"])), reverse=not own.lower_is_better)
    place = next(at for at, point in enumerate(points) if point["whose"] == "ours")
    shown = points[max(0, place - _AROUND) : place + _AROUND + 1]
    rows = [{**point, "label": f"{points.index(point) + 1}. {point['name']}"} for point in shown]
    spec = {
        "data": data(rows),
        "height": 20 * len(rows),
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            "y": nominal("label", None, sort=None, axis={"labelLimit": 260}),
            "x": quantity("value", own.unit),
            "color": nominal("whose", scale={"domain": ["ours", "published"], "range": [BAD, ACCENT]}),
            "tooltip": tooltip(("name", "result"), ("value", own.unit, ".6g"), ("division", "division")),
        },
    }
    text = f"Place {place + 1} of {len(points)}, {about}. Our result uses the model {own.model}."
    left = len(points) - len(shown)
    text += f" {left} distant results are omitted from the chart." if left else ""
    table = [(row["label"], f"{float(str(row['value'])):.6g}", row["division"]) for row in rows]
    return Chart(key, title, text, spec, ("result", own.unit, "division"), table, wide=True)
