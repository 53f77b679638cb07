"""Charts of a performance run: distribution of latency, latency over time, and pending queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ck_repo.experiments.queries import Queries, percentile
from ck_repo.report.chart import ACCENT, BAD, MUTED, Chart, data, nominal, quantity, rule_at, tooltip
from ck_repo.report.subject import Subject

SHARES = (0.5, 0.9, 0.95, 0.97, 0.99, 0.999)  # the percentiles that LoadGen logs
_BINS = 60
_STEPS = 300  # maximum points of a curve
_SLICES = 120  # number of slices of the time


def latency_charts(subject: Subject) -> list[Chart]:
    """The charts of a performance run whose queries were recorded."""
    found, scenario = subject.counted, subject.scenario
    if found is None or scenario is None or subject.queries is None:
        return []
    charts = [
        latency_histogram(subject, found),
        latency_curve(subject, found),
        *([] if scenario.one_query else [latency_over_time(subject, found)]),
        rate_over_time(subject.queries),
    ]
    if scenario.at_rate or scenario.fixed_intervals or scenario.several_samples:
        charts.append(queue_over_time(subject, found))
    return charts


def percentiles_ms(found: Queries) -> dict[str, float]:
    """LoadGen's percentiles of the latencies, ms, by their names in results.json."""
    ordered = sorted(found.latency_ns)
    return {f"p{100 * share:g}".replace(".", "_"): percentile(ordered, share) / 1e6 for share in SHARES}


def _unit(subject: Subject) -> str:
    scenario = subject.scenario
    return "queries" if scenario and (scenario.several_samples or scenario.at_rate) else "samples"


def _marks(subject: Subject, found: Queries, channel: str) -> list[dict[str, object]]:
    """The scenario's percentile, and the bound."""
    scenario = subject.scenario
    if scenario is None or scenario.one_query:
        return []
    ordered = sorted(found.latency_ns)
    at, bound = percentile(ordered, scenario.percentile) / 1e6, subject.bound_ms
    lowest = ordered[0] / 1e6
    middle = lowest + (max(ordered[-1] / 1e6, bound or 0.0) - lowest) / 2
    marks = rule_at(channel, at, f"{100 * scenario.percentile:g}th percentile, {at:.4g} ms", MUTED, before=at > middle)
    return marks + (rule_at(channel, bound, f"bound, {bound:g} ms", before=bound > middle, line=1) if bound else [])


def latency_histogram(subject: Subject, found: Queries) -> Chart:
    """Histogram of the latencies."""
    values = [value / 1e6 for value in found.latency_ns]
    low, high = min(values), max(values)
    width = (high - low) / _BINS or 1.0
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int((value - low) / width))] += 1
    rows = [{"from": low + width * at, "to": low + width * (at + 1), "count": count} for at, count in enumerate(counts)]
    shown = tooltip(("from", "from, ms", ".4g"), ("to", "to, ms", ".4g"), ("count", _unit(subject), ","))
    spec = {
        "layer": [
            {
                "data": data(rows),
                "mark": {"type": "bar", "color": ACCENT},
                "encoding": {
                    "x": quantity("from", "latency, ms", bin={"binned": True}), "x2": {"field": "to"},
                    "y": quantity("count", _unit(subject)), "tooltip": shown,
                },
            },
            *_marks(subject, found, "x"),
        ]
    }  # fmt: skip
    text = f"{len(values):,} {_unit(subject)} from {low:.4g} to {high:.4g} ms."
    table = [(f"{row['from']:.4g}", f"{row['to']:.4g}", row["count"]) for row in rows if row["count"]]
    return Chart("latency-histogram", "Latency", text, spec, ("from, ms", "to, ms", _unit(subject)), table)


