"""The machines that a command has work for: which are there now, join, make their venv, or are skipped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from threading import Thread

from ck_repo import progress
from ck_repo.campaign.cluster import SECOND, Cluster, ClusterError, LostError, Machine, usable
from ck_repo.campaign.venv_file import VenvFile, send_venv
from ck_repo.errors import CKError

_AWAY = 120.0  # s without a machine for any remaining work before the command ends
_TRIES = 3  # maximum number of times that a machine may be lost while it makes its venv


class Machines:
    """The machines of a cluster, as they come and go.

    Parameters
    ----------
    found
        Those that are there at the beginning.
    venvs
        Makes the venv of each; None if machines use the one that they have.
    join
        Whether others may join.
    """

    def __init__(
        self, cluster: Cluster, found: Sequence[Machine], venvs: MachineVenvs | None = None, *, join: bool = True
    ) -> None:
        self._cluster, self._venvs, self._join = cluster, venvs, join
        self._of_worker: dict[str, str] = dict.fromkeys(cluster.asked, "")  # empty for a worker that is not used
        self._of_worker |= {worker: machine.name for machine in found for worker in machine.workers}
        self._skipped: dict[str, str] = {}  # with the reason
        self._idle_since: float | None = None

    def present(self) -> dict[str, str]:
        """The machines that can do work now, with the address of a worker; new ones join.

        Raises
        ------
        ClusterError
            If the scheduler has ended.
        """
        if not self._cluster.is_connected():
            raise ClusterError("the scheduler has ended", hint="start it again, and then run the command again")
        addresses = self._cluster.addresses()
        self._let_join(addresses)
        here: dict[str, str] = {}
        for worker, address in addresses.items():
            if (name := self._of_worker.get(worker)) and name not in self._skipped:
                here.setdefault(name, address)
        return {name: address for name, address in here.items() if self._has_venv(name, address)}

    def require_any(self) -> None:
        """Check that there is a machine that could do work, now or when it is back.

        Raises
        ------
        ClusterError
            If every machine is skipped.
        """
        if all(name in self._skipped for name in self._of_worker.values() if name):
            reasons = "; ".join(dict.fromkeys(self._skipped.values()))
            raise ClusterError(f"every machine was skipped: {reasons}", hint="run the command again when one can be used")

    def skip(self, name: str, why: str) -> None:
        """Give a machine no more work.

        Parameters
        ----------
        why
            The reason, with the name of the machine.
        """
        self._skipped[name] = why

    def note_work(self) -> None:
        """Some work is in progress: the time without any starts again."""
        self._idle_since = None

    def are_away(self) -> bool:
        """Whether no machine could do the remaining work for two minutes; waits a moment."""
        now = time.monotonic()
        if self._idle_since is None or (self._venvs and self._venvs.in_progress()):
            self._idle_since = now
        time.sleep(SECOND)
        return now - self._idle_since > _AWAY

    def _let_join(self, addresses: Mapping[str, str]) -> None:
        new = addresses.keys() - self._of_worker.keys()
        if not self._join or not new:
            return
        self._of_worker |= dict.fromkeys(new, "")  # those that cannot be used are asked once
        for machine in usable(self._cluster.machines(new)):
            progress.say(f"{machine.name} has joined")
            self._of_worker |= dict.fromkeys(machine.workers, machine.name)

    def _has_venv(self, name: str, address: str) -> bool:
        try:
            return self._venvs is None or self._venvs.has(name, address)
        except CKError as error:
            progress.warn(f"{name} is skipped: {error}")
            self.skip(name, error.what)
            return False


class MachineVenvs:
    """The venvs that machines create from a file, each in a separate thread.

    Parameters
    ----------
    trust
        Whether code of other repositories may run.
    """

    def __init__(self, cluster: Cluster, file: VenvFile, *, trust: bool) -> None:
        self._cluster, self._file, self._trust = cluster, file, trust
        self._making: dict[str, Future[None]] = {}  # by machine
        self._losses: dict[str, int] = {}

    def has(self, machine: str, address: str) -> bool:
        """Whether a machine has its venv; if not, it begins to make it.

        A machine that was lost resumes where it stopped.

        Raises
        ------
        CKError
            If it cannot make it.
        """
        if machine not in self._making:
            self._making[machine] = self._begin(machine, address)
        making = self._making[machine]
        if not making.done():
            return False
        error = making.exception()
        if error is None:
            return True
        if isinstance(error, CKError) and not isinstance(error, LostError):
            raise error
        self._losses[machine] = self._losses.get(machine, 0) + 1
        if self._losses[machine] >= _TRIES:
            raise ClusterError(f"{machine} was lost {_TRIES} times while it created its venv: {error}")
        progress.warn(f"{machine} was lost while it created its venv, and resumes: {error}")
        del self._making[machine]
        return False

    def in_progress(self) -> bool:
        """Whether a machine is making its venv."""
        return any(not making.done() for making in self._making.values())

    def _begin(self, machine: str, address: str) -> Future[None]:
        made: Future[None] = Future()

        def make() -> None:
            try:
                send_venv(self._cluster, machine, address, self._file, trust=self._trust)
            except Exception as error:  # also of connections, which Dask raises in many kinds
                made.set_exception(error)
            else:
                made.set_result(None)

        Thread(target=make, daemon=True).start()
        return made
