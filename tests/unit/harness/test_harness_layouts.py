"""Which layouts are measured: few on small machines, a bounded number on large ones, including the fastest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("numpy")

from object_detection import layouts
from object_detection.layouts import MAX_SESSIONS, Layout, Space, proposals, space_for, widths
from object_detection.spec import Spec


def spec(**fields: Any) -> Spec:
    """The part of a spec that the choice of layouts reads."""
    found = SimpleNamespace(
        scenario="offline", sessions=None, threads=None, batch_size=None,
        model=SimpleNamespace(max_batch=None), loadgen=SimpleNamespace(samples_per_query=8), layout=None,
    )  # fmt: skip
    vars(found).update(fields)
    return cast("Spec", found)


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "cores", lambda: 8)


def network(layout: Layout, cores: int, serial: float = 0.2, call_ms: float = 2.0) -> float:
    """Samples/s of a simulated framework: an image takes 20 ms on one core, a part of it on a single thread, and a call 2 ms.

    All sessions together have no more than the cores. A single-threaded part leaves cores to the other sessions.
    """
    busy = min(layout.threads, cores)
    image_ms = 20.0 * (serial + (1 - serial) / busy)
    batch_ms = call_ms + layout.batch_size * image_ms
    work_ms = call_ms + layout.batch_size * 20.0  # of one core
    alone = layout.sessions * layout.batch_size / batch_ms
    crowd = 1 + 0.02 * max(layout.sessions * layout.threads / cores - 1, 0)
    return 1e3 * min(alone, cores * layout.batch_size / work_ms) / crowd


def searched(space: Space) -> dict[Layout, float]:
    """The rates of all layouts that a search measures."""
    rates: dict[Layout, float] = {}
    while rows := proposals(space, rates):
        rates |= {layout: network(layout, space.cores) for layout in rows}
    return rates


def every(space: Space) -> list[Layout]:
    grid = [
        space.layout(thread, load, batch)
        for thread in range(len(space.threads))
        for load in range(len(space.loads))
        for batch in range(len(space.batches))
    ]
    return [layout for layout in grid if layout]


@pytest.mark.parametrize(
    ("total", "expected"),
    [(1, (1,)), (2, (1, 2)), (7, (1, 2, 4, 7)), (96, (1, 2, 4, 8, 16, 32, 64, 96)), (256, tuple(2**n for n in range(9)))],
)
def test_thread_counts_are_powers_of_two_and_all_cores(total: int, expected: tuple[int, ...]) -> None:
    assert widths(total) == expected


def test_small_machine_starts_with_every_thread_count() -> None:
    found = Space(2, widths(2)).first()
    assert found == [Layout(2, 1, 1), Layout(2, 1, 4), Layout(1, 2, 1), Layout(1, 2, 4)]


@pytest.mark.parametrize("total", [16, 64, 96, 256])
def test_large_machine_starts_with_three_layouts(total: int) -> None:
    first = Space(total, widths(total)).first()
    assert len(first) == 3
    assert first[-1].sessions == 1


@pytest.mark.parametrize("total", [1, 2, 8, 12, 64, 96, 128, 256])
def test_search_measures_few_layouts_and_ends_near_the_best(total: int) -> None:
    space = Space(total, widths(total))
    rates = searched(space)
    assert max(rates.values()) >= 0.95 * max(network(layout, total) for layout in every(space))
    assert len(rates) <= 26


def test_neighbours_include_more_threads_than_cores() -> None:
    space = Space(2, widths(2))
    assert Layout(4, 1, 1) in space.neighbours(Layout(2, 1, 1))
    assert Layout(2, 2, 1) in space.neighbours(Layout(1, 2, 1))
    assert Layout(2, 1, 2) == space.neighbours(Layout(2, 1, 1))[0]  # the sessions already exist


@pytest.mark.parametrize(
    ("sessions", "threads", "expected"),
    [(2, None, (2, 4)), (None, 4, (2, 4)), (3, 1, (3, 1)), (None, 16, (1, 16)), (16, None, (16, 1))],
)
def test_user_settings_are_kept(eight: None, sessions: int | None, threads: int | None, expected: tuple[int, int]) -> None:
    found = every(space_for(spec(sessions=sessions, threads=threads)))
    assert {(layout.sessions, layout.threads) for layout in found} == {expected}
    assert len({layout.batch_size for layout in found}) > 1


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_batches_stay_within_model_limit(eight: None, limit: int) -> None:
    space = space_for(spec(model=SimpleNamespace(max_batch=limit)))
    assert space.batches == tuple(range(1, limit + 1))


def test_single_stream_has_one_session(eight: None) -> None:
    found = every(space_for(spec(scenario="singlestream")))
    assert found == [Layout(1, threads, 1) for threads in (1, 2, 4, 8)]


@pytest.mark.parametrize("samples", [1, 3, 8])
def test_sessions_do_not_exceed_samples_per_query(eight: None, samples: int) -> None:
    loadgen = SimpleNamespace(samples_per_query=samples)
    space = space_for(spec(scenario="multistream", loadgen=loadgen))
    assert max(layout.sessions for layout in searched(space)) <= samples
    fixed = space_for(spec(scenario="multistream", loadgen=loadgen, threads=1))
    assert max(layout.sessions for layout in fixed.first()) <= samples


def test_sessions_fit_into_memory(eight: None) -> None:
    assert {layout.sessions for layout in searched(space_for(spec(), 3))} <= {1, 2, 3}
    assert space_for(spec()).max_sessions == MAX_SESSIONS
    assert space_for(spec(sessions=6), 3).first()[0].sessions == 6  # the user decides


def test_single_candidate_needs_no_search(eight: None) -> None:
    assert space_for(spec(sessions=2, threads=1, batch_size=1)).is_single
    assert not space_for(spec(sessions=2, threads=1)).is_single
    assert space_for(spec()).smallest() == Layout(1, 8, 1)
