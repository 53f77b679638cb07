"""The harness compared with the reference implementation of v1.0: the same model, images, framework and settings, in turns."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alone_rows import Row
from reference import Reference

if TYPE_CHECKING:
    from run import Bench

_BOUND = 5.0  # of Server's 99th percentile, in 90th percentiles of the reference's SingleStream: 75 ms on an idle machine
_TRIES = 2  # of a target: a result counts if one run of it is valid
_FIRST, _STEP, _LAST = 0.3, 1.15, 2.5  # targets of Server, relative to the reference's rate in Offline
_MISSES = 2  # targets in a row that are not reached, after which higher ones are not tried
# scenario, samples/s and Server's bound in ms: samples/s, or a percentile of the latency in ms
_Run = Callable[[str, float, float], float]


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

    def theirs(scenario: str, rate: float, bound: float = 0.0) -> float:
        if not made:
            folder = Path(tempfile.mkdtemp(dir=bench.scratch))
            python = bench.scratch / "CK/local/venv/mlperf-inference/venv/bin/python"
            model = data / "models/ssd_mobilenet_v1_075_fp32.onnx"
            made.append(Reference(source, folder, python, model, data / "coco79"))
        values: dict[str, Any] = made[0].run(scenario, seconds, rate, bound or None).values
        keys = {
            "Offline": "result_samples_per_second", "SingleStream": "result_90.00_percentile_latency_ns",
            "Server": "result_99.00_percentile_latency_ns",
        }  # fmt: skip
        value = float(str(values[keys[scenario]]))
        return value if scenario == "Offline" else value / 1e6

    def ours(scenario: str, rate: float, bound: float = 0.0) -> float:
        words = [f"--scenario={scenario.lower()}", "--mode=performance", f"--time={seconds}"]
        words += [f"--target-qps={rate:.3f}"] if scenario != "SingleStream" else []
        words += [f"--target-latency={bound:.0f}"] if scenario == "Server" else []
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
            figures = [half(scenario, rate, 0.0) for half in halves]
            rows.append((figures[0], figures[1]) if turn % 2 else (figures[1], figures[0]))
        return rows[1:]

    def offline_rate() -> float:
        return theirs("Offline", 20.0)

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
        """The highest target with which the 99th percentile is within the bound; both try the same targets in turns."""
        rate, bound = offline_rate(), round(_BOUND * theirs("SingleStream", 1.0))
        highest: dict[_Run, float] = {ours: 0.0, theirs: 0.0}
        missed: dict[_Run, int] = {ours: 0, theirs: 0}
        share = _FIRST
        while share <= (_FIRST if bench.quick else _LAST) and min(missed.values()) < _MISSES:
            target = share * rate
            for run in [run for run in highest if missed[run] < _MISSES]:
                if any(run("Server", target, bound) <= bound for _ in range(_TRIES)):
                    highest[run], missed[run] = target, 0
                else:
                    missed[run] += 1
            share *= _STEP
        one, other = highest.values()
        if not one or not other:
            return f"{one:.1f} and {other:.1f} queries/s", "at least 1.3: not measured, as the latency bound is never met"
        text = f"{one:.1f} over {other:.1f} queries/s = {one / other:.2f}, in steps of {_STEP - 1:.0%}, within {bound} ms"
        return text, f"at least 1.3: {'met' if one / other >= 1.3 else 'MISSED'}"

    return [
        ("Offline over the reference's", offline),
        ("SingleStream p90 over the reference's", single),
        ("Server's target over the reference's", server),
    ]
