"""Which layouts are tried, that the fastest is taken, and that one of an earlier run is used again."""

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

from object_detection import layouts, tuning
from object_detection.contract.spec import MeasuredLayout
from object_detection.layouts import Layout, candidates, widths
from object_detection.spec import Spec
from object_detection.sut.library import SampleLibrary
from object_detection.tuning import MakeWorkers, fastest


class Toy:
    """A worker that does so many rounds of hashing an image."""

    max_batch = None

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
    layouts: Sequence[Layout], make: Callable[[int, int], Sequence[Toy]], samples: Sequence[int]
) -> tuple[Layout, Sequence[Toy], float, dict[str, float]]:
    """`fastest`, with toys where it expects workers."""
    chosen, team, rate, rates = fastest(layouts, cast("MakeWorkers", make), samples)
    return chosen, cast("Sequence[Toy]", team), rate, rates


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "cores", lambda: 8)


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_SECONDS", 0.05)


@pytest.mark.parametrize(("total", "expected"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (7, [1, 7]), (96, [1, 2, 3, 96])])
def test_widths_divide_the_cores(monkeypatch: pytest.MonkeyPatch, total: int, expected: list[int]) -> None:
    monkeypatch.setattr(layouts, "cores", lambda: total)
    assert widths() == expected


def test_without_a_wish_every_core_is_used(eight: None) -> None:
    rows = candidates(None, None, None, None)
    assert {row.sessions * row.threads for row in rows} == {8}
    assert Layout(8, 1, 1) in rows
    assert Layout(1, 8, 4) in rows


@pytest.mark.parametrize(
    ("sessions", "threads", "expected"),
    [(2, None, (2, 4)), (None, 4, (2, 4)), (3, 1, (3, 1)), (None, 16, (1, 16)), (16, None, (16, 1))],
)
def test_wishes_are_kept(eight: None, sessions: int | None, threads: int | None, expected: tuple[int, int]) -> None:
    assert {(row.sessions, row.threads) for row in candidates(sessions, threads, None, None)} == {expected}


@pytest.mark.parametrize("limit", [1, 2])
def test_batches_stay_within_what_the_model_takes(eight: None, limit: int) -> None:
    assert {row.batch_size for row in candidates(None, None, None, limit)} == {1, limit}


def test_fastest_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    slow, quick = Layout(1, 1, 1), Layout(1, 2, 1)
    chosen, team, rate, rates = fastest_of(
        [slow, quick], lambda sessions, threads: [Toy(rounds=5 if threads == 1 else 0)], [0, 1]
    )
    assert chosen == quick
    assert [worker.rounds for worker in team] == [0]
    assert rate >= rates["1 x 2 x 1"] - 0.01  # the highest of the turns: a run has to last even at that speed
    assert rates["1 x 1 x 1"] < rates["1 x 2 x 1"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["done"] for line in lines] == [0.5, 1, 1.5, 2]


def test_the_closer_the_longer_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch size that is far off is measured twice; of two that are close the mean of six turns decides."""
    given = {
        1: iter([100.0, 90.0, 101.0, 101.0, 101.0, 101.0]),
        4: iter([99.0, 98.0, 98.0, 97.0, 97.0, 97.0]),
        8: iter([50.0, 50.0]),
    }
    monkeypatch.setattr(tuning, "_rate", lambda team, batch_size, samples: next(given[batch_size]))
    rows = [Layout(1, 1, size) for size in given]
    chosen, _, rate, _ = fastest_of(rows, lambda sessions, threads: [Toy()], [0])
    assert (chosen.batch_size, rate) == (1, 101.0)  # the mean decides, and the highest is the rate that a run is made for
    assert [list(left) for left in given.values()] == [[], [], []]


def test_failure_of_one_session_is_the_failure_that_is_told() -> None:
    """Not that of the others, which wait for it in vain."""
    team = [Toy(), Toy(error=RuntimeError("no memory on the device")), Toy()]
    with pytest.raises(RuntimeError, match="no memory on the device"):
        fastest_of([Layout(3, 1, 1)], lambda sessions, threads: team, [0])


class Samples:
    """A library that only counts what is loaded."""

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
    """The choice for a spec of such tests: what it is, what was loaded for it, and which teams were made."""
    spec = SimpleNamespace(
        scenario="offline", sessions=None, threads=None, batch_size=None, modes=modes,
        model=SimpleNamespace(max_batch=None), loadgen=SimpleNamespace(samples_per_query=8), layout=KEPT,
    )  # fmt: skip
    vars(spec).update(fields)
    library, made = Samples(), []

    def make(sessions: int, threads: int) -> list[Toy]:
        made.append((sessions, threads))
        return [Toy() for _ in range(sessions)]

    found = tuning.choose_layout(cast("Spec", spec), cast("SampleLibrary", library), cast("MakeWorkers", make), 100, version)
    return found, library, made


def test_kept_layout_is_taken_without_a_measurement(eight: None) -> None:
    found, library, made = choice_of()
    assert (found.layout, found.source, found.rate, found.rates) == (Layout(2, 3, 4), "kept", 50.0, {})
    assert found.measured == KEPT  # with the date of the measurement
    assert made == [(2, 3)]
    assert library.loaded == [[0, 1, 2, 3]]
    assert [cast("Toy", worker).seen for worker in found.team] == [{0, 1, 2, 3}] * 2  # the first batch of a session is slow


def test_accuracy_run_prepares_the_sessions_itself(eight: None) -> None:
    found, library, _ = choice_of(("accuracy", "performance"))
    assert (found.source, library.loaded) == ("kept", [])


def test_other_version_of_the_framework_is_measured_again(eight: None) -> None:
    found, _, _ = choice_of(version="1.3")
    assert found.source == "measured"
    assert found.measured is not None
    assert (found.measured.backend_version, found.measured.samples_per_second) == ("1.3", found.rate)
    assert found.measured.measured > KEPT.measured
    assert len(found.rates) == len(candidates(None, None, None, None))


def test_layout_that_options_give_has_its_rate_measured(eight: None) -> None:
    found, _, made = choice_of(layout=None, sessions=2, threads=1, batch_size=1)
    assert (found.layout, found.source, made) == (Layout(2, 1, 1), "given", [(2, 1)])
    assert found.measured is not None
    assert choice_of(sessions=2, threads=3, batch_size=4)[0].source == "given"


def test_accuracy_of_few_images_is_not_worth_a_measurement(eight: None) -> None:
    found, library, _ = choice_of(("accuracy",), layout=None)
    assert (found.layout, found.source, found.measured, library.loaded) == (Layout(1, 8, 1), "unmeasured", None, [])
