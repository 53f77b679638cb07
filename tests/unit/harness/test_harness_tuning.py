"""The fastest layout is found in rounds, and that of an earlier run is reused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("numpy")
pytest.importorskip("mlperf_loadgen")
pytest.importorskip("cv2")

from object_detection import layouts, pipeline, tuning
from object_detection.contract.spec import MeasuredLayout
from object_detection.layouts import Layout, Space, widths
from object_detection.server_queue import highest_rate
from object_detection.spec import Spec
from object_detection.sut.library import SampleLibrary
from object_detection.sut.team import OwnTeam
from object_detection.sut.worker import Worker
from object_detection.tuning import MakeWorkers, fastest


class Toy:
    """A worker that does the given amount of hashing per image."""

    max_batch = None
    place = ()

    def __init__(self, rounds: int = 0, error: Exception | None = None) -> None:
        self.rounds, self.error = rounds, error
        self.seen: set[int] = set()

    def detect(self, indices: Sequence[int]) -> list[object]:
        if self.error:
            raise self.error
        self.seen.update(indices)
        for _ in range(self.rounds * len(indices)):
            hashlib.sha256(bytes(1_000_000)).digest()
        return []


def fastest_of(
    space: Space, make: Callable[[int, int], Sequence[Toy]], samples: Sequence[int], budget: float = 60.0
) -> tuple[Layout, Sequence[Toy], float, dict[str, float]]:
    """`fastest`, with simulated workers."""
    chosen, team, rate, rates = fastest(space, cast("MakeWorkers", make), samples, budget)
    return chosen, cast("Sequence[Toy]", team), rate, rates


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "cores", lambda: 8)


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_SECONDS", 0.05)


def rated(monkeypatch: pytest.MonkeyPatch, rate: Callable[[Layout], float]) -> list[Layout]:
    """Give layouts fixed rates; return the list of turns as they are made."""
    turns: list[Layout] = []

    def turn(contender: tuning.Contender, samples: Sequence[int]) -> float:
        turns.append(contender.layout)
        return rate(contender.layout)

    monkeypatch.setattr(tuning, "_rate", turn)
    return turns


def test_fastest_layout_is_selected(capsys: pytest.CaptureFixture[str]) -> None:
    space = Space(2, (1, 2), (1,), (1,))
    chosen, team, rate, rates = fastest_of(
        space, lambda sessions, threads: [Toy(rounds=5 if threads == 1 else 0)] * sessions, [0, 1]
    )
    assert chosen == Layout(1, 2, 1)
    assert [worker.rounds for worker in team] == [0]
    assert rates["2 x 1 x 1"] < rates["1 x 2 x 1"]
    assert rate > 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["done"], line["total"]) for line in lines] == [(0, 2), (1, 2), (2, 2)]


def test_near_ties_are_measured_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout far behind gets one turn, one behind two, and two near-ties four turns."""
    given = {1: 100.0, 4: 101.0, 2: 85.0, 8: 50.0, 16: 1.0}
    turns = rated(monkeypatch, lambda layout: given[layout.batch_size])
    chosen, _, rate, rates = fastest_of(Space(1, (1,), (1,)), lambda sessions, threads: [Toy()], [0])
    assert (chosen.batch_size, rate) == (4, 101.0)
    assert {size: turns.count(Layout(1, 1, size)) for size in (2, 8, 16)} == {2: 2, 8: 1, 16: 0}
    assert turns.count(Layout(1, 1, 1)) == 2 + 4
    assert rates == {"1 x 1 x 1": 100.0, "1 x 1 x 4": 101.0, "1 x 1 x 2": 85.0, "1 x 1 x 8": 50.0}


def test_machine_noise_affects_both_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is half as fast in every second turn; relative to each other, the layouts are as fast as before."""
    speed, number = {1: 10.0, 4: 12.0}, iter(range(1000))
    rated(monkeypatch, lambda layout: speed[layout.batch_size] / 2 ** (next(number) // 2))
    chosen, _, _, rates = fastest_of(Space(1, (1,), (1,), (1, 4)), lambda sessions, threads: [Toy()], [0])
    assert chosen.batch_size == 4
    assert rates["1 x 1 x 4"] / rates["1 x 1 x 1"] > 1


@pytest.mark.parametrize(
    ("bound", "on_both", "expected"),
    [
        (1.0, 0.018, Layout(2, 1, 4)),  # batches of 4 are the most efficient
        (0.1, 0.018, Layout(2, 1, 1)),  # a batch of 4 takes 80 ms, and a query may have to wait for one
        (0.05, 0.013, Layout(1, 2, 1)),  # as many queries, but each takes half of the time
        (0.022, 0.018, Layout(1, 2, 1)),
        (0.001, 0.018, Layout(1, 2, 1)),
    ],
)
def test_server_layout_answers_most_queries_within_bound(
    monkeypatch: pytest.MonkeyPatch, bound: float, on_both: float, expected: Layout
) -> None:
    """On 2 cores: a single image takes 25 ms on one core."""
    seconds = {1: {1: 0.025, 4: 0.08}, 2: {1: on_both, 4: 4 * on_both}}
    rated(monkeypatch, lambda layout: layout.sessions * layout.batch_size / seconds[layout.threads][layout.batch_size])
    space = Space(2, (1, 2), (1,), (1, 4))
    make = cast("MakeWorkers", lambda sessions, threads: [Toy()] * sessions)
    chosen, *_ = fastest(space, make, [0], value=lambda layout, rates: highest_rate(layout, rates, bound, 0.99))
    assert chosen == expected


def test_search_respects_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = rated(monkeypatch, lambda layout: 1e3 * layout.sessions)
    fastest_of(Space(64, widths(64)), lambda sessions, threads: [Toy()], [0], budget=0.0)
    assert len(dict.fromkeys(turns)) == 3


def test_layout_that_would_take_too_long_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of 1 image in 2 s: a batch of 2 in each of 2 sessions would take 8 s."""
    turns = rated(monkeypatch, lambda layout: 0.5)
    fastest_of(Space(2, (1, 2)), lambda sessions, threads: [Toy()] * sessions, [0])
    assert {layout.batch_size for layout in turns} == {1}