def latency_curve(subject: Subject, found: Queries) -> Chart:
    """The share of queries that were answered within a time."""
    ordered = sorted(found.latency_ns)
    count = len(ordered)
    picked = sorted(
        {round(step * (count - 1) / (_STEPS - 1)) for step in range(_STEPS)} | set(range(max(0, count - 20), count))
    )
    rows = [{"ms": ordered[at] / 1e6, "share": 100 * (at + 1) / count} for at in picked]
    named = [
        {"name": name.replace("_", "."), "ms": value, "share": 100 * share}
        for share, (name, value) in zip(SHARES, percentiles_ms(found).items(), strict=True)
    ]
    spec = {
        "layer": [
            {
                "data": data(rows),
                "mark": {"type": "line", "interpolate": "step-after"},
                "encoding": {"x": quantity("ms", "latency, ms"), "y": quantity("share", "answered within, %")},
            },
            {
                "data": data(named, "percentiles"),
                "mark": {"type": "point", "size": 60, "color": ACCENT},
                "encoding": {
                    "x": quantity("ms", "latency, ms"), "y": quantity("share", "answered within, %"),
                    "tooltip": tooltip(("name", "percentile"), ("ms", "ms", ".6g")),
                },
            },
            *_marks(subject, found, "x"),
        ]
    }  # fmt: skip
    table = [(row["name"], f"{row['ms']:.6f}") for row in named]
    text = "The share of answers within a time; the dots are the percentiles that LoadGen logs."
    return Chart("latency-curve", "Cumulative latency", text, spec, ("percentile", "ms"), table)


def _slices(ends: Sequence[int]) -> tuple[int, float]:
    """Start and width of the slices of time, ns."""
    first, last = min(ends), max(ends)
    return first, max(1.0, (last - first) / _SLICES)


def latency_over_time(subject: Subject, found: Queries) -> Chart:
    """Median, 90 % band and maximum of the latency in each slice of the run."""
    first, width = _slices(found.start_ns)
    slices: dict[int, list[int]] = {}
    for start, latency in zip(found.start_ns, found.latency_ns, strict=True):
        slices.setdefault(min(_SLICES - 1, int((start - first) / width)), []).append(latency)
    rows = []
    for at, latencies in sorted(slices.items()):
        ordered = sorted(latencies)
        cuts = {name: percentile(ordered, share) / 1e6 for name, share in (("p5", 0.05), ("median", 0.5), ("p95", 0.95))}
        rows.append({"s": (at + 0.5) * width / 1e9, **cuts, "highest": ordered[-1] / 1e6, "count": len(ordered)})
    x = quantity("s", "time, s")
    shown = tooltip(("s", "time, s", ".3g"), ("median", "median, ms", ".4g"), ("p95", "95 %, ms", ".4g"),
                    ("highest", "highest, ms", ".4g"), ("count", _unit(subject), ","))  # fmt: skip
    spec = {
        "data": data(rows),
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.25, "color": ACCENT},
                "encoding": {"x": x, "y": quantity("p5", "latency, ms"), "y2": {"field": "p95"}},
            },
            {"mark": {"type": "line"}, "encoding": {"x": x, "y": quantity("median", "latency, ms")}},
            {
                "mark": {"type": "point", "size": 14, "opacity": 0.6, "color": MUTED},
                "encoding": {"x": x, "y": quantity("highest", "latency, ms"), "tooltip": shown},
            },
            *(rule_at("y", subject.bound_ms, f"bound, {subject.bound_ms:g} ms") if subject.bound_ms else []),
        ],
    }
    text = f"{_drift(rows)} The line is the median, the band has 90 %, the dots are the slowest."
    table = [(f"{row['s']:.3g}", f"{row['median']:.4g}", f"{row['p95']:.4g}", f"{row['highest']:.4g}") for row in rows]
    return Chart("latency-time", "Latency over time", text, spec, ("time, s", "median, ms", "95 %, ms", "highest, ms"), table)


