"""The machines of a campaign: a Dask cluster whose TLS connections use its own certificates."""

from __future__ import annotations

import asyncio
import platform
import re
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from ck_repo import __version__, progress
from ck_repo.campaign.certificates import HTTP, certificates, security
from ck_repo.campaign.messages import About, read_message
from ck_repo.campaign.optional import optional
from ck_repo.campaign.remote import MEASUREMENT, hello
from ck_repo.campaign.slurm import slurm_workers
from ck_repo.campaign.slurm_profile import read_profile
from ck_repo.campaign.ssh import HostError, Link, links_to
from ck_repo.campaign.ssh_hosts import read_hosts
from ck_repo.errors import CKError, UsageError
from ck_repo.session import Session
from ck_repo.store.folders import repos_root
from ck_repo.store.work import scratch_folder

_FORM = re.compile(
    r"local(?::(?P<count>[1-9]\d?))?|(?:tls|tcp)://(?P<host>[^\s/:]+|\[[^\s/]+\]):(?P<port>\d{1,5})|(?P<how>ssh|slurm):(?P<file>.+)"
)
# what Dask's HTTP server of a scheduler or worker shows: nothing
NO_ROUTES: Mapping[str, Any] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
_CLOCK = 60.0  # s that clocks may differ before it is worth a warning
_LOOK = 0.1  # s between two checks of the workers
_PATIENCE = 60.0  # s for a connection
_FIRST_WORKER = 60.0  # s
_ANSWER = 60.0  # s for the answer of a worker to a question
SECOND = 1.0  # s between two checks of which workers are there


class ClusterError(CKError):
    """The cluster cannot be reached, or has no worker."""

    code = 7


class LostError(ClusterError):
    """A worker was lost before it returned its result."""


@dataclass(frozen=True)
class Machine:
    """A machine with its workers.

    Attributes
    ----------
    workers
        Names of its workers, which stay the same after a restart.
    """

    name: str
    workers: tuple[str, ...]
    about: About


@dataclass(frozen=True)
class Place:
    """The value of ``--cluster=``.

    Attributes
    ----------
    address
        Of a scheduler that runs already.
    count
        Workers of a cluster on this machine; 0 for one elsewhere.
    how, file
        ``ssh`` or ``slurm``, and the file that describes the machines on which workers are started.
    """

    address: str = ""
    count: int = 0
    how: str = ""
    file: Path = Path()


def read_place(text: str) -> Place:
    """Read ``local``, ``local:2``, ``tls://HOST:PORT``, ``ssh:FILE``, ``slurm:FILE``; ``tcp://`` means the same as ``tls://``.

    Raises
    ------
    UsageError
        For any other text.
    """
    match = _FORM.fullmatch(text)
    if not match or int(match["port"] or 1) > 65535:
        raise UsageError(
            f"--cluster={text} is not a cluster",
            hint="write local, local:2, ssh:HOSTS.yaml, slurm:PROFILE.yaml or tls://HOST:PORT of a scheduler",
        )
    if match["how"]:
        return Place(how=match["how"], file=Path(match["file"]))
    if match["host"]:
        return Place(f"tls://{match['host']}:{match['port']}")
    return Place(count=int(match["count"] or 1))


