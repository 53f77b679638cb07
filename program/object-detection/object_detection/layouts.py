"""Layouts that are worth a measurement: sessions side by side, threads of each, samples a batch."""

from __future__ import annotations

import os
from dataclasses import dataclass

from object_detection.spec import Spec

_BATCHES = (1, 4)


@dataclass(frozen=True)
class Layout:
    """Sessions side by side, threads in each (0: the framework's choice), samples a batch."""

    sessions: int
    threads: int
    batch_size: int


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def widths() -> list[int]:
    """Numbers of threads to try for a session: all cores, one, and up to two steps between."""
    total = cores()
    divisors = [count for count in range(1, total + 1) if total % count == 0]
    return divisors if len(divisors) <= 4 else [*divisors[:3], divisors[-1]]


def candidates(sessions: int | None, threads: int | None, batch_size: int | None, max_batch: int | None) -> list[Layout]:
    """Layouts that use every core, within what the user has fixed."""
    total = cores()
    if sessions or threads:
        pairs = [(sessions or max(1, total // (threads or total)), threads or max(1, total // (sessions or 1)))]
    else:
        pairs = [(total // wide, wide) for wide in widths()]
    sizes = [batch_size] if batch_size else _BATCHES
    batches = sorted({min(size, max_batch or size) for size in sizes})
    return [Layout(count, wide, size) for count, wide in pairs for size in batches]


def layouts_for(spec: Spec) -> list[Layout]:
    """The layouts of a scenario, within what the user has fixed; SingleStream has one session."""
    if spec.scenario == "singlestream":
        return [Layout(1, count, 1) for count in ([spec.threads] if spec.threads else widths())]
    found = candidates(spec.sessions, spec.threads, spec.batch_size, spec.model.max_batch)
    if spec.scenario == "multistream":  # a query's latency counts: a session without a sample of it would idle
        found = [layout for layout in found if layout.sessions <= spec.loadgen.samples_per_query] or found[:1]
    return found
