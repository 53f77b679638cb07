"""The machines of a campaign: a Dask cluster whose TLS connections use its own certificates."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ck_repo import __version__, progress
from ck_repo.campaign.certificates import certificates, security
from ck_repo.campaign.optional import optional
from ck_repo.campaign.remote import MEASUREMENT, hello
from ck_repo.errors import CKError, UsageError
from ck_repo.session import Session

_FORM = re.compile(r"local(?::(?P<count>[1-9]\d?))?|(?:tls|tcp)://(?P<host>[^\s/:]+|\[[^\s/]+\]):(?P<port>\d{1,5})")
_CLOCK = 60.0  # s; larger differences between clocks give a warning
_PATIENCE = 60.0  # s for a connection, and for the first worker


class ClusterError(CKError):
    """The cluster cannot be reached, or has no worker."""

    code = 7


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
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """The value of ``--cluster=``.

    Attributes
    ----------
    count
        Number of workers on this machine; 0 for a remote cluster.
    """

    address: str
    count: int


def read_place(text: str) -> Place:
    """Parse ``local``, ``local:2``, ``tls://HOST:PORT``; ``tcp://`` is equivalent to ``tls://``.

    Raises
    ------
    UsageError
        For any other text.
    """
    match = _FORM.fullmatch(text)
    if not match or int(match["port"] or 1) > 65535:
        raise UsageError(f"--cluster={text} is not a cluster", hint="use local, local:2 or tls://HOST:PORT of a scheduler")
    if match["host"]:
        return Place(f"tls://{match['host']}:{match['port']}", 0)
    return Place("", int(match["count"] or 1))


class Cluster:
    """A connection to a cluster."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def machines(self) -> list[Machine]:
        """The machines that have workers now, by name."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        found: dict[str, list[str]] = {}
        about: dict[str, Mapping[str, Any]] = {}
        answers = self.client.run(hello, on_error="return")
        for address, answer in sorted(answers.items()):
            if isinstance(answer, BaseException):
                progress.warn(f"the worker at {address} is skipped: {answer}")
                continue
            if address in workers and MEASUREMENT in (workers[address].get("resources") or {}):
                found.setdefault(answer["machine"], []).append(str(workers[address]["name"]))
                about[answer["machine"]] = answer
            else:
                progress.warn(f"the worker at {address} is skipped: it was started without --resources {MEASUREMENT}=1")
        return [Machine(name, tuple(names), about[name]) for name, names in sorted(found.items())]


@contextmanager
def connected(session: Session, place: Place, name: str = "") -> Iterator[Cluster]:
    """A cluster: one on this machine for the duration of the block, or a remote scheduler.

    Parameters
    ----------
    name
        Paths of the certificates.

    Raises
    ------
    ClusterError
        If the scheduler does not answer, or uses certificates of another cluster.
    """
    distributed = optional("distributed", "cluster")
    files = certificates(session, name)
    settings = {"distributed.comm.timeouts.connect": f"{_PATIENCE:.0f}s", "distributed.worker.daemon": False}
    with ExitStack() as stack:
        stack.enter_context(optional("dask", "cluster").config.set(settings))
        address = place.address
        if place.count:
            local = distributed.LocalCluster(
                n_workers=place.count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=security(files),
                resources={MEASUREMENT: 1},
                memory_limit=0,
                dashboard_address=None,
                worker_dashboard_address=None,
            )
            address = stack.enter_context(local).scheduler_address
        try:
            client = stack.enter_context(distributed.Client(address, security=security(files), timeout=_PATIENCE))
        except (OSError, TimeoutError, ValueError) as error:
            why = str(error.__cause__ or error).partition("\n")[0]
            raise ClusterError(
                f"the scheduler {address} cannot be reached: {why}",
                hint="check that it runs with the certificates of this cluster (docs/many-machines.md)",
            ) from None
        yield Cluster(client)


def ready_machines(cluster: Cluster, most: float = _PATIENCE) -> list[Machine]:
    """The usable machines; wait for the first worker, and warn of clocks that differ.

    Raises
    ------
    ClusterError
        If there is no worker, or none with this version of ck.
    """
    try:
        cluster.client.wait_for_workers(1, timeout=most)
    except (TimeoutError, OSError):
        raise ClusterError(
            "the cluster has no worker", hint=f"start one on each machine, with --nthreads 1 --resources {MEASUREMENT}=1"
        ) from None
    found = []
    for machine in cluster.machines():
        if machine.about["version"] != __version__:
            progress.warn(f"{machine.name} is skipped: it has ck-repo {machine.about['version']}, and this is {__version__}")
            continue
        if abs(late := time.time() - float(machine.about["time"])) > _CLOCK:
            progress.warn(f"the clock of {machine.name} is {abs(late):.0f} s {'behind' if late > 0 else 'ahead'}")
        found.append(machine)
    if not found:
        raise ClusterError("no worker of the cluster can be used", hint="the warnings give the reasons")
    return found
