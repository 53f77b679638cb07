"""Workers that are jobs of a real Slurm, and jobs that do not start."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cluster_machines import PATHS, yaml_file
from slurm import NEEDS, running_slurm
from toy_benchmark import made_runs, toy_benchmark

from ck_repo.campaign.slurm_profile import SlurmProfile, read_profile
from ck_repo.errors import ConfigError
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find

pytestmark = pytest.mark.slow
SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust", "--over.batch_size=1,2,4,8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"partitoin": "gpu"}, "partitoin is not a known key"),
        ({"machines": 0}, "machines is 0, not an integer above 0"),
        ({"directives": ["--a\nrm -r"]}, "directives is .*not one line"),
        ({"environment": {"A;B": "x"}}, "environment.A;B"),
        ({"wait": -1}, "wait is -1.0, not above 0"),
        ([], "not an object"),
    ],
)
def test_invalid_profiles_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_profile(yaml_file(tmp_path / "profile.yaml", content))


def test_minimal_profile_is_accepted(tmp_path: Path) -> None:
    found = read_profile(yaml_file(tmp_path / "p.yaml", {"machines": 2, "exclusive": False, "environment": {"A": 1}}))
    assert found == SlurmProfile(2, exclusive=False, environment=(("A", "1"),))


def test_missing_slurm_is_reported(ck: Callable[..., Any], ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not find_spec("dask_jobqueue"):
        pytest.skip("dask-jobqueue is not installed")
    toy_benchmark()
    assert ck("create", "cluster").code == 0
    monkeypatch.setenv("PATH", str(ck_home))
    done = ck(*SWEEP, f"--cluster=slurm:{yaml_file(ck_home / 'p.yaml', {'interface': 'lo'})}")
    assert done.code == 7
    assert "sbatch is not installed here" in done.json["error"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # dask-jobqueue sets its own


@pytest.fixture
def slurm(ck: Callable[..., Any], ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A profile for a Slurm of two nodes."""
    if not find_spec("dask_jobqueue"):  # importing it here would replace the handlers of signals
        pytest.skip("dask-jobqueue is not installed")
    toy_benchmark()
    assert ck("create", "cluster").code == 0
    with running_slurm(2) as conf:
        monkeypatch.setenv("SLURM_CONF", str(conf))
        monkeypatch.setenv("PYTHONPATH", PATHS)
        yield {
            "machines": 2,
            "partition": "debug",
            "interface": "lo",
            "logs": str(ck_home / "logs"),
            "python": sys.executable,
            "setup": ["export CK_MACHINE=$SLURMD_NODENAME CK_MEASUREMENT_LOCK=$CK_REPOS/lock-$SLURMD_NODENAME"],
        }


@NEEDS
def test_jobs_make_runs_and_end_afterwards(ck: Callable[..., Any], log: Path, slurm: dict[str, Any], ck_home: Path) -> None:
    done = ck(*SWEEP, f"--cluster=slurm:{yaml_file(ck_home / 'p.yaml', slurm)}")
    assert done.code == 0, done.err
    assert (done.json["made"], done.json["left"]) == (4, 0)
    assert {row["machine"] for row in done.json["rows"]} <= {"node1", "node2"}
    assert len(find(Repositories(), "experiment")) == len(made_runs(log)) == 4
    queue = subprocess.run(["squeue", "-h", "-t", "PENDING,RUNNING"], capture_output=True, text=True, check=True)
    assert queue.stdout == ""


@NEEDS
def test_refused_and_ended_jobs_are_reported(
    ck: Callable[..., Any], slurm: dict[str, Any], ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = ck(*SWEEP, f"--cluster=slurm:{yaml_file(ck_home / 'p.yaml', {**slurm, 'partition': 'night'})}")
    assert done.code == 7
    assert "Slurm refuses the job: " in done.json["error"]
    assert "invalid partition specified: night" in done.json["error"]
    monkeypatch.setattr("ck_repo.campaign.slurm._GRACE", 0.0)
    done = ck(*SWEEP, f"--cluster=slurm:{yaml_file(ck_home / 'p.yaml', {**slurm, 'python': '/no/such/python'})}")
    assert done.code == 7
    assert "jobs ended without a worker: " in done.json["error"]
    assert "/no/such/python" in done.json["error"]


@NEEDS
def test_held_jobs_are_reported(
    ck: Callable[..., Any], slurm: dict[str, Any], ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ck_repo.campaign.slurm._GRACE", 0.0)
    done = ck(*SWEEP, f"--cluster=slurm:{yaml_file(ck_home / 'p.yaml', {**slurm, 'directives': ['--hold']})}")
    assert done.code == 7
    assert "Slurm holds the jobs: JobHeldUser" in done.json["error"]
