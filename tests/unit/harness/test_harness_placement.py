"""Sessions are distributed over NUMA nodes and GPUs of made-up machines, and threads are bound to cores of this one."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from object_detection.backends.cuda import gpus, number_of, visible
from object_detection.placement import Topology, bound_to, cores_of, devices, max_sessions, places, read_topology

TWO = Topology((tuple(range(4)), tuple(range(4, 8))))


def nodes_in(folder: Path, *lists: str) -> Path:
    for number, text in enumerate(lists):
        (folder / f"node{number}").mkdir()
        (folder / f"node{number}" / "cpulist").write_text(f"{text}\n")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"), [("", []), ("5", [5]), ("0-2", [0, 1, 2]), ("0-1,64-65\n", [0, 1, 64, 65]), ("3,1-2", [3, 1, 2])]
)
def test_core_lists_are_parsed(text: str, expected: list[int]) -> None:
    assert cores_of(text) == expected


def test_nodes_have_only_usable_cores(tmp_path: Path) -> None:
    folder = nodes_in(tmp_path, "0-3,8-11", "4-7,12-15", "")
    assert read_topology(range(16), folder).nodes == ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))
    assert read_topology([2, 3, 4], folder).nodes == ((2, 3), (4,))
    assert read_topology([2, 3], folder).nodes == ((2, 3),)


@pytest.mark.parametrize("lists", [(), ("0-1",), ("zero",)], ids=["none", "not all", "no numbers"])
def test_machine_without_topology_has_one_node(tmp_path: Path, lists: tuple[str, ...]) -> None:
    assert read_topology([0, 1, 2, 3], nodes_in(tmp_path, *lists)).nodes == ((0, 1, 2, 3),)


def test_ten_nodes_are_sorted_by_number(tmp_path: Path) -> None:
    found = read_topology(range(11), nodes_in(tmp_path, *map(str, range(11))))
    assert found.nodes == tuple((number,) for number in range(11))


def test_this_machine_has_the_cores_of_this_process() -> None:
    found = read_topology()
    assert sorted(core for node in found.nodes for core in node) == sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize("sessions", [2, 3, 8, 16])
def test_sessions_are_distributed_evenly(sessions: int) -> None:
    found = Counter(places(TWO, sessions, 1))
    assert sum(found.values()) == sessions
    assert set(found) == set(TWO.nodes)
    assert max(found.values()) - min(found.values()) <= 1


def test_larger_node_has_more_sessions() -> None:
    found = Counter(places(Topology((tuple(range(96)), tuple(range(96, 128)))), 64, 2))
    assert sorted(found.values()) == [16, 48]


@pytest.mark.parametrize(("sessions", "threads"), [(1, 4), (1, 8), (2, 8), (4, 5)])
def test_session_larger_than_a_node_is_not_pinned(sessions: int, threads: int) -> None:
    assert places(TWO, sessions, threads) == [()] * sessions


def test_single_node_leaves_placement_to_the_system() -> None:
    assert places(Topology((tuple(range(256)),)), 128, 2) == [()] * 128


def test_threads_started_meanwhile_are_pinned_too() -> None:
    """Like threads that a framework starts when it loads a model."""
    before = os.sched_getaffinity(0)
    one, seen = [min(before)], []
    with bound_to(one):
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
    assert seen == [set(one)]
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("cores", [[], [4095]], ids=["not bound", "no such core"])
def test_pinned_thread_stays_on_its_cores(cores: list[int]) -> None:
    before = os.sched_getaffinity(0)
    with bound_to(cores):
        assert os.sched_getaffinity(0) == before


def test_sessions_fit_into_half_of_free_memory(tmp_path: Path) -> None:
    model, memory = tmp_path / "model.onnx", tmp_path / "meminfo"
    model.write_bytes(bytes(1 << 20))
    memory.write_text("MemTotal:       99999999 kB\nMemAvailable:   1392640 kB\n")  # 1360 MiB: half is 680, a session takes 68
    assert max_sessions(model, memory) == 10
    memory.write_text("MemAvailable:   1000 kB\n")
    assert max_sessions(model, memory) == 1
    memory.write_text("")
    assert max_sessions(model, memory) == 512


@pytest.mark.parametrize(
    ("wanted", "available", "expected"),
    [
        ("cpu", ["cpu", "cuda", "cuda:1"], ["cpu"] * 5),
        ("cuda", ["cpu", "cuda"], ["cuda"] * 5),
        ("cuda", ["cpu", "cuda", "cuda:1", "cuda:2"], ["cuda", "cuda:1", "cuda:2", "cuda", "cuda:1"]),
    ],
    ids=["CPU", "one GPU", "three GPUs"],
)
def test_sessions_are_distributed_over_all_gpus(wanted: str, available: list[str], expected: list[str]) -> None:
    assert devices(wanted, available, 5) == expected


def test_gpus_have_names_and_numbers() -> None:
    assert gpus(0) == ()
    assert [number_of(device) for device in ("cpu", *gpus(3))] == [None, 0, 1, 2]


def test_visible_gpus_come_from_driver_or_user(tmp_path: Path) -> None:
    assert visible({}, tmp_path) == 1
    for address in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / address).mkdir()
    assert visible({}, tmp_path) == 2
    assert visible({"CUDA_VISIBLE_DEVICES": "3,5,7"}, tmp_path) == 3


def test_run_uses_every_gpu_of_the_framework(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[..., Path], tmp_path: Path
) -> None:
    used = tmp_path / "used"
    record = f"Path({str(used)!r}).write_text(' '.join(self.devices))"
    answer = "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"
    backend = plugin(f"{record}\n{answer}", ["cpu", "cuda", "cuda:1", "cuda:2"])
    harness(spec_for("offline", "accuracy", model_changes={"backend": "toy"}, sessions=3, device="cuda"), path=backend)
    assert set(used.read_text().split()) == {"cuda", "cuda:1", "cuda:2"}
