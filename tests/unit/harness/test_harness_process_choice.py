"""In how many processes sessions are: by the rate of one process, a measurement of several, or the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

for name in ("cv2", "mlperf_loadgen", "pycocotools"):
    pytest.importorskip(name)

from object_detection.contract.spec import MeasuredLayout  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.layouts import Layout  # noqa: E402
from object_detection.processes import choice  # noqa: E402
from object_detection.processes.choice import check_processes, choose_team, processes_to_try  # noqa: E402
from object_detection.sut.worker import Worker  # noqa: E402
from object_detection.tuning import Choice  # noqa: E402

ANSWER = "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"

Spec = dict[str, Any]
MakeSpec = Callable[..., Spec]


def spec_of(**changes: Any) -> Any:
    fields: Any = {"scenario": "offline", "processes": None, "answers": (), "loadgen": SimpleNamespace(target_qps=None)}
    return SimpleNamespace(**(fields | changes))


def choice_of(layout: Layout, rate: float, *, kept: int = 0) -> Choice:
    """A layout that was measured, or is kept."""
    measured = MeasuredLayout(layout.sessions, layout.threads, layout.batch_size, rate, "1", "", max(kept, 1))
    return Choice(layout, () if kept else [cast("Worker", None)], "", rate, {str(layout): rate}, measured)


@pytest.mark.parametrize(
    ("changes", "layout", "rate", "expected"),
    [
        ({}, Layout(200, 1, 1), 1000.0, 1),
        ({}, Layout(200, 1, 1), 14_000.0, 2),
        ({}, Layout(200, 1, 8), 14_000.0, 1),  # larger batches hold the lock for a shorter time
        ({}, Layout(200, 1, 1), 30_000.0, 3),
        ({}, Layout(2, 100, 1), 30_000.0, 2),
        ({}, Layout(2, 100, 1), 1e9, 2),
        ({}, Layout(4000, 1, 1), 1e9, 64),
        ({"processes": 7}, Layout(200, 1, 1), 1000.0, 7),
        ({"processes": 7}, Layout(3, 1, 1), 1000.0, 3),
        ({"scenario": "server"}, Layout(200, 1, 1), 20_000.0, 1),  # queries come at a quarter of the rate without a target
        ({"scenario": "server", "loadgen": SimpleNamespace(target_qps=28_000.0)}, Layout(200, 1, 1), 30_000.0, 3),
        ({}, Layout(200, 1, 1), 6000.0, 2),  # this rate may already be bounded
        ({"scenario": "singlestream"}, Layout(1, 64, 1), 1e9, 1),
        ({"scenario": "multistream"}, Layout(8, 8, 1), 1e9, 1),
    ],
)
def test_rate_decides_how_many_processes_are_tried(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], layout: Layout, rate: float, expected: int
) -> None:
    monkeypatch.setattr(choice, "cores", lambda: 64)
    assert processes_to_try(spec_of(**changes), choice_of(layout, rate)) == expected


def test_kept_layout_has_its_processes() -> None:
    layout = Layout(200, 1, 1)
    assert processes_to_try(spec_of(), choice_of(layout, 1e9, kept=3)) == 3
    assert processes_to_try(spec_of(), choice_of(layout, 1e9, kept=1)) == 1
    assert processes_to_try(spec_of(processes=2), choice_of(layout, 1e9, kept=3)) == 2


class StandIn:
    """A team of a set rate, which notes that it has ended."""

    def __init__(self, processes: int, rate: float) -> None:
        self.processes, self._rate = processes, rate
        self.ended = False

    def prepare(self, samples: object) -> None:
        """Nothing is slow at first."""

    def rate(self, samples: object) -> float:
        return self._rate

    def end(self) -> None:
        self.ended = True


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted", "expected"), [(6000.0, 9000.0, None, 2), (6000.0, 6100.0, None, 1), (6000.0, 5000.0, 2, 2)]
)
def test_faster_team_is_chosen(
    monkeypatch: pytest.MonkeyPatch, ours: float, theirs: float, wanted: int | None, expected: int
) -> None:
    """Or what the user says."""
    several = StandIn(2, theirs)
    monkeypatch.setattr(choice, "OwnTeam", lambda *given: StandIn(1, ours))
    monkeypatch.setattr(choice, "ProcessTeam", lambda *given: several)
    monkeypatch.setattr(choice, "seats", lambda *given: [])
    library = SimpleNamespace(load=lambda samples: None, unload=lambda samples: None)
    sessions: Any = SimpleNamespace(spec=spec_of(processes=wanted), backend=None, library=library)
    before = choice_of(Layout(200, 1, 1), 6000.0)
    team, found = choose_team(sessions, cast("Any", range(8)), cast("Any", None), before)
    assert (team.processes, several.ended) == (expected, expected == 1)
    assert found.measured is not None
    assert (found.measured.processes, found.rate) == (expected, theirs if expected == 2 else 6000.0)
    assert found.measured.samples_per_second == found.rate
    assert ("200 x 1 x 1 in 2 processes" in found.rates) == (expected == 2)
    assert found.team == ()


def test_fast_framework_is_measured_in_processes(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path]
) -> None:
    """Whatever is faster on this machine, the results say so."""
    spec = spec_for("offline", "performance", model_changes={"backend": "toy"}, batch_size=1)
    found = harness(spec, path=plugin(ANSWER)).results
    processes = found.get("processes", 1)
    assert found["layout"].get("processes", 1) == processes
    assert any(name.endswith(" in 2 processes") for name in found["tuning"]) == (processes == 2)


@pytest.mark.parametrize("scenario", ["singlestream", "multistream"])
def test_scenarios_without_a_queue_are_refused(scenario: str) -> None:
    with pytest.raises(HarnessError, match="2 processes are for offline and server"):
        check_processes(spec_of(scenario=scenario, processes=2))
    check_processes(spec_of(scenario=scenario, processes=1))
