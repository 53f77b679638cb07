"""Where the time of a sample goes: the stages add up to the sessions' time, and a run is otherwise unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

np = pytest.importorskip("numpy")
lg = pytest.importorskip("mlperf_loadgen")
pytest.importorskip("cv2")

from object_detection.sut.inline import InlineSUT  # noqa: E402
from object_detection.sut.library import SampleLibrary  # noqa: E402
from object_detection.sut.pool import PoolSUT  # noqa: E402
from object_detection.sut.profiled import ProfiledWorker, profile, restart  # noqa: E402
from object_detection.sut.worker import Worker  # noqa: E402
from unit.harness.answers import MODEL, outputs  # noqa: E402

STAGES = ("batch_us", "framework_us", "packing_us", "loadgen_us", "harness_us", "idle_us")


class Images:
    """Replaces the image cache."""

    def load(self, indices: Any) -> list[Any]:
        return [np.zeros((2, 2, 3), np.uint8) for _ in indices]

    def name(self, index: int) -> str:
        return f"{index}.png"


class Backend:
    """A framework that answers immediately."""

    max_batch: int | None = None
    threads, layout = 1, "NHWC"

    def run(self, images: Any) -> tuple[Any, Any, Any, None]:
        return *outputs(len(images), 3), None


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The samples that LoadGen got answers for."""
    ids: list[int] = []
    monkeypatch.setattr(lg, "QuerySampleResponse", lambda sample, where, size: sample)
    monkeypatch.setattr(lg, "QuerySamplesComplete", ids.extend)
    return ids


def workers(kind: type[Worker], count: int) -> list[Worker]:
    library = SampleLibrary(Images())  # type: ignore[arg-type]
    library.load(range(8))
    return [kind(MODEL, Backend(), library) for _ in range(count)]


def samples(count: int) -> list[Any]:
    return [SimpleNamespace(id=number, index=number % 8) for number in range(count)]


def test_every_sample_of_an_offline_query_is_counted(answered: list[int]) -> None:
    team = workers(ProfiledWorker, 2)
    sut = PoolSUT(team, 3, Path("unused"))
    sut.issue(samples(20))
    sut.close()
    assert sorted(answered) == list(range(20))
    found = profile(team)
    assert found is not None
    assert (found.samples, found.batches, found.sessions) == (20, 7, 2)
    assert all(getattr(found, name) >= 0 for name in STAGES)
    assert found.queue_us > 0
    assert min(found.batch_us, found.framework_us, found.packing_us, found.loadgen_us) > 0


def test_stages_add_up_to_session_time(answered: list[int]) -> None:
    team = workers(ProfiledWorker, 1)
    team[0].detect([1, 2])  # a measurement before the run, which does not count
    restart(team)
    sut = InlineSUT(team[0], Path("unused"))
    for sample in samples(10):
        sut.issue([sample])
    found, stages = profile(team), team[0].stages  # type: ignore[attr-defined]
    assert found is not None
    assert (found.samples, found.batches, found.queue_us) == (10, 10, 0)
    assert sum(getattr(found, name) for name in STAGES) == pytest.approx((stages.last - stages.first) / 1e4, abs=0.01)


def test_untimed_workers_have_no_profile(answered: list[int]) -> None:
    team = workers(Worker, 1)
    InlineSUT(team[0], Path("unused")).issue(samples(1))
    assert answered == [0]
    assert profile(team) is None
    assert profile(workers(ProfiledWorker, 1)) is None  # no sample


def test_run_records_profile_on_request(harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]]) -> None:
    found = harness(spec_for("singlestream", "performance", profile=True)).results["performance"]
    assert found["profile"]["samples"] == found["queries"]
    assert found["profile"]["framework_us"] > found["profile"]["packing_us"] > 0
