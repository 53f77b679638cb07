"""A cluster for tests: a scheduler, and worker processes that act as machines with their own repositories."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster_machines import PATHS, copied_machine
from patience import PATIENCE
from patience import until as until
from ports import free_port

from ck_repo.campaign.certificates import certificates, worker_words
from ck_repo.session import Session

WAIT = PATIENCE
# Dask ends a connection over which nothing has come through for 30 s; here only tests may end one
_DASK = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": f"{PATIENCE}s"}
# libfaketime, which a worker may use, shifts the end of time.sleep as if it were a time of day; it does not affect select
_WORKER = """
import select, sys, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
from dask.__main__ import main
sys.argv[0] = "dask"
main()
"""


class Lab:
    """The cluster of the repositories that CK_REPOS names, which have the toy benchmark and certificates.

    Parameters
    ----------
    host
        The address of the scheduler.
    within
        Words before the scheduler's command.
    """

    def __init__(self, home: Path, host: str = "127.0.0.1", within: Sequence[str] = ()) -> None:
        self.home, self.host, self.within = home, host, within
        self.words = worker_words(certificates(Session()))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.port = free_port()

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"tls://{self.host}:{self.port}"

    def scheduler(self) -> subprocess.Popen[bytes]:
        """Start the scheduler; a second one has the same port."""
        file = self.home / "scheduler.json"
        file.unlink(missing_ok=True)
        words = ["--protocol", "tls", "--host", self.host, "--port", str(self.port), "--scheduler-file", str(file)]
        command = [*self.within, sys.executable, "-m", "dask", "scheduler", *words, "--no-dashboard", *self.words]
        process = self._begin(command, "scheduler", {})
        until(lambda: file.exists() and bool(file.read_text()), process)
        return process

    def machine(self, name: str) -> dict[str, str]:
        """The environment of a machine."""
        return copied_machine(self.home / name, name)

    def worker(
        self,
        name: str,
        *,
        before: Sequence[str] = (),
        port: int = 0,
        measures: bool = True,
        host: str = "127.0.0.1",
        **variables: str,
    ) -> subprocess.Popen[bytes]:
        """Start a worker.

        Parameters
        ----------
        before
            Words before the command.
        port
            Of what stands between worker and scheduler; the scheduler's own by default.
        measures
            Whether it has the resource for measurements.
        host
            The address of the worker.
        """
        options = ["--nthreads", "1", "--memory-limit", "0", "--no-dashboard", "--name", name]
        options += ["--resources", "measurement=1"] if measures else []
        address = f"tls://{self.host}:{port or self.port}"
        options += ["--host", host, "--no-nanny", *self.words]
        command = [*before, sys.executable, "-c", _WORKER, "worker", address, *options]
        return self._begin(command, name, {**self.machine(name), **variables})

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command of ck on this cluster, where the scheduler is."""
        command = [*self.within, sys.executable, "-m", "ck_repo", *words, f"--cluster={self.address}"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def _begin(self, command: Sequence[str], name: str, variables: dict[str, str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": PATHS, **_DASK, **variables}
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def stop(self, *processes: subprocess.Popen[bytes]) -> None:
        """Kill processes and their children; all by default."""
        for process in processes or tuple(reversed(self.processes)):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(WAIT)


def can_mount() -> bool:
    """Whether this user may mount file systems in a namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock during the body, as another process would: that of a machine's measurements, or of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Link:
    """A link to a local port that can be cut; a separate process forwards everything."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._command = [sys.executable, "-c", _PASS_ON, str(self.port), str(port)]
        self.restore()

    def restore(self) -> None:
        """Take connections."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def stall(self) -> None:
        """Pass nothing on, without ending connections."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Pass on what was held back."""
        self._process.send_signal(signal.SIGCONT)

    def sever(self) -> None:
        """End all connections, and refuse new ones."""
        self._process.kill()
        self._process.communicate()


_PASS_ON = """
import asyncio, sys

here, there = int(sys.argv[1]), int(sys.argv[2])

async def copy(reader, writer):
    try:
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()
    except OSError:
        pass
    writer.close()

async def connected(reader, writer):
    other, back = await asyncio.open_connection("127.0.0.1", there)
    await asyncio.gather(copy(reader, back), copy(other, writer))

async def main():
    server = await asyncio.start_server(connected, "127.0.0.1", here)
    print("ready", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def await_workers(lab: Lab, *names: str) -> None:
    """Wait until the scheduler has these workers, and no others."""
    from distributed import Client

    from ck_repo.campaign.certificates import security

    with Client(lab.address, security=security(certificates(Session())), timeout=WAIT) as client:
        until(lambda: {str(row["name"]) for row in client.scheduler_info(n_workers=-1)["workers"].values()} == set(names))
