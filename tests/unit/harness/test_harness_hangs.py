"""The engine and a harness whose backend hangs, crashes, or leaves a process behind: real processes, a real plug-in.

All of it holds for sessions in other processes than LoadGen, too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import until

for name in ("numpy", "cv2", "mlperf_loadgen"):
    pytest.importorskip(name)

from ck_repo.contract.results import Results  # noqa: E402
from ck_repo.errors import RunError  # noqa: E402
from ck_repo.run.harness import run_harness  # noqa: E402
from ck_repo.run.options import RunOptions  # noqa: E402
from ck_repo.run.watchdog import VARIABLE  # noqa: E402

PROGRAM = Path(__file__).resolve().parents[3] / "program" / "object-detection"
ANSWER = "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"
HOLD_THE_LOCK = "import ctypes; ctypes.PyDLL(None).pause()"  # a PyDLL's functions are called with the interpreter's lock held
IN_A_TEST = f"""
if Path.cwd().name in ("accuracy", "performance"):
    Toy.calls += 1
    if Toy.calls > 2:
        Path("../pid").write_text(str(__import__("os").getpid()))
        %s
{ANSWER}
"""

Run = Callable[[str], Results]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def prepared(
    request: pytest.FixtureRequest, plugin: Callable[[str], Path], spec_for: Callable[..., dict[str, Any]], folder: Path
) -> Callable[[str], Path]:
    """Write a spec for a backend with that body; the folder to import the backend from."""

    def make(body: str) -> Path:
        options = RunOptions(scenario="server", seconds=600.0, target_qps=20.0)
        one = {"batch_size": 1, "sessions": request.param, "processes": request.param}
        spec = spec_for("server", "performance", options=options, model_changes={"backend": "toy"}, **one)
        (folder / "spec.json").write_text(json.dumps(spec))
        return plugin(body)

    return make


@pytest.fixture
def run(prepared: Callable[[str], Path], folder: Path) -> Run:
    """Run the harness like the engine, with a backend of that body."""

    def call(body: str) -> Results:
        path = prepared(body)
        return run_harness(Path(sys.executable), PROGRAM, "object_detection", folder / "spec.json", [str(path)], backend="toy")

    return call


def is_alive(pid: int) -> bool:
    """Whether a process is running; zombies are not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


@pytest.mark.parametrize("how", ["__import__('threading').Event().wait()", HOLD_THE_LOCK], ids=["waits", "holds the lock"])
def test_hang_is_ended_and_its_stage_reported(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(RunError) as caught:
        run(IN_A_TEST % how)
    message = str(caught.value)
    assert message.startswith("the backend toy has not answered sample ")
    assert ".png) for " in message
    assert " s, since " in message
    assert f"complete log: {folder / 'stderr.log'}" in message
    assert f"{VARIABLE}=SECONDS" in message
    until(lambda: not is_alive(int((folder / "pid").read_text())))


def test_crash_names_the_sample_and_logs_its_stack(run: Run, folder: Path) -> None:
    quiet = "__import__('resource').setrlimit(4, (0, 0)); "  # no core file
    with pytest.raises(RunError) as caught:
        run(IN_A_TEST % f"{quiet}__import__('os').abort()")
    message = str(caught.value)
    assert "was ended by signal SIGABRT while the backend was running sample " in message
    assert ".png)" in message.splitlines()[0]
    assert str(folder / "stderr.log") in message
    assert "toy_backend.py" in (folder / "stderr.log").read_text()
    assert not (folder / "results.json").exists()


def test_crash_is_noticed_though_a_fork_holds_its_files(run: Run, folder: Path) -> None:
    """A framework that forks leaves copies of all descriptors in the other process."""
    fork = "__import__('os').fork() or __import__('time').sleep(600)"
    with pytest.raises(RunError, match="was ended by signal SIGKILL while the backend was running sample "):
        run(IN_A_TEST % f"{fork}; __import__('os').kill(__import__('os').getpid(), 9)")


def test_crash_during_model_loading_is_reported(prepared: Callable[[str], Path], folder: Path) -> None:
    module = prepared(ANSWER) / "toy_backend.py"
    with open(module, "a") as file:
        file.write("\n\ndef load(model, device, threads):\n    import os\n    os.kill(os.getpid(), 9)\n")
    with pytest.raises(RunError, match="was ended by signal SIGKILL while the backend was loading the model"):
        run_harness(
            Path(sys.executable), PROGRAM, "object_detection", folder / "spec.json", [str(module.parent)], backend="toy"
        )


def test_process_started_by_backend_ends_with_the_run(run: Run, folder: Path) -> None:
    """It holds the harness's stdout open; unless its process group is ended, the run would last as long as it does."""
    helper = "__import__('subprocess').Popen(['sleep', '600'])"
    with pytest.raises(RunError, match="the accelerator is gone"):
        run(IN_A_TEST % f"Path('../helper').write_text(str({helper}.pid)); raise RuntimeError('the accelerator is gone')")
    helper_pid = int((folder / "helper").read_text())
    until(lambda: not is_alive(helper_pid))


def test_process_outside_the_group_does_not_delay_the_end(run: Run, folder: Path) -> None:
    """It holds the harness's stdout open, and does not belong to the run."""
    helper = "__import__('subprocess').Popen(['sleep', '600'], start_new_session=True)"
    try:
        with pytest.raises(RunError, match="the accelerator is gone"):
            run(IN_A_TEST % f"Path('../helper').write_text(str({helper}.pid)); raise RuntimeError('the accelerator is gone')")
        assert is_alive(int((folder / "helper").read_text()))
    finally:
        os.kill(int((folder / "helper").read_text()), signal.SIGKILL)


CALL = """
import sys
from pathlib import Path
from ck_repo.run.harness import run_harness
run_harness(Path(sys.executable), Path(sys.argv[1]), "object_detection", Path(sys.argv[2]), [sys.argv[3]], backend="toy")
"""


@pytest.fixture
def engine(prepared: Callable[[str], Path], folder: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """An engine in a process of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(body: str) -> subprocess.Popen[bytes]:
        words = [str(PROGRAM), str(folder / "spec.json"), str(prepared(body))]
        started.append(subprocess.Popen([sys.executable, "-c", CALL, *words], stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("how", ["__import__('threading').Event().wait()", HOLD_THE_LOCK], ids=["waits", "holds the lock"])
def test_harness_and_children_exit_when_engine_is_killed(
    engine: Callable[[str], subprocess.Popen[bytes]], folder: Path, how: str
) -> None:
    helper = "Path('../helper').write_text(str(__import__('subprocess').Popen(['sleep', '600']).pid)); "
    process = engine(IN_A_TEST % (f"{helper}Path('../held').touch(); {how}"))
    until(lambda: (folder / "held").exists() or process.poll() is not None)
    pids = [int((folder / name).read_text()) for name in ("pid", "helper")]
    assert all(map(is_alive, pids))
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not any(map(is_alive, pids)))
    assert not (folder / "results.json").exists()
