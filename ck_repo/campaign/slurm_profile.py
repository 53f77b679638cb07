"""The profile of ``--cluster=slurm:profile.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo.campaign.yaml_file import Variables, read_variables, read_yaml

_KEYS = (
    "machines", "partition", "account", "time", "cores", "memory", "exclusive", "directives", "setup", "python", "repos",
    "tools", "environment", "address", "interface", "logs", "wait",
)  # fmt: skip
_LINE = re.compile(r"[^\n\r]*")


@dataclass(frozen=True)
class SlurmProfile:
    """The resources that a campaign requests from Slurm.

    Attributes
    ----------
    machines
        How many jobs, each on a node.
    partition, account, time, memory
        As in sbatch's options; Slurm's defaults where they are empty.
    cores
        CPUs of a job; 1 if the whole node is asked for anyway.
    exclusive
        Whether no other job may run on the node.
    directives
        Further options of sbatch.
    setup
        Lines of the job's script before the worker is started.
    python, repos, tools, environment
        Of the workers: the interpreter with ck-repo, CK_REPOS, CK_TOOLS, further variables. Empty for those of this process.
    address, interface
        Where the scheduler listens, and the network interface of scheduler and workers.
    logs
        Folder for the output of jobs, which the nodes have too.
    wait
        Seconds to wait for the first job to start; None for any time.
    """

    machines: int
    partition: str = ""
    account: str = ""
    time: str = ""
    cores: int = 1
    memory: str = ""
    exclusive: bool = True
    directives: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    python: str = ""
    repos: str = ""
    tools: str = ""
    environment: Variables = ()
    address: str = ""
    interface: str = ""
    logs: str = ""
    wait: float | None = None


def read_profile(path: Path) -> SlurmProfile:
    """Read a profile.

    Raises
    ------
    ConfigError
        If a key is unknown, with the nearest known one, or a value cannot be used.
    """
    fields = read_yaml(path, "--cluster=slurm:FILE names a YAML file: docs/many-machines.md shows one")
    fields.only(*_KEYS)
    counts = {key: fields.integer(key, 1) or 0 for key in ("machines", "cores")}
    for key, value in counts.items():
        if value < 1:
            raise fields.error(key, value, "an integer above 0")
    words = ("partition", "account", "time", "memory", "python", "repos", "tools", "address", "interface", "logs")
    texts = {key: fields.text(key) for key in words}
    lists = {key: fields.texts(key) for key in ("directives", "setup")}
    for key, text in [*texts.items(), *((key, text) for key, rows in lists.items() for text in rows)]:
        if not _LINE.fullmatch(text):
            raise fields.error(key, text, "one line")
    wait = fields.number("wait")
    if wait is not None and wait <= 0:
        raise fields.error("wait", wait, "above 0")
    values: Mapping[str, Any] = {**counts, **texts, **lists}
    return SlurmProfile(
        **values,
        exclusive=fields.flag("exclusive", True),
        environment=read_variables(fields),
        wait=wait,
    )
