"""Packages that the machines of a cluster make in parts: prepared data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ck_repo.campaign.cluster import Cluster
from ck_repo.campaign.messages import PartMade, PartTask
from ck_repo.campaign.parts_on_machines import PartsOnMachines, Work
from ck_repo.campaign.remote_part import forget_part, make_part, read_piece
from ck_repo.install.installer import Installer
from ck_repo.resolve.plan import SOURCE, NewPackage
from ck_repo.run.shards import Shard
from ck_repo.session import Session
from ck_repo.store.atomic import storage_errors

_PIECE = 8 << 20  # bytes sent at once; Dask warns of more than 10 MB


@dataclass(frozen=True)
class Wanted:
    """How the machines find the package.

    Attributes
    ----------
    added
        Additional tags for its dependencies.
    """

    tags: str
    version: str
    added: Mapping[str, Sequence[str]]


def make_on_machines(
    session: Session,
    cluster: Cluster,
    machines: PartsOnMachines,
    choice: NewPackage,
    wanted: Wanted,
    python: Path,
    folder: Path,
) -> tuple[list[Path], list[Shard]]:
    """Let the machines make the parts of a package, and fetch them.

    Parameters
    ----------
    python
        Of the venv here, whose packages the machines have to have in the same versions.
    folder
        For the parts.

    Returns
    -------
    folders, shards
        The folders of the parts in their order, and who made them.
    """
    tools = Installer(session, python).tools(choice)
    source = choice.deps.get(SOURCE)

    def task(index: int, count: int) -> PartTask:
        return PartTask(
            key=choice.key,
            of=source.label if source else choice.label,
            tags=wanted.tags,
            version=wanted.version,
            added={name: tuple(tags) for name, tags in wanted.added.items()},
            tools=tools,
            index=index,
            count=count,
            trust=session.trust,
            venv=machines.venv,
        )

    def take(answer: PartMade, index: int, address: str) -> str:
        return _bring(cluster, address, answer, folder / f"{index}")

    shards = machines.make(Work(choice.name, make_part, task, PartMade, take))
    return [folder / f"{shard.index}" for shard in shards], shards


def _bring(cluster: Cluster, address: str, answer: PartMade, folder: Path) -> str:
    """Fetch the files of a part from its worker; why they cannot be used, if so."""
    name = answer.name
    with storage_errors(f"writing {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        for file, about in answer.files.items():
            found = sha256()
            with (folder / Path(file).name).open("wb") as opened:
                while opened.tell() < about.size:
                    piece = _there(cluster, address, read_piece, name, file, opened.tell(), _PIECE)
                    if not isinstance(piece, bytes) or not piece:
                        return f"{file} was not received: {piece or 'it is shorter now'}"
                    found.update(piece)
                    opened.write(piece)
            if found.hexdigest() != about.sha256:
                _there(cluster, address, forget_part, name)
                return f"{file} was damaged during the transfer"
    _there(cluster, address, forget_part, name)
    return ""


def _there(cluster: Cluster, address: str, function: Any, *words: Any) -> Any:
    """The result of a function on a worker, or the error if it cannot be reached."""
    try:
        return cluster.client.run(function, *words, workers=[address], on_error="return")[address]
    except Exception as error:  # of connections, which Dask raises in many kinds
        return error