def _drift(rows: Sequence[Mapping[str, float]]) -> str:
    """Compare the median of the last quarter of the run with that of the second, which excludes the warm-up."""
    quarter = len(rows) // 4
    if quarter < 3:
        return "The run is too short for a trend."
    early, late = ([row["median"] for row in part] for part in (rows[quarter : 2 * quarter], rows[-quarter:]))
    before, after = sorted(early)[len(early) // 2], sorted(late)[len(late) // 2]
    if not before:
        return ""
    change = 100 * (after / before - 1)
    if abs(change) < 5:
        return "Steady: the last quarter is as fast as the second."
    return f"The last quarter is {abs(change):.0f} % {'slower' if change > 0 else 'faster'} than the second."


def rate_over_time(found: Queries) -> Chart:
    """Samples answered in each second."""
    ends = [start + latency for start, latency in zip(found.start_ns, found.latency_ns, strict=True)]
    first = min(found.start_ns)
    seconds = max(1e-9, (max(ends) - first) / 1e9)
    counts = [0] * min(60, max(10, round(seconds)))
    width = seconds / len(counts)
    for end in ends:
        counts[min(len(counts) - 1, int((end - first) / 1e9 / width))] += 1
    rows = [{"s": (at + 0.5) * width, "rate": count / width} for at, count in enumerate(counts)]
    spec = {
        "data": data(rows),
        "layer": [
            {
                "mark": {"type": "line", "point": {"size": 24}},
                "encoding": {
                    "x": quantity("s", "time, s"), "y": quantity("rate", "samples/s", scale={"zero": True}),
                    "tooltip": tooltip(("s", "time, s", ".3g"), ("rate", "samples/s", ".4g")),
                },
            },
            *rule_at("y", len(found) / seconds, f"all, {len(found) / seconds:.4g}", MUTED),
        ],
    }  # fmt: skip
    table = [(f"{row['s']:.3g}", f"{row['rate']:.4g}") for row in rows]
    text = f"Samples answered in each {width:.2g} s. A drop may be caused by throttling or other programs."
    return Chart("rate-time", "Throughput over time", text, spec, ("time, s", "samples/s"), table)


def queue_over_time(subject: Subject, found: Queries) -> Chart:
    """The number of pending queries, and late answers."""
    events = [(start, 1) for start in found.start_ns]
    events += [(start + latency, -1) for start, latency in zip(found.start_ns, found.latency_ns, strict=True)]
    first, width = _slices([at for at, _ in events])
    depth, peak = 0, dict.fromkeys(range(_SLICES), 0)
    for at, step in sorted(events):
        depth += step
        slot = min(_SLICES - 1, int((at - first) / width))
        peak[slot] = max(peak[slot], depth)
    rows = [{"s": (at + 0.5) * width / 1e9, "waiting": value} for at, value in peak.items()]
    bound = subject.bound_ms
    late = [
        {"s": (start - first) / 1e9, "ms": latency / 1e6}
        for start, latency in zip(found.start_ns, found.latency_ns, strict=True)
        if bound is not None and latency / 1e6 > bound
    ]
    kept = sorted(late, key=lambda row: -row["ms"])[:500]
    x = quantity("s", "time, s")
    spec = {
        "layer": [
            {
                "data": data(rows),
                "mark": {"type": "area", "interpolate": "step", "opacity": 0.6},
                "encoding": {
                    "x": x, "y": quantity("waiting", "pending queries"),
                    "tooltip": tooltip(("s", "time, s", ".3g"), ("waiting", "pending", ",")),
                },
            },
            {
                "data": data(kept, "late"),
                "mark": {"type": "tick", "color": BAD, "thickness": 1, "height": 10, "y": "height", "yOffset": -5},
                "encoding": {"x": x, "tooltip": tooltip(("s", "due at, s", ".4g"), ("ms", "latency, ms", ".4g"))},
            },
        ]
    }  # fmt: skip
    text = "Queries that were due and not yet answered, the maximum in each slice."
    if bound is not None:
        text += f" {len(late):,} of {len(found):,} ({100 * len(late) / len(found):.2f} %) took longer than {bound:g} ms: red."
    if len(kept) < len(late):
        text += f" The {len(kept)} latest are drawn."
    table = [(f"{row['s']:.3g}", row["waiting"]) for row in rows]
    return Chart("queue", "Pending queries", text, spec, ("time, s", "queries"), table)


def percentile_chart(names: Sequence[str], tables: Sequence[dict[str, float]]) -> Chart:
    """Logged percentiles of several runs side by side."""
    rows = [
        {"run": name, "percentile": key.replace("_", "."), "ms": value}
        for name, table in zip(names, tables, strict=True)
        for key, value in table.items()
    ]
    order = list(dict.fromkeys(row["percentile"] for row in rows))
    spec = {
        "data": data(rows),
        "mark": {"type": "line", "point": {"size": 50}},
        "encoding": {
            "x": nominal("percentile", "percentile", sort=order, axis={"labelAngle": 0}),
            "y": quantity("ms", "latency, ms"),
            "color": nominal("run"),
            "tooltip": tooltip(("run", "run"), ("percentile", "percentile"), ("ms", "ms", ".6g")),
        },
    }
    table = [(row["run"], row["percentile"], f"{row['ms']:.6f}") for row in rows]
    return Chart("percentiles", "Latency percentiles", "As logged by LoadGen.", spec, ("run", "percentile", "ms"), table)
