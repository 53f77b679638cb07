"""A real Slurm on the loopback interface, for this user: munged, slurmctld and a slurmd for each node, in one folder."""

from __future__ import annotations

import getpass
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from patience import PATIENCE
from ports import free_port
from sshd import ENDS_WITH_US

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_PROGRAMS = {name: shutil.which(name, path=_PATH) for name in ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")}
NEEDS = pytest.mark.skipif(
    not all(_PROGRAMS.values()),
    reason=f"not installed: {', '.join(name for name, path in _PROGRAMS.items() if not path)} "
    "(Debian's munge, slurmctld, slurmd and slurm-client)",
)


@contextmanager
def running_slurm(nodes: int = 1) -> Iterator[Path]:
    """Slurm for the duration of the body; yields the path of slurm.conf, which SLURM_CONF names."""
    # a short path: those of its sockets are limited to 108 bytes
    with TemporaryDirectory(prefix="slurm") as name, _slurm_in(Path(name), nodes) as conf:
        yield conf


@contextmanager
def _slurm_in(folder: Path, nodes: int) -> Iterator[Path]:
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir(mode=0o700)
    key = folder / "munge/key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    conf = folder / "slurm.conf"
    conf.write_text(_configuration(folder, nodes))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nIgnoreSystemd=yes\n")
    with ExitStack() as stack:
        munge = {
            "key-file": key,
            "pid-file": "munge/pid",
            "log-file": "munge/log",
            "seed-file": "munge/seed",
            "socket": "munge/s",
        }
        words = [f"--{name}={folder / str(path)}" for name, path in munge.items()]
        stack.enter_context(_daemon(folder, "munged", "--foreground", "--force", *words))
        _await(lambda: (folder / "munge/s").exists(), folder)
        stack.enter_context(_daemon(folder, "slurmctld", "-D", "-f", str(conf)))
        for number in range(1, nodes + 1):
            stack.enter_context(_daemon(folder, "slurmd", "-D", "-f", str(conf), "-N", f"node{number}", log=f"slurmd{number}"))
        _await(lambda: _idle(conf) == nodes, folder)
        yield conf


def _configuration(folder: Path, nodes: int) -> str:
    user = getpass.getuser()
    host = platform.node().partition(".")[0]
    control, *ports = (free_port() for _ in range(nodes + 1))
    return "\n".join(
        [
            "ClusterName=test",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={control}",
            f"SlurmUser={user}",
            f"SlurmdUser={user}",
            "AuthType=auth/munge",
            "CredType=cred/munge",
            f"AuthInfo=socket={folder / 'munge/s'}",
            f"StateSaveLocation={folder / 'state'}",
            f"SlurmdSpoolDir={folder / 'spool/%n'}",
            f"SlurmctldPidFile={folder / 'slurmctld.pid'}",
            f"SlurmdPidFile={folder / '%n.pid'}",
            "ProctrackType=proctrack/pgid",
            "TaskPlugin=task/none",
            "SwitchType=switch/none",
            "MpiDefault=none",
            "JobAcctGatherType=jobacct_gather/none",
            "AccountingStorageType=accounting_storage/none",
            "SelectType=select/cons_tres",
            "ReturnToService=2",
            "SlurmdParameters=config_overrides",  # independent of the real machine
            "KillWait=5",
            *(
                f"NodeName=node{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=1000 State=UNKNOWN"
                for number, port in enumerate(ports, 1)
            ),
            f"PartitionName=debug Nodes=node[1-{nodes}] Default=YES MaxTime=INFINITE State=UP",
            "",
        ]
    )


@contextmanager
def _daemon(folder: Path, program: str, *words: str, log: str = "") -> Iterator[subprocess.Popen[bytes]]:
    path = _PROGRAMS[program]
    assert path
    with (folder / f"{log or program}.log").open("wb") as file:
        process = subprocess.Popen(
            [*ENDS_WITH_US, path, *words], stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=folder
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _idle(conf: Path) -> int:
    command = [str(_PROGRAMS["sinfo"]), "-h", "-N", "-t", "idle", "-o", "%N"]
    done = subprocess.run(command, env={**os.environ, "SLURM_CONF": str(conf)}, capture_output=True, text=True)
    return len(done.stdout.split()) if not done.returncode else 0


def _await(condition: Callable[[], bool], folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "\n".join(path.read_text() for path in folder.glob("*.log"))
        time.sleep(0.05)
