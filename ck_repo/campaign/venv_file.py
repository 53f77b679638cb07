"""The file from which the machines of a campaign create their venv: a bundle or a lock, sent over the cluster's connections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.campaign.cluster import Cluster, ClusterError
from ck_repo.campaign.messages import Failure, VenvSource, read_message
from ck_repo.campaign.remote_venv import BUNDLE, bytes_there, make_venv_of_file, receive
from ck_repo.environment.lockfile import Lock, read_lock
from ck_repo.errors import NotFoundError
from ck_repo.reproduce.bundle import lock_of_bundle
from ck_repo.store.digest import of_file

_PART = 8 << 20  # bytes sent at once; Dask warns of more than 10 MB


@dataclass(frozen=True)
class VenvFile:
    """A bundle or a lock.

    Attributes
    ----------
    kind
        ``bundle`` or ``lock``.
    lock
        What the venv is made of.
    """

    kind: str
    path: Path
    digest: str
    lock: Lock

    @property
    def source(self) -> VenvSource:
        """For a task."""
        return VenvSource(self.kind, self.digest)


def read_venv_file(kind: str, path: Path) -> VenvFile:
    """The file of that kind.

    Raises
    ------
    NotFoundError, ConfigError
        If it does not exist, or cannot be read.
    """
    path = path.expanduser().absolute()
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist", hint=f"`ck {kind} venv:NAME --output=FILE` writes one")
    lock = lock_of_bundle(path) if kind == BUNDLE else read_lock(path)
    return VenvFile(kind, path, of_file(path), lock)


def send_venv(cluster: Cluster, machine: str, address: str, file: VenvFile, *, trust: bool) -> None:
    """Send the file to a machine, unless it has the file, and let it create the venv.

    Raises
    ------
    LostError
        If its worker was lost; what arrived is kept there.
    ClusterError
        If the machine cannot create it.
    """

    def there(function: Any, *words: Any, **more: Any) -> Any:
        return cluster.result(cluster.submit(address, function, *words, **more), address)

    size = file.path.stat().st_size
    done = int(there(bytes_there, file.kind, file.digest))
    if done < 0:
        return
    progress.say(f"{machine}: creating its venv from the {file.kind} {file.path.name} ({size / 1e6:.1f} MB)")
    with file.path.open("rb") as opened:
        while done < size:
            opened.seek(done)
            now = int(there(receive, file.digest, done, opened.read(_PART)))
            if now <= done:
                raise ClusterError(f"{machine} cannot store {file.path.name}", hint="check that its disk is not full")
            done = now
    if answer := there(make_venv_of_file, file.kind, file.digest, trust=trust):
        failure = read_message(Failure, answer)
        raise ClusterError(f"{machine} cannot create the venv: {failure.error}", hint=failure.hint)
