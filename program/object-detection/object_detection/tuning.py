"""Find the number of sessions and threads and the batch size with a short measurement on the real images."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from object_detection.progress import tell
from object_detection.sut.worker import Worker

_SECONDS = 0.6  # s of each measurement of a candidate
_ROUNDS, _MOST_ROUNDS = 2, 6  # number of measurements; the higher one is for candidates close to the best
_CLOSE = 0.1
_BATCHES = (1, 4)


@dataclass(frozen=True)
class Layout:
    """Parallel sessions, threads in each (0: the framework's choice), batch size."""

    sessions: int
    threads: int
    batch_size: int


MakeWorkers = Callable[[int, int], Sequence[Worker]]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def widths() -> list[int]:
    """Numbers of threads to try for a session: all cores, one, and up to two steps between."""
    total = cores()
    divisors = [count for count in range(1, total + 1) if total % count == 0]
    return divisors if len(divisors) <= 4 else [*divisors[:3], divisors[-1]]


def candidates(sessions: int | None, threads: int | None, batch_size: int | None, max_batch: int | None) -> list[Layout]:
    """Layouts that use every core, with the user's fixed values."""
    total = cores()
    if sessions or threads:
        pairs = [(sessions or max(1, total // (threads or total)), threads or max(1, total // (sessions or 1)))]
    else:
        pairs = [(total // wide, wide) for wide in widths()]
    sizes = [batch_size] if batch_size else _BATCHES
    batches = sorted({min(size, max_batch or size) for size in sizes})
    return [Layout(count, wide, size) for count, wide in pairs for size in batches]


def fastest(
    layouts: Sequence[Layout], make: MakeWorkers, samples: Sequence[int]
) -> tuple[Layout, Sequence[Worker], float, dict[str, float]]:
    """Measure the layouts on loaded samples; at most two teams of sessions are in memory at once.

    Returns
    -------
    layout, team, rate, all
        The best, its workers, its highest samples/s (a run has to last even if the machine is always that fast), and the mean
        samples/s of each as ``sessions x threads x batch``.
    """
    rates: dict[Layout, float] = {}
    peaks: dict[Layout, float] = {}
    best: tuple[float, Layout, Sequence[Worker]] | None = None
    for sessions, threads in dict.fromkeys((row.sessions, row.threads) for row in layouts):
        team: Sequence[Worker] = ()  # unload the last one first: only it and the best are in memory at once
        team = make(sessions, threads)
        rows = [row for row in layouts if (row.sessions, row.threads) == (sessions, threads)]
        for row, found in _rates(team, rows, samples, len(rates), len(layouts)).items():
            rates[row], peaks[row] = sum(found) / len(found), max(found)
        for row in rows:
            if best is None or rates[row] > best[0]:
                best = (rates[row], row, team)
    assert best is not None
    told = {f"{row.sessions} x {row.threads} x {row.batch_size}": round(rate, 2) for row, rate in rates.items()}
    return best[1], best[2], peaks[best[1]], told


def _rates(
    team: Sequence[Worker], rows: Sequence[Layout], samples: Sequence[int], before: int, total: int
) -> dict[Layout, list[float]]:
    """Samples/s of batch sizes, measured alternately, so that disturbances affect all of them. Near-ties are measured again."""
    seen: dict[Layout, list[float]] = {row: [] for row in rows}
    open_rows = list(rows)
    for number in range(_MOST_ROUNDS):
        for row in open_rows:
            seen[row].append(_rate(team, row.batch_size, samples))
        tell("choosing sessions and threads", before + min((number + 1) / _ROUNDS, 1.0) * len(rows), total, "layouts")
        means = {row: sum(found) / len(found) for row, found in seen.items()}
        if number + 1 >= _ROUNDS:
            open_rows = [row for row in open_rows if means[row] > max(means.values()) * (1 - _CLOSE)]
            if len(open_rows) == 1:
                break
    return seen


def _rate(team: Sequence[Worker], batch_size: int, samples: Sequence[int]) -> float:
    counts = [0] * len(team)
    failures: list[BaseException] = []
    begun = time.perf_counter()

    def work(number: int) -> None:
        at = number * batch_size
        try:
            team[number].detect(samples[:1])  # the first run of a session prepares it, and is not counted
            gate.wait()
            while time.perf_counter() - start[0] < _SECONDS:
                batch = [samples[(at + offset) % len(samples)] for offset in range(batch_size)]
                team[number].detect(batch)
                counts[number] += batch_size
                at += batch_size * len(team)
        except BaseException as error:
            failures.append(error)
            gate.abort()

    start = [begun]
    gate = threading.Barrier(len(team), action=lambda: start.__setitem__(0, time.perf_counter()))
    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(team))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    real = [error for error in failures if not isinstance(error, threading.BrokenBarrierError)]
    if real:
        raise real[0]
    return sum(counts) / (time.perf_counter() - start[0])