def test_original_session_failure_is_reported() -> None:
    """Not the failure of the others, which wait for it in vain."""
    team = [Toy(), Toy(error=RuntimeError("no memory on the device")), Toy()]
    with pytest.raises(RuntimeError, match="no memory on the device"):
        fastest_of(Space(3, (1,), (1,), (1,)), lambda sessions, threads: team, [0])


class Samples:
    """A library that only counts loaded samples."""

    def __init__(self) -> None:
        self.loaded: list[list[int]] = []

    def load(self, samples: list[int]) -> None:
        self.loaded.append(samples)

    def unload(self, samples: list[int]) -> None:
        assert samples == self.loaded[-1]


KEPT = MeasuredLayout(2, 3, 4, 50.0, "1.2", "2026-01-02T03:04:05Z")


def choice_of(
    modes: Sequence[str] = ("performance",), version: str = "1.2", **fields: Any
) -> tuple[tuning.Choice, Samples, list[tuple[int, int]]]:
    """The choice for such a spec: the result, what was loaded for it, and which teams were created."""
    spec = SimpleNamespace(
        scenario="offline", sessions=None, threads=None, batch_size=None, modes=modes,
        model=SimpleNamespace(max_batch=None), loadgen=SimpleNamespace(samples_per_query=8, target_latency_ms=None),
        layout=KEPT, answers=None,
    )  # fmt: skip
    vars(spec).update(fields)
    library, made = Samples(), []

    def make(sessions: int, threads: int) -> list[Toy]:
        made.append((sessions, threads))
        return [Toy() for _ in range(sessions)]

    found = tuning.choose_layout(cast("Spec", spec), cast("SampleLibrary", library), cast("MakeWorkers", make), 100, version)
    return found, library, made


def test_kept_layout_is_reused_without_measurement(eight: None) -> None:
    found, library, made = choice_of()
    assert (found.layout, found.source, found.rate, found.rates) == (Layout(2, 3, 4), "kept", 50.0, {})
    assert found.measured == KEPT  # with the date of the measurement
    assert (made, library.loaded, found.team) == ([], [], ())  # its sessions are loaded where the run has them


@pytest.mark.parametrize(("modes", "seen"), [(("performance",), {0, 1, 2, 3}), (("accuracy", "performance"), set())])
def test_first_batch_of_session_belongs_to_no_measurement(modes: tuple[str, ...], seen: set[int]) -> None:
    """It is slow. An accuracy run prepares the sessions itself."""
    toys, library, spec = [Toy(), Toy()], Samples(), cast("Spec", SimpleNamespace(modes=modes))
    team = OwnTeam(spec, cast("list[Worker]", toys), 4)
    pipeline.prepare(spec, team, cast("SampleLibrary", library), 4)
    assert [toy.seen for toy in toys] == [seen] * 2
    assert library.loaded == ([sorted(seen)] if seen else [])


def test_other_framework_version_is_measured_again(eight: None) -> None:
    found, _, _ = choice_of(version="1.3")
    assert found.source == "measured"
    assert found.measured is not None
    assert (found.measured.backend_version, found.measured.samples_per_second) == ("1.3", found.rate)
    assert found.measured.measured > KEPT.measured
    assert len(found.rates) >= 3


def test_rate_of_user_layout_is_measured(eight: None) -> None:
    found, _, made = choice_of(layout=None, sessions=2, threads=1, batch_size=1)
    assert (found.layout, found.source, made) == (Layout(2, 1, 1), "given", [(2, 1)])
    assert found.measured is not None
    assert choice_of(sessions=2, threads=3, batch_size=4)[0].source == "given"


def test_short_accuracy_run_is_not_tuned(eight: None) -> None:
    found, library, _ = choice_of(("accuracy",), layout=None)
    assert (found.layout, found.source, found.measured, library.loaded) == (Layout(1, 8, 1), "unmeasured", None, [])