class Cluster:
    """A connection to a cluster.

    Attributes
    ----------
    asked
        Names of the workers that `machines` has asked, also of those that cannot be used.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.asked: set[str] = set()
        self._lock = Lock()
        self._asked_at, self._addresses, self._there = -SECOND, dict[str, str](), frozenset[str]()

    def addresses(self) -> Mapping[str, str]:
        """The address of each worker by its name; asked once a second, as the answer grows with the number of machines."""
        with self._lock:
            now = time.monotonic()
            if now - self._asked_at >= SECOND:
                rows = self.client.scheduler_info(n_workers=-1)["workers"]
                self._asked_at = now
                self._addresses = {str(row["name"]): str(address) for address, row in rows.items()}
                self._there = frozenset(self._addresses.values())
            return self._addresses

    def is_connected(self) -> bool:
        """Whether the scheduler is there, or may come back."""
        return self.client.status in ("running", "connecting")

    def is_there(self, address: str) -> bool:
        """Whether there is a worker of that address; a restarted worker has another one."""
        self.addresses()
        return self.is_connected() and address in self._there

    def submit(self, address: str, function: Any, *words: Any, **more: Any) -> Any:
        """Submit a function to a worker, which calls it when it is idle; the future is for `result`."""
        where = {"workers": [address], "allow_other_workers": False, "resources": {MEASUREMENT: 1}}
        return self.client.submit(function, *words, pure=False, **where, **more)

    def result(self, future: Any, address: str) -> Any:
        """The result of a submitted function; waits for it and for its transfer.

        Dask itself waits forever for a worker that was lost, because no other worker may call the function.

        Raises
        ------
        LostError
            If its worker was lost.
        """
        distributed = optional("distributed", "cluster")
        fetching = self.client.gather(future, asynchronous=True)
        returned = asyncio.run_coroutine_threadsafe(fetching, self.client.loop.asyncio_loop)
        while not wait([returned], timeout=SECOND).done:
            if not self.is_there(address):
                future.cancel()
                raise LostError("its worker was lost")
        try:
            return returned.result()
        except (distributed.KilledWorker, distributed.CancelledError, CancelledError) as error:
            raise LostError(f"its worker was lost ({type(error).__name__})") from None

    def machines(self, names: Container[str] | None = None) -> list[Machine]:
        """The machines that workers are on now, by name; warns about workers that cannot be used.

        Parameters
        ----------
        names
            Of the workers to ask; all if None.
        """
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        asked = [address for address, row in workers.items() if names is None or str(row["name"]) in names]
        self.asked |= {str(workers[address]["name"]) for address in asked}
        found: dict[str, list[str]] = {}
        abouts: dict[str, About] = {}
        for address, answer in sorted(self.ask(asked, hello).items()):
            if isinstance(answer, BaseException):
                progress.warn(f"the worker at {address} is skipped: {answer}")
                continue
            if MEASUREMENT not in (workers[address].get("resources") or {}):
                progress.warn(f"the worker at {address} is skipped: it was started without --resources {MEASUREMENT}=1")
                continue
            try:
                about = read_message(About, answer)
            except CKError as error:
                progress.warn(f"the worker at {address} is skipped: {error.what}")
                continue
            found.setdefault(about.machine, []).append(str(workers[address]["name"]))
            abouts[about.machine] = about
        return [Machine(name, tuple(names), abouts[name]) for name, names in sorted(found.items())]

    def ask(self, addresses: Sequence[str], function: Any, *words: Any) -> dict[str, Any]:
        """The results of a function on workers, which they call even while they work, or the error, by their addresses.

        Each worker is asked separately and has a minute, so that one that does not respond does not delay the others.
        """

        async def ask(address: str) -> Any:
            asking = self.client.run(function, *words, workers=[address], on_error="return", asynchronous=True)
            try:
                return (await asyncio.wait_for(asking, _ANSWER))[address]
            except (TimeoutError, asyncio.TimeoutError):
                return TimeoutError(f"it did not answer within {_ANSWER:g} s")
            except Exception as error:  # of connections, which Dask raises in many kinds
                return error

        async def ask_all() -> list[Any]:
            return await asyncio.gather(*(ask(address) for address in addresses))

        return dict(zip(addresses, self.client.sync(ask_all), strict=True))


@contextmanager
def connected(session: Session, place: Place, name: str = "", *, every: bool = False) -> Iterator[Cluster]:
    """A cluster: a local one for the duration of the block, or an existing scheduler.

    Parameters
    ----------
    name
        Of the certificates.
    every
        Whether to wait for every machine that Slurm was asked for; else the first is enough, and others may come later.

    Raises
    ------
    ClusterError
        If the scheduler does not answer, or uses certificates of another cluster.
    """
    distributed = optional("distributed", "cluster")
    files = certificates(session, name)
    settings = {"distributed.comm.timeouts.connect": f"{_PATIENCE:.0f}s", "distributed.worker.daemon": False, **NO_ROUTES}
    with ExitStack() as stack:
        stack.enter_context(optional("dask", "cluster").config.set(settings))
        address = place.address
        if place.count:
            workers = {"resources": {MEASUREMENT: 1}, "memory_limit": 0, "processes": True, "worker_dashboard_address": HTTP}
            address = stack.enter_context(
                scheduler_here(files, "127.0.0.1", n_workers=place.count, **workers)
            ).scheduler_address
        elif place.how == "ssh":
            address = stack.enter_context(_over_ssh(place.file, files))
        elif place.how == "slurm":
            address = stack.enter_context(slurm_workers(read_profile(place.file), files, every=every))
        try:
            client = stack.enter_context(distributed.Client(address, security=security(files), timeout=_PATIENCE))
        except (OSError, distributed.TimeoutError, ValueError) as error:
            why = str(error.__cause__ or error).partition("\n")[0]
            raise ClusterError(
                f"the scheduler {address} cannot be reached: {why}",
                hint="check that it runs with the certificates of this cluster (docs/many-machines.md)",
            ) from None
        yield Cluster(client)


def scheduler_here(files: Mapping[str, str], host: str, **more: Any) -> Any:
    """A scheduler in this process, which listens on an address of this machine, with its workers, if `more` has any."""
    settings = {"threads_per_worker": 1, "protocol": "tls://", "security": security(files), "dashboard_address": HTTP}
    settings["scheduler_kwargs"] = {"dashboard": False}
    return optional("distributed", "cluster").LocalCluster(host=host, **settings, **more)


@contextmanager
def _over_ssh(file: Path, files: Mapping[str, str]) -> Iterator[str]:
    """A scheduler here, and a worker on every host that can be used; the scheduler's address.

    Raises
    ------
    ClusterError
        If no host can be used.
    """
    hosts = read_hosts(file)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder(repos_root(), "ssh"))
        links = stack.enter_context(links_to(hosts, folder))
        if not links:
            raise ClusterError("no host can be used", hint="the warnings say why")
        seen = {link.host: hosts.address or link.about.client for link in links}
        one = next(iter(seen.values())) if len(set(seen.values())) == 1 else ""
        try:
            scheduler = stack.enter_context(scheduler_here(files, one or "0.0.0.0", n_workers=0))
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"the scheduler cannot listen on {one}: {str(error.__cause__ or error).partition(chr(10))[0]}",
                hint=f"name an address of this machine that the hosts reach as `address` in {file}",
            ) from None
        port = scheduler.scheduler_address.rpartition(":")[2]
        addresses = {link.name: f"tls://{_bracketed(seen[link.host])}:{port}" for link in links}
        _await_workers(scheduler, started(links, addresses, files))
        yield scheduler.scheduler_address


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def started(links: Sequence[Link], addresses: Mapping[str, str], files: Mapping[str, str]) -> list[Link]:
    """Start workers; warns about hosts whose connection has ended in the meantime.

    Parameters
    ----------
    addresses
        The scheduler's address as each host reaches it, by the link's name.

    Returns
    -------
    list of Link
        Those that start a worker.

    Raises
    ------
    ClusterError
        If no host does.
    """
    found = []
    for link in links:
        try:
            link.start(addresses[link.name], files)
        except HostError as error:
            progress.warn(f"{link.name} is skipped: {error}")
        else:
            found.append(link)
    if not found:
        raise ClusterError("no host can be used", hint="the warnings say why")
    return found


def _await_workers(scheduler: Any, links: Sequence[Link]) -> None:
    """Wait until every host has a worker; warn about hosts whose worker ends or does not connect."""
    missing = list(links)
    until = time.monotonic() + _PATIENCE
    while missing and time.monotonic() < until:
        time.sleep(_LOOK)
        here = {str(worker.name) for worker in list(scheduler.scheduler.workers.values())}
        for link in list(missing):
            if link.name in here:
                missing.remove(link)
            elif failure := link.failure():
                progress.warn(f"{link.name} is skipped: {failure}")
                missing.remove(link)
    for link in missing:
        progress.warn(f"{link.name} is skipped: its worker did not reach {scheduler.scheduler_address} in {_PATIENCE:.0f} s")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def ready_machines(cluster: Cluster) -> list[Machine]:
    """The machines that can be used; waits for the first worker, and warns about wrong clocks.

    Raises
    ------
    ClusterError
        If there is no worker, or none with this version of ck.
    """
    timed_out = optional("distributed", "cluster").TimeoutError  # asyncio's, which is Python's own only from 3.11 on
    try:
        cluster.client.wait_for_workers(1, timeout=_FIRST_WORKER)
    except (timed_out, OSError):
        raise ClusterError(
            "the cluster has no worker", hint=f"start one on each machine, with --nthreads 1 --resources {MEASUREMENT}=1"
        ) from None
    found = usable(cluster.machines())
    if not found:
        raise ClusterError("no worker of the cluster can be used", hint="the warnings say why")
    return found


def usable(machines: Sequence[Machine]) -> list[Machine]:
    """The machines that have this version of ck; warns about clocks and Python versions that differ."""
    found = []
    for machine in machines:
        about = machine.about
        if about.version != __version__:
            progress.warn(f"{machine.name} is skipped: it has ck-repo {about.version}, and this is {__version__}")
            continue
        if abs(late := time.time() - about.time) > _CLOCK:
            progress.warn(f"the clock of {machine.name} is {abs(late):.0f} s {'behind' if late > 0 else 'ahead'}")
        if (python := _minor(about.python)) != _minor(platform.python_version()):
            progress.warn(
                f"{machine.name} has Python {python}, and this is {_minor(platform.python_version())}: its venvs differ"
            )
        found.append(machine)
    return found
