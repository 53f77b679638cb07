"""What a command and its workers tell each other: plain data on the way, read into a dataclass where it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ck_repo.campaign.settling import Settling
from ck_repo.contract.record import optional
from ck_repo.store.fields import Fields

Message = TypeVar("Message")
WAITS, OVER_TIME, UNFIT = "waits", "over time", "unfit"


@dataclass(frozen=True)
class About:
    """A machine.

    Attributes
    ----------
    version, python
        Of ck, and of the interpreter.
    time
        Of its clock, s since 1970.
    """

    machine: str
    version: str
    python: str
    time: float
    cpu: str


@dataclass(frozen=True)
class VenvSource:
    """The file that a venv is made of.

    Attributes
    ----------
    kind
        ``bundle`` or ``lock``.
    digest
        SHA-256 of the file.
    """

    kind: str
    digest: str


@dataclass(frozen=True)
class RunTask:
    """A run to make.

    Attributes
    ----------
    program, digest
        The program's UID, and the digest that it has to have.
    campaign
        ``uid`` and ``alias`` of the campaign.
    limit
        Seconds that the run may take; None for any.
    venv
        None for the venv that the machine has, or makes by itself.
    """

    program: str
    digest: str
    options: Mapping[str, Any]
    cell: str
    repetition: int
    campaign: Mapping[str, str]
    trust: bool
    settling: Settling
    limit: float | None = optional()
    venv: VenvSource | None = optional()


@dataclass(frozen=True)
class RunMade:
    """A run that was made, or was found from an earlier attempt.

    Attributes
    ----------
    uid, archive, sha256
        The experiment, and the ZIP file that contains it with its digest.
    """

    machine: str
    seconds: float
    uid: str
    archive: bytes
    sha256: str


@dataclass(frozen=True)
class ShardTask:
    """A part of an accuracy run to answer.

    Attributes
    ----------
    contents
        Keys of the model and the data set that the machine has to have.
    """

    program: str
    digest: str
    options: Mapping[str, Any]
    contents: Mapping[str, str]
    index: int
    count: int
    trust: bool
    venv: VenvSource | None = optional()


@dataclass(frozen=True)
class ShardAnswered:
    """The files of a part of an accuracy run, with their digests."""

    machine: str
    seconds: float
    files: Mapping[str, bytes]
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class PartTask:
    """A part of a package to make.

    Attributes
    ----------
    key
        Of the package, which the machine has to resolve to.
    of
        What it is made of, for messages.
    tags, version, added
        What it is resolved from; `added` are further tags of its dependencies.
    tools
        Versions of the packages that make it.
    """

    key: str
    of: str
    tags: str
    version: str
    added: Mapping[str, tuple[str, ...]]
    tools: Mapping[str, str]
    index: int
    count: int
    trust: bool
    venv: VenvSource | None = optional()


@dataclass(frozen=True)
class PartFile:
    """Size in bytes and digest of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class PartMade:
    """A part of a package, which is kept under a name until it is fetched."""

    machine: str
    seconds: float
    name: str
    files: Mapping[str, PartFile]


@dataclass(frozen=True)
class Failure:
    """A task that failed.

    Attributes
    ----------
    kind
        ``waits``: the machine is not ready for a measurement. ``over time``: the run reached its limit. ``unfit``: the machine
        is to blame, and can make no run. Empty if the task may be to blame.
    """

    machine: str
    error: str
    hint: str = optional("")
    kind: str = optional("")


@dataclass(frozen=True)
class HostAbout:
    """What a host says of itself when it is reached over ssh.

    Attributes
    ----------
    client, server
        The addresses of this machine and of the host in the connection; empty if they are unknown.
    """

    version: str
    distributed: str = optional("")
    client: str = optional("")
    server: str = optional("")


@dataclass(frozen=True)
class WorkerOrder:
    """Which worker a host has to start.

    Attributes
    ----------
    host
        The address that it listens on; empty for any.
    certificates
        Their content, by name.
    """

    scheduler: str
    name: str
    host: str
    certificates: Mapping[str, str]


def read_message(kind: type[Message], content: object) -> Message:
    """Read a message.

    Raises
    ------
    ConfigError
        If a value is missing, or has the wrong type; it names the key.
    """
    return Fields(content, f"the message {kind.__name__}").record(kind, "install the same version of ck-repo on all machines")


def read_answer(kind: type[Message], content: object) -> Message | Failure:
    """Read the answer to a task: a message of that kind, or why the task failed."""
    if isinstance(content, Mapping) and "error" in content:
        return read_message(Failure, content)
    return read_message(kind, content)
