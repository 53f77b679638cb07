"""Sessions in one process and in several: ``python processes.py SESSIONS IMAGE_MS SECONDS PROCESSES PAIRS``; prints JSON.

The sessions wait for IMAGE_MS an image instead of computing, so that Python's lock is what bounds them; ``holding`` is a
framework whose Python code holds the lock for 100 µs a batch. One process and several take turns. ``rate`` is samples/s of
Offline, ``main`` the CPU time of a sample in the process that has LoadGen, ``all`` in all of them, µs. ``server`` is the median
and 99th percentile of Server's latency at an eighth of the possible rate, ms.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import waiting
from made_up import IMAGES, MODEL, SETTINGS, Images
from object_detection import loadgen, summary
from object_detection.annotations import ImageList
from object_detection.asked import Board
from object_detection.backends import framework
from object_detection.contract.record import write
from object_detection.contract.results import Performance
from object_detection.contract.spec import Dataset, Spec
from object_detection.layouts import Layout
from object_detection.placement import Topology
from object_detection.processes.team import ProcessTeam
from object_detection.sut.library import SampleLibrary
from object_detection.sut.order import OrderedSUT
from object_detection.sut.sessions import Sessions, seats
from object_detection.sut.team import OwnTeam, Team

_CALL_MS = 0.5
_HOLD_US = 100.0
_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Case:
    """What is measured: the scenario, sessions, their batch, the wait of an image, and for how long a batch holds the lock."""

    scenario: str
    sessions: int
    batch: int
    image_ms: float
    hold_us: float = 0.0

    @property
    def possible(self) -> float:
        """Samples/s if the sessions shared nothing."""
        return 1e3 * self.sessions * self.batch / (_CALL_MS + self.batch * self.image_ms)


@dataclass(frozen=True)
class Run:
    """The result of a run, and the CPU time of a sample, µs."""

    found: Performance
    main: float
    all: float


@contextmanager
def team_of(case: Case, processes: int, folder: Path) -> Iterator[tuple[Team, SampleLibrary]]:
    """The sessions of a case in so many processes, ready for a test."""
    spec = Spec(
        model=replace(MODEL, backend=waiting.NAME), dataset=Dataset("made-up", folder, folder, ""), device="cpu",
        scenario=case.scenario, modes=("performance",), count=None, batch_size=case.batch, threads=1, sessions=case.sessions,
        official=False, loadgen=SETTINGS, cache=folder, backend_options=waiting.options(case.image_ms, _CALL_MS, case.hold_us),
        folder=folder,
    )  # fmt: skip
    (folder / "spec.json").write_text(json.dumps(write(spec)))
    backend, library = framework(waiting.NAME, "cpu", spec.backend_options), SampleLibrary(Images())
    sessions = Sessions(spec, backend, Board(folder, case.sessions), library, (), lambda worker: "")
    own, layout = seats(spec, backend, Topology(((0,),)), case.sessions, 1), Layout(case.sessions, 1, case.batch)
    team: Team
    if processes == 1:
        team = OwnTeam(spec, sessions.load(own, 1), case.batch)
    else:
        names = [Path(f"{index:012d}.jpg") for index in range(IMAGES)]
        listed = cast("ImageList", SimpleNamespace(paths=names, sizes=[(8, 8)] * IMAGES, categories=()))
        team = ProcessTeam(sessions, listed, own, layout, processes)
    first = list(range(case.batch))
    library.load(first)
    team.prepare(first)
    library.unload(first)
    try:
        yield team, library
    finally:
        team.end()


def run(case: Case, processes: int, seconds: float, rate: float) -> Run:
    """One run of LoadGen; Server issues `rate` queries/s."""
    with tempfile.TemporaryDirectory() as scratch, team_of(case, processes, Path(scratch)) as (team, library):
        samples = int(rate * seconds)
        wanted = replace(SETTINGS, min_query_count=samples, target_qps=rate, target_latency_ms=1e3)
        settings = loadgen.settings_for(case.scenario, "performance", wanted, rate)
        sut = team.sut()
        main, others = time.process_time(), children_time()
        loadgen.run(
            case.scenario, "performance", settings, wanted, OrderedSUT(sut, library), library, IMAGES, Path(scratch) / "run"
        )
        main, others = time.process_time() - main, children_time() - others
        sut.close()
        each = 1e6 / sut.done
        return Run(summary.performance(Path(scratch) / "run", case.scenario), main * each, (main + others) * each)


def children_time() -> float:
    """CPU time of the processes that this one has started and that have not ended, s."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == os.getpid():
            total += (int(fields[11]) + int(fields[12])) * _TICK
    return total


def turns(case: Case, processes: int, seconds: float, pairs: int, figures: Callable[[list[Run]], dict[str, float]]) -> Any:
    """Figures of one process and of several, in turns."""
    rate = case.possible if case.scenario == "offline" else case.possible / 8
    rows: dict[int, list[Run]] = {1: [], processes: []}
    for turn in range(pairs):
        for count in (1, processes)[:: 1 if turn % 2 else -1]:
            rows[count].append(run(case, count, seconds, rate))
    return {str(count): figures(found) for count, found in rows.items()}


def _offline(rows: list[Run]) -> dict[str, float]:
    return {
        "rate": round(statistics.median(row.found.samples_per_second or 0.0 for row in rows), 1),
        "main": round(statistics.median(row.main for row in rows), 1),
        "all": round(statistics.median(row.all for row in rows), 1),
    }


def _server(rows: list[Run]) -> dict[str, float]:
    return {name: round(statistics.median(row.found.latency_ms[name] for row in rows), 2) for name in ("p50", "p99")}


def main() -> None:
    sessions, image_ms, seconds, processes, pairs = (float(word) for word in sys.argv[1:])
    threading.stack_size(256 << 10)
    with tempfile.TemporaryDirectory() as scratch:
        waiting.install(Path(scratch))
        cases = {f"offline, {size}": Case("offline", int(sessions), size, image_ms) for size in (1, 8)}
        cases["offline, 1, holding"] = Case("offline", int(sessions), 1, image_ms, _HOLD_US)
        found: dict[str, Any] = {
            name: {"possible": round(case.possible, 1), **turns(case, int(processes), seconds, int(pairs), _offline)}
            for name, case in cases.items()
        }
        found["server"] = turns(Case("server", int(sessions), 8, image_ms), int(processes), seconds, int(pairs), _server)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
