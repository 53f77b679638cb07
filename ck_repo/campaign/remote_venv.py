"""Functions on a worker of a cluster for a campaign's venv: receive its file in parts, verify it, and create the venv."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ck_repo import network
from ck_repo.campaign.job import failure_data, machine_name
from ck_repo.campaign.measuring import measuring
from ck_repo.campaign.messages import VenvSource
from ck_repo.environment.lockfile import read_lock
from ck_repo.environment.venv import find_venv
from ck_repo.errors import CKError, MismatchError
from ck_repo.reproduce.bundle import create_from_bundle
from ck_repo.reproduce.recreate import interpreter_for, recreate
from ck_repo.session import Session
from ck_repo.store.atomic import storage_errors
from ck_repo.store.digest import of_file
from ck_repo.store.folders import tools_root
from ck_repo.store.lock import locked

BUNDLE = "bundle"
_ACTIVE = "CK_VENV"


def venv_of_file(kind: str, digest: str) -> str:
    """The name of the venv that is created from a file."""
    return f"{kind}-{digest[:12]}"


def bytes_there(kind: str, digest: str) -> int:
    """How much of the file earlier transfers have received.

    Parameters
    ----------
    kind
        ``bundle`` or ``lock``.
    digest
        SHA-256 of the whole file.

    Returns
    -------
    int
        Bytes; -1 if the venv of the file exists.
    """
    if find_venv(Session(), venv_of_file(kind, digest)):
        return -1
    path = _part(digest)
    return path.stat().st_size if path.is_file() else 0


def receive(digest: str, offset: int, content: bytes) -> int:
    """Receive a part of the file.

    Parameters
    ----------
    digest
        SHA-256 of the whole file, which names it.
    offset
        Position of the part, bytes. It is ignored if it is not the end of what is there.

    Returns
    -------
    int
        Bytes that are there then.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    path = _part(digest)
    with storage_errors(f"writing {path}"), locked(_lock(path), f"receiving {path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if file.tell() == offset:  # else another command sends the same file
                file.write(content)
        return path.stat().st_size


def make_venv_of_file(kind: str, digest: str, *, trust: bool) -> dict[str, object]:
    """Create the venv with the packages of its lock. With a bundle, no network is used.

    Parameters
    ----------
    kind
        ``bundle`` or ``lock``.
    digest
        SHA-256 of the file, which is compared and then removed.
    trust
        Whether code of other repositories may run.

    Returns
    -------
    dict
        Empty if the venv exists; else a `Failure`.
    """
    path = _part(digest)
    try:
        with measuring(), locked(_lock(path), f"making the venv of {path.name}"):
            if find_venv(Session(), venv_of_file(kind, digest)):
                return {}
            if (found := of_file(path)) != digest:
                path.unlink()
                raise MismatchError(
                    f"the {kind} was damaged during the transfer to {machine_name()}: expected SHA-256 {digest}, got {found}",
                    hint="run the command again",
                )
            _make(kind, digest, path, Session(trust=trust))
            path.unlink()
    except CKError as error:
        return failure_data(error)
    return {}


def _make(kind: str, digest: str, path: Path, session: Session) -> None:
    with network.scope(offline=kind == BUNDLE):
        name = venv_of_file(kind, digest)
        if kind == BUNDLE:
            create_from_bundle(session, name, path)
        else:
            lock = read_lock(path)
            recreate(session, name, lock, interpreter_for(lock))


@contextmanager
def in_venv(venv: VenvSource | None) -> Iterator[None]:
    """Use the venv of a campaign's file in the body, without the network if it was made from a bundle; None changes nothing."""
    if venv is None:
        yield
        return
    before = os.environ.get(_ACTIVE)
    os.environ[_ACTIVE] = venv_of_file(venv.kind, venv.digest)
    try:
        with network.scope(offline=venv.kind == BUNDLE):
            yield
    finally:  # the worker may get runs of other campaigns
        os.environ.pop(_ACTIVE)
        if before is not None:
            os.environ[_ACTIVE] = before


def _part(digest: str) -> Path:
    return tools_root() / ".cache" / "campaigns" / digest


def _lock(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")
