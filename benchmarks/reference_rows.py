"""The harness beside the reference implementation of round v1.0: the same model, images, framework and settings, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alone_rows import Row
from reference import Reference

if TYPE_CHECKING:
    from run import Bench

_BOUND_MS = 100.0  # of Server's 99th percentile; that of SSD-ResNet34 in v1.0
_STEPS = 5  # of the search for a target, each of which halves the interval
_Run = Callable[[str, float], float | None]  # scenario and samples/s: the figure, for Server the 99th percentile in ms


def reference_rows(bench: Bench, source: Path, data: Path) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`.

    Parameters
    ----------
    source
        A checkout of the reference's folder vision/classification_and_detection at v1.0.1.
    data
        The folder of the real model and images.
    """
    seconds, pairs = (2, 1) if bench.quick else (6, 5)
    made: list[Reference] = []

    def theirs(scenario: str, rate: float) -> float | None:
        if not made:
            folder = bench.scratch / "reference"
            folder.mkdir()
            python = bench.scratch / "CK/local/venv/mlperf-inference/venv/bin/python"
            model = data / "models/ssd_mobilenet_v1_075_fp32.onnx"
            made.append(Reference(source, folder, python, model, data / "coco79"))
        values = made[0].run(scenario, seconds, rate, _BOUND_MS if scenario == "Server" else None).values
        keys = {
            "Offline": "result_samples_per_second", "SingleStream": "result_90.00_percentile_latency_ns",
            "Server": "result_99.00_percentile_latency_ns",
        }  # fmt: skip
        value = float(str(values[keys[scenario]]))
        return value if scenario == "Offline" else value / 1e6

    def ours(scenario: str, rate: float) -> float | None:
        words = [f"--scenario={scenario.lower()}", "--mode=performance", f"--time={seconds}"]
        words += [f"--target-qps={rate:.3f}"] if scenario != "SingleStream" else []
        words += [f"--target-latency={_BOUND_MS:g}"] if scenario == "Server" else []
        found: dict[str, Any] = bench.ck("run", "program:object-detection", *bench.model("onnxruntime"), *words)
        figures = found["results"]["performance"]
        if scenario == "Offline":
            return float(figures["samples_per_second"])
        return float(figures["latency_ms"]["p90" if scenario == "SingleStream" else "p99"])

    def in_turns(scenario: str, rate: float = 1.0) -> list[tuple[float, float]]:
        """Figures of both, pair by pair; the first pair, in which our layout is chosen, does not count."""
        rows = []
        for turn in range(pairs + 1):
            halves: list[_Run] = [ours, theirs] if turn % 2 else [theirs, ours]
            figures = [half(scenario, rate) or float("nan") for half in halves]
            rows.append((figures[0], figures[1]) if turn % 2 else (figures[1], figures[0]))
        return rows[1:]

    def offline_rate() -> float:
        return theirs("Offline", 20.0) or 20.0

    def offline() -> tuple[str, str]:
        """Samples/s."""
        rows = in_turns("Offline", offline_rate())
        ratio = statistics.median(one / other for one, other in rows)
        one, other = (statistics.median(column) for column in zip(*rows, strict=True))
        return f"{one:.1f} over {other:.1f} samples/s, by pairs {ratio:.2f}", f"more than 1: {'met' if ratio > 1 else 'MISSED'}"

    def single() -> tuple[str, str]:
        """90th percentile."""
        rows = in_turns("SingleStream")
        ratio = statistics.median(one / other for one, other in rows)
        one, other = (statistics.median(column) for column in zip(*rows, strict=True))
        return f"{one:.1f} over {other:.1f} ms, by pairs {ratio:.3f}", f"at most 0.98: {'met' if ratio <= 0.98 else 'MISSED'}"

    def server() -> tuple[str, str]:
        """The highest target with which the 99th percentile is within the bound, found by halving an interval in turns."""
        rate = offline_rate()
        ranges = {run: [0.0, 2.5 * rate] for run in (ours, theirs)}
        for _ in range(2 if bench.quick else _STEPS + 1):
            for run, interval in ranges.items():
                target = sum(interval) / 2
                latency = run("Server", target)
                interval[0 if latency is not None and latency <= _BOUND_MS else 1] = target
        one, other = (interval[0] for interval in ranges.values())
        if not one or not other:
            return f"{one:.1f} and {other:.1f} queries/s", "at least 1.3: not measured, as the latency bound is never met"
        ratio = one / other
        step = 2.5 * rate / 2 ** (2 if bench.quick else _STEPS + 1)
        text = f"{one:.1f} over {other:.1f} queries/s = {ratio:.2f}, in steps of {step:.1f}"
        return text, f"at least 1.3: {'met' if ratio >= 1.3 else 'MISSED'}"

    return [
        ("Offline over the reference's", offline),
        ("SingleStream p90 over the reference's", single),
        (f"Server's target over the reference's, {_BOUND_MS:g} ms", server),
    ]
