"""The far end of an ssh connection: starts a worker there, which ends with the connection."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ck_repo import __version__
from ck_repo.campaign.certificates import AUTHORITY, CERTIFICATE, KEY, worker_words
from ck_repo.campaign.messages import HostAbout, WorkerOrder, read_message
from ck_repo.campaign.remote import MEASUREMENT
from ck_repo.child import background, exit_status
from ck_repo.child_environment import child_environment
from ck_repo.contract.record import write
from ck_repo.store.folders import repos_root
from ck_repo.store.work import scratch_folder

_LOOK = 0.5  # s between two checks of the worker
_TRIES, _BRIEF = 3, 20.0  # times that a worker may end within so many seconds of its start


def main() -> None:
    """Print the properties of this host, read the scheduler's address, and work for it until stdin ends.

    Exit status 1 with the worker's last words on stderr if the worker ends first.
    """
    print(json.dumps(write(_about())), flush=True)
    line = sys.stdin.buffer.readline()
    if not line:  # not wanted
        return
    sys.exit(_work(read_message(WorkerOrder, json.loads(line))))


def _about() -> HostAbout:
    import distributed

    connection = os.environ.get("SSH_CONNECTION", "").split()
    client, server = (connection[0], connection[2]) if len(connection) == 4 else ("", "")
    return HostAbout(__version__, distributed.__version__, client, server)


def _work(order: WorkerOrder) -> int:
    """Run a worker until stdin ends, and start it again if it ends before; its exit status if it does so again and again."""
    with scratch_folder(repos_root(), "worker") as folder:
        files = {}
        for name in (AUTHORITY, CERTIFICATE, KEY):
            files[name] = str(folder / name)
            handle = os.open(files[name], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(order.certificates[name])
        words = ["--name", order.name, "--local-directory", str(folder), *worker_options(files)]
        words += ["--host", order.host] if order.host else []
        command = [sys.executable, "-m", "dask", "worker", order.scheduler, *words]
        brief = 0
        while brief < _TRIES:  # a worker ends when its connection to the scheduler breaks
            began = time.monotonic()
            status = _run(command, folder)
            if status is None:
                return 0
            brief = brief + 1 if time.monotonic() - began < _BRIEF else 0
        return status or 1


def _run(command: list[str], folder: Path) -> int | None:
    """Run a worker; its exit status, or None if stdin ended first."""
    with background(command, child_environment(_own_python()), sys.stderr.buffer, folder=folder) as process:
        while (status := exit_status(process)) is None:
            if select.select([sys.stdin.buffer], [], [], _LOOK)[0] and not os.read(sys.stdin.fileno(), 4096):
                return None
    return status


def _own_python() -> dict[str, str]:
    """The folders of this process's modules, for the worker, which must use the same."""
    return {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}


def worker_options(files: Mapping[str, str]) -> list[str]:
    """Options of `dask worker` for a machine that measures."""
    return [
        "--nthreads", "1", "--resources", f"{MEASUREMENT}=1", "--memory-limit", "0", "--no-dashboard", *worker_words(files),
    ]  # fmt: skip


def certificates_text(files: Mapping[str, str]) -> dict[str, str]:
    """The content of certificates, to be sent over the connection."""
    return {name: Path(path).read_text(encoding="ascii") for name, path in files.items()}
