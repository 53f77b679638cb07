"""Find the number of sessions and threads and the batch size with a short measurement on the real images."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from object_detection.contract.spec import MeasuredLayout
from object_detection.layouts import MAX_SESSIONS, Layout, Space, proposals, space_for
from object_detection.placement import bound_to
from object_detection.progress import report
from object_detection.server_queue import highest_rate
from object_detection.spec import Spec
from object_detection.sut.library import SampleLibrary
from object_detection.sut.sessions import prepare
from object_detection.sut.worker import Worker

_SECONDS = 0.2  # of a turn
_ROUNDS, _MAX_ROUNDS = 2, 4  # turns of each of two layouts; the more are for those that are close
_CLOSE = 0.05
_HOPELESS = 0.8  # of the fastest so far, in the first turn
_BUDGET = 6.0  # s
_LONGEST_TURN = 5.0  # s
_MIN_LAYOUTS = 3
TUNING_SAMPLES = 16
_WORTH_TUNING = 1000  # images; accuracy of fewer is measured sooner than the fastest layout is found


MakeWorkers = Callable[[int, int], Sequence[Worker]]
# what a layout is worth, from the samples/s of all that were measured
Value = Callable[[Layout, Mapping[Layout, float]], float]


@dataclass(frozen=True)
class Choice:
    """The layout of a run.

    Attributes
    ----------
    team
        The workers that were measured, one a session; empty if none were.
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


def choose_layout(
    spec: Spec, library: SampleLibrary, make: MakeWorkers, count: int, version: str, max_sessions: int = MAX_SESSIONS
) -> Choice:
    """Sessions, threads and batch: what the user says, what an earlier run measured, else the fastest.

    A performance run measures its layout even if there is no choice, because the rate decides how long the run has to be. For
    accuracy alone a measurement pays off only with many images.

    Parameters
    ----------
    count
        How many images there are.
    version
        The framework's version.
    max_sessions
        That fit into memory.
    """
    space, kept = space_for(spec, max_sessions), spec.layout
    given = space.is_single and bool(spec.sessions or spec.threads or spec.batch_size)
    if "performance" not in spec.modes and (space.is_single or spec.answers or count < _WORTH_TUNING):
        plain = space.smallest()
        return Choice(plain, (), "given" if given else "unmeasured")
    if kept and kept.backend_version == version:
        layout = Layout(kept.sessions, kept.threads, kept.batch_size)
        return Choice(layout, (), "given" if given else "kept", kept.samples_per_second, measured=kept)
    samples = list(range(min(count, TUNING_SAMPLES)))
    library.load(samples)
    try:
        layout, team, rate, rates = fastest(space, make, samples, value=_value(spec))
    finally:
        library.unload(samples)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    measured = MeasuredLayout(layout.sessions, layout.threads, layout.batch_size, rate, version, now)
    return Choice(layout, team, "given" if given else "measured", rate, rates, measured)


def _value(spec: Spec) -> Value:
    """What counts: samples/s, and in Server the rate of queries whose latencies stay within the bound."""
    bound = spec.loadgen.target_latency_ms
    if spec.scenario != "server" or not bound:
        return _throughput
    return lambda layout, rates: highest_rate(layout, rates, bound / 1e3, spec.loadgen.percentile)


def _throughput(layout: Layout, rates: Mapping[Layout, float]) -> float:
    return rates[layout]


def fastest(
    space: Space,
    make: MakeWorkers,
    samples: Sequence[int],
    budget: float = _BUDGET,
    value: Value = _throughput,
) -> tuple[Layout, Sequence[Worker], float, dict[str, float]]:
    """Search the fastest layout on samples that are loaded; no more than two teams of sessions are in memory at once.

    Each layout is measured in turns with the fastest one so far, so that a disturbance of the machine meets both. Their
    ratio counts.

    Parameters
    ----------
    budget
        Seconds after which the search ends with the fastest of the layouts so far, when the first ones are measured.
    value
        What a layout is worth; the one of the highest value is the fastest.

    Returns
    -------
    layout, team, rate, all
        The fastest, its workers, its highest samples/s, and the samples/s of each as ``sessions x threads x batch``.
    """
    rates: dict[Layout, float] = {}

    def score(layout: Layout) -> float:
        return value(layout, rates)

    too_long: dict[Layout, float] = {}  # layouts of which a single turn would take too long, which are not chosen
    peak, best = 0.0, Contender(space.first()[0], ())
    last = best
    end = time.monotonic() + budget
    while layouts := proposals(space, {**too_long, **{layout: score(layout) for layout in rates}}):
        layout = layouts[0]
        if rates and layout.sessions * layout.batch_size > _LONGEST_TURN * rates[best.layout]:
            too_long[layout] = -math.inf
            continue
        if len(rates) >= _MIN_LAYOUTS and time.monotonic() > end:
            break
        report("choosing sessions and threads", len(rates), len(rates) + len(layouts), "layouts")
        team = next((each.team for each in (best, last) if each.team and each.layout.team == layout.team), ())
        last = best  # the one before is let go first: no more than two teams are in memory at once
        new = last = Contender(layout, team or make(*layout.team))
        prepare(new.team, _batch(layout.batch_size, samples))
        ours, theirs = _duel(new, best if rates else None, samples, end)
        ratio = sum(ours) / sum(theirs) if theirs else 1.0
        rates[layout] = rates[best.layout] * ratio if rates else sum(ours) / len(ours)
        if not theirs or score(layout) > score(best.layout):
            peak, best = max(ours), new
        else:
            peak = max(peak, *theirs)
    report("choosing sessions and threads", len(rates), len(rates), "layouts")
    return best.layout, best.team, peak, {str(layout): round(rate, 2) for layout, rate in rates.items()}


@dataclass(frozen=True)
class Contender:
    """A layout with its workers."""

    layout: Layout
    team: Sequence[Worker]


def _batch(batch_size: int, samples: Sequence[int], at: int = 0) -> list[int]:
    """The samples of a batch that begins at a position; after the last sample comes the first."""
    return [samples[(at + offset) % len(samples)] for offset in range(batch_size)]


def _duel(new: Contender, best: Contender | None, samples: Sequence[int], end: float) -> tuple[list[float], list[float]]:
    """Samples/s of two contenders in turns: two turns each, more if they are close, one if the new one is far behind."""
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(_MAX_ROUNDS if best else _ROUNDS):
        ours.append(_rate(new, samples))
        if best is None:
            continue
        theirs.append(_rate(best, samples))
        ratio = sum(ours) / sum(theirs)
        decided = abs(ratio - 1) > _CLOSE or time.monotonic() > end
        if ratio < _HOPELESS or (number + 1 >= _ROUNDS and decided):
            break
    return ours, theirs


def _rate(contender: Contender, samples: Sequence[int]) -> float:
    return rate_of(contender.team, contender.layout.batch_size, samples)


def rate_of(team: Sequence[Worker], batch_size: int, samples: Sequence[int]) -> float:
    """Samples/s of one turn, every session in a thread of its own, on samples that are loaded."""
    counts = [0] * len(team)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        at = number * batch_size
        try:
            with bound_to(team[number].place):
                gate.wait()
                while time.perf_counter() - start[0] < _SECONDS:
                    team[number].detect(_batch(batch_size, samples, at))
                    counts[number] += batch_size
                    at += batch_size * len(team)
        except BaseException as error:
            failures.append(error)
            gate.abort()

    start = [time.perf_counter()]
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
