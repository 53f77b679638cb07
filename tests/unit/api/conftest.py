"""Recorded experiments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


@pytest.fixture
def recorded(ck_home: object) -> Callable[..., Entry]:
    """Record an experiment with the given figures."""

    def record(alias: str, *, scenario: str = "offline", at: str = "2026-01-01T00:00:00Z", **more: Any) -> Entry:
        latency = {"mean": 5.0, "p50": 4.5, "p90": 6.25, "p99": 7.125}
        rates = {"samples_per_second": 200.0, "queries_per_second": 50.0, "scheduled_queries_per_second": 50.0}
        performance = {"valid": True, "queries": 1, "duration_s": 10.5, "latency_ms": latency, **rates}
        accuracy = {"mAP": 0.8, "AP50": 0.9, "AP75": 0.85, "AP_small": 0.5, "AR1": 0.7, "detections": 1234, "images": 16}
        results = {
            "model": "tiny", "dataset": "shapes", "images": 16, "backend": "onnxruntime", "backend_version": "1.20",
            "device": "cpu", "scenario": scenario, "official": False, "accuracy": accuracy,
            "performance": performance | more.pop("performance", {}),
        } | more.pop("results", {})  # fmt: skip
        meta = {"tags": ["experiment", scenario], "recorded": at, "results": results, **more}
        return create_entry(Repositories().writable(), "experiment", alias, meta)

    return record
