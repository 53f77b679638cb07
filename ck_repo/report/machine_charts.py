"""Charts of the machine during a run."""

from __future__ import annotations

from collections.abc import Sequence

from ck_repo.experiments.queries import Queries
from ck_repo.report.chart import ACCENT, MUTED, Chart, data, quantity, tooltip
from ck_repo.report.machine_log import Look

_POINTS = 600
_KINDS = (
    ("busy", "CPUs busy, %", 100.0, "The share of all CPUs' time in use."),
    ("mhz", "clock, MHz", 1.0, "The mean clock frequency of the CPUs."),
    ("celsius", "temperature, °C", 1.0, "The hottest sensor."),
    ("gpu_busy", "GPUs busy, %", 100.0, "The mean share of the time in use."),
    ("gpu_mhz", "GPU clock, MHz", 1.0, "The mean clock frequency of the GPUs."),
    ("gpu_celsius", "GPU temperature, °C", 1.0, "The hottest GPU."),
)


def machine_charts(looks: Sequence[Look], queries: Queries | None) -> list[Chart]:
    """A chart for each recorded quantity: load, frequency, temperature; the performance test is shaded."""
    if len(looks) < 2:
        return []
    begin = looks[0].at
    span = None
    if queries is not None and queries.began is not None:
        ends = max(start + latency for start, latency in zip(queries.start_ns, queries.latency_ns, strict=True))
        span = {"from": queries.began - begin, "to": queries.began + ends / 1e9 - begin}
    charts = []
    step = -(-len(looks) // _POINTS)
    for key, title, factor, text in _KINDS:
        known = [(look.at - begin, getattr(look, key)) for look in looks if getattr(look, key) is not None]
        rows = [{"s": round(at, 2), "value": value * factor} for at, value in known[::step]]
        if len(rows) < 2:
            continue
        shade = [
            {
                "data": {"values": [span]},
                "mark": {"type": "rect", "color": MUTED, "opacity": 0.15},
                "encoding": {"x": quantity("from", "time, s"), "x2": {"field": "to"}},
            }
        ]
        line = {
            "data": data(rows),
            "mark": {"type": "line", "color": ACCENT},
            "encoding": {
                "x": quantity("s", "time, s"),
                "y": quantity("value", title, scale={"zero": key.endswith("busy")}),
                "tooltip": tooltip(("s", "time, s", ".3g"), ("value", title, ".4g")),
            },
        }
        spec = {"height": 160, "layer": [*(shade if span else []), line]}
        more = " The performance test is shaded." if span else ""
        more += f" Every {step}th sample is drawn." if step > 1 else ""
        table = [(f"{row['s']:g}", f"{row['value']:.4g}") for row in rows]
        name = title.partition(",")[0]
        charts.append(Chart(f"machine-{key}", name[0].upper() + name[1:], text + more, spec, ("time, s", title), table))
    return charts
