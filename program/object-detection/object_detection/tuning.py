"""How many sessions, with how many threads each, and which batch: found by a short measurement on the real images."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from object_detection.contract.spec import MeasuredLayout
from object_detection.layouts import Layout, layouts_for
from object_detection.progress import tell
from object_detection.spec import Spec
from object_detection.sut.library import SampleLibrary
from object_detection.sut.worker import Worker

_SECONDS = 0.6  # of measuring a candidate, each time
_ROUNDS, _MOST_ROUNDS = 2, 6  # of measuring each; the more are for those that are close to the best
_CLOSE = 0.1
_TUNING_SAMPLES = 16
_WORTH_TUNING = 1000  # images; accuracy of fewer is measured sooner than the fastest layout is found


MakeWorkers = Callable[[int, int], Sequence[Worker]]


@dataclass(frozen=True)
class Choice:
    """The layout of a run.

    Attributes
    ----------
    team
        Its workers, one a session.
    source
        Where it came from; see `Results.layout_source`.
    rate
        Samples/s, from which the length of a run follows: the highest of the measurement, as a run has to last even if the
        machine is as fast all the time.
    rates
        The mean samples/s of each layout that was measured, as ``sessions x threads x batch``.
    measured
        The measurement, now or of an earlier run; None if there was none.
    """

    layout: Layout
    team: Sequence[Worker]
    source: str
    rate: float = 1.0
    rates: Mapping[str, float] = field(default_factory=dict)
    measured: MeasuredLayout | None = None


def choose_layout(spec: Spec, library: SampleLibrary, make: MakeWorkers, count: int, version: str) -> Choice:
    """Sessions, threads and batch: what the user says, what an earlier run measured, else the fastest.

    A performance run measures its layout even if there is no choice, because the rate decides how long the run has to be. For
    accuracy alone a measurement pays off only with many images.

    Parameters
    ----------
    count
        How many images there are.
    version
        The framework's version.
    """
    layouts, kept = layouts_for(spec), spec.layout
    given = len(layouts) == 1 and bool(spec.sessions or spec.threads or spec.batch_size)
    if "performance" not in spec.modes and (len(layouts) == 1 or count < _WORTH_TUNING):
        plain = min(layouts, key=lambda row: (row.sessions, row.batch_size, -row.threads))  # the least memory
        return Choice(plain, make(plain.sessions, plain.threads), "given" if given else "unmeasured")
    if kept and kept.backend_version == version:
        layout = Layout(kept.sessions, kept.threads, kept.batch_size)
        team = make(layout.sessions, layout.threads)
        if "accuracy" not in spec.modes:  # which comes first, and prepares the sessions, too
            _prepare(team, layout.batch_size, library, count)
        return Choice(layout, team, "given" if given else "kept", kept.samples_per_second, measured=kept)
    samples = list(range(min(count, _TUNING_SAMPLES)))
    library.load(samples)
    try:
        layout, team, rate, rates = fastest(layouts, make, samples)
    finally:
        library.unload(samples)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    measured = MeasuredLayout(layout.sessions, layout.threads, layout.batch_size, rate, version, now)
    return Choice(layout, team, "given" if given else "measured", rate, rates, measured)


def _prepare(team: Sequence[Worker], batch_size: int, library: SampleLibrary, count: int) -> None:
    """Run a batch in every session: the first one of a session takes longer, and belongs to no measurement."""
    samples = list(range(min(batch_size, count)))
    library.load(samples)
    try:
        with ThreadPoolExecutor(len(team)) as pool:
            list(pool.map(lambda worker: worker.detect(samples), team))
    finally:
        library.unload(samples)


def fastest(
    layouts: Sequence[Layout], make: MakeWorkers, samples: Sequence[int]
) -> tuple[Layout, Sequence[Worker], float, dict[str, float]]:
    """Measure the layouts on samples that are loaded; no more than two teams of sessions are in memory at once.

    Returns
    -------
    layout, team, rate, all
        The best, its workers, its highest samples/s (a run has to last even if the machine is as fast all the time), and the
        mean samples/s of each as ``sessions x threads x batch``.
    """
    rates: dict[Layout, float] = {}
    peaks: dict[Layout, float] = {}
    best: tuple[float, Layout, Sequence[Worker]] | None = None
    for sessions, threads in dict.fromkeys((row.sessions, row.threads) for row in layouts):
        team: Sequence[Worker] = ()  # let go of the last one first: only it and the best are in memory at once
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
    """Samples/s of batch sizes, each measured in turn, so that a disturbance does not hit one alone; the closer, the longer."""
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
