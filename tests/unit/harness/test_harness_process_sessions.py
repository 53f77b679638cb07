"""Sessions in other processes have their GPUs and cores, and end with the process that has LoadGen."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from patience import until

for name in ("cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

from object_detection.annotations import read_images  # noqa: E402
from object_detection.asked import Board  # noqa: E402
from object_detection.image_cache import ImageCache  # noqa: E402
from object_detection.layouts import Layout  # noqa: E402
from object_detection.processes.team import ProcessTeam, distributed  # noqa: E402
from object_detection.spec import read_spec  # noqa: E402
from object_detection.sut.library import SampleLibrary  # noqa: E402
from object_detection.sut.sessions import Seat, Sessions  # noqa: E402
from unit.harness.conftest import PROGRAM  # noqa: E402

ANSWER = "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"

Spec = dict[str, Any]
MakeSpec = Callable[..., Spec]


def test_every_session_has_its_gpu(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    record = f"open({str(tmp_path / 'used')!r}, 'a').write(f\"{{__import__('os').getpid()}} {{self.device}}\\n\")"
    backend = plugin(f"{record}\n{ANSWER}", ["cpu", "cuda", "cuda:1", "cuda:2"])
    some = {"model_changes": {"backend": "toy"}, "sessions": 6, "device": "cuda", "batch_size": 1, "processes": 3}
    harness(spec_for("offline", "performance", **some), path=backend)
    used = {tuple(line.split()) for line in (tmp_path / "used").read_text().splitlines()}
    assert {device for _, device in used} == {"cuda", "cuda:1", "cuda:2"}
    assert len({process for process, _ in used} - {str(os.getpid())}) >= 3


@pytest.mark.parametrize("processes", [1, 2, 3, 5, 8])
def test_sessions_are_dealt_evenly(processes: int) -> None:
    """To few NUMA nodes and devices each: made-up ones."""
    places = [(0, 1), (0, 1), (2, 3), (2, 3)] * 2
    seats = [Seat(number, places[number], f"cuda:{number % 2}") for number in range(8)]
    parts = distributed(seats, processes)
    assert sorted(seat.number for part in parts for seat in part) == list(range(8))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    if processes == 2:
        assert [{seat.device for seat in part} for part in parts] == [{"cuda:0"}, {"cuda:1"}]


def test_processes_end_when_the_main_one_is_killed(
    start: Callable[..., subprocess.Popen[bytes]], spec_for: MakeSpec, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    """Even while a backend holds the interpreter's lock, and no engine ends the group. Ctrl-C is not for them."""
    hold = "__import__('signal').raise_signal(2); __import__('ctypes').PyDLL(None).pause()"
    backend = plugin(f"(Path({str(tmp_path)!r}) / f\"pid-{{__import__('os').getpid()}}\").touch()\n{hold}\n{ANSWER}")
    spec = spec_for("offline", "accuracy", model_changes={"backend": "toy"}, batch_size=1, processes=2)
    with start(spec, tmp_path, path=backend) as process:
        try:
            until(lambda: len(list(tmp_path.glob("pid-*"))) == 2 or process.poll() is not None)
            pids = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
            assert len(pids) == 2
            assert all(map(is_alive, pids))
        finally:
            process.kill()
    until(lambda: not any(map(is_alive, pids)))


def is_alive(pid: int) -> bool:
    """Whether a process is running; zombies are not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_sessions_are_bound_in_their_process(
    monkeypatch: pytest.MonkeyPatch, spec_for: MakeSpec, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    """On a made-up machine of two nodes with one core of this one each."""
    cores = sorted(os.sched_getaffinity(0))
    note = f"open({str(tmp_path / 'used')!r}, 'a').write(f\"{{sorted(__import__('os').sched_getaffinity(0))}}\\n\")"
    path = [str(PROGRAM), str(plugin(f"{note}\n{ANSWER}"))]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    content = spec_for("offline", "performance", model_changes={"backend": "toy"}, sessions=2)
    (tmp_path / "spec.json").write_text(json.dumps(content))
    spec = read_spec(tmp_path / "spec.json")
    board, images = Board(tmp_path, 2), read_images(spec.dataset, spec.count)
    library = SampleLibrary(ImageCache(spec, images))
    sessions = Sessions(spec, cast("Any", None), board, library, images.categories, lambda worker: "")
    places = [(cores[0],), (cores[-1],)]
    team = ProcessTeam(sessions, images, [Seat(number, places[number], "cpu") for number in range(2)], Layout(2, 1, 1), 2)
    try:
        library.load([0, 1, 2])
        assert team.rate([0, 1, 2]) > 0
    finally:
        team.end()
    assert set((tmp_path / "used").read_text().splitlines()) == {str(list(place)) for place in places}
