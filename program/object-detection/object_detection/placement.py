"""On which cores and GPU each session runs: on a machine of several NUMA nodes on the cores of one, with memory near them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NODES = Path("/sys/devices/system/node")
_MEMORY = Path("/proc/meminfo")
_SESSION = 64 << 20  # bytes of a session beside the model
_COPIES = 4  # of the model's file that a session may take: weights, weights in another layout, activations
_SHARE = 0.5  # of the memory that is free


@dataclass(frozen=True)
class Topology:
    """The cores that this process may use, by NUMA node; nodes without any are missing."""

    nodes: tuple[tuple[int, ...], ...]

    @property
    def cores(self) -> int:
        """How many cores there are."""
        return sum(map(len, self.nodes))


def read_topology(allowed: Sequence[int] | None = None, folder: Path = NODES) -> Topology:
    """The topology of this machine, as Linux shows it; one node where it shows none.

    Parameters
    ----------
    allowed
        Cores that the process may use; None asks the operating system.
    """
    if allowed is None:
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    nodes = []
    for path in sorted(folder.glob("node[0-9]*/cpulist"), key=lambda path: int(path.parent.name.removeprefix("node"))):
        try:
            listed = cores_of(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return Topology((tuple(allowed),))
        if own := tuple(core for core in listed if core in set(allowed)):
            nodes.append(own)
    return Topology(tuple(nodes)) if sum(map(len, nodes)) == len(allowed) else Topology((tuple(allowed),))


def cores_of(text: str) -> list[int]:
    """The cores of a list as Linux writes it.

    >>> cores_of("0-3,8,10-11")
    [0, 1, 2, 3, 8, 10, 11]
    """
    found: list[int] = []
    for part in text.strip().split(",") if text.strip() else []:
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def places(topology: Topology, sessions: int, threads: int) -> list[tuple[int, ...]]:
    """The cores of each session; empty for a session that is not bound.

    Sessions are distributed over the nodes in proportion to their cores. They are not bound on a machine of one node, where the
    operating system places threads well, nor if a session has more threads than a node has cores.

    Parameters
    ----------
    threads
        Threads of a session; 0 if unknown.

    Returns
    -------
    list
        A tuple of cores for each session.
    """
    nodes = topology.nodes
    if len(nodes) < 2 or sessions < len(nodes) or threads > min(map(len, nodes)):
        return [()] * sessions
    found: list[tuple[int, ...]] = []
    before, total = 0, topology.cores
    for node in nodes:
        before += len(node)
        found += [node] * (round(sessions * before / total) - len(found))
    return found


def devices(wanted: str, available: Sequence[str], sessions: int) -> list[str]:
    """The device of each session: several GPUs are assigned in turn.

    Parameters
    ----------
    wanted
        ``cpu``, or ``cuda`` for every GPU that is available.
    available
        What the framework can use: ``cpu``, ``cuda``, ``cuda:1`` and so on.

    >>> devices("cuda", ["cpu", "cuda", "cuda:1"], 3)
    ['cuda', 'cuda:1', 'cuda']
    """
    same = [device for device in available if device == wanted or device.startswith(f"{wanted}:")] or [wanted]
    return [same[number % len(same)] for number in range(sessions)]


@contextmanager
def bound_to(cores: Sequence[int]) -> Iterator[None]:
    """Bind the current thread to some cores while the body runs. Threads that a framework starts meanwhile inherit this.

    Memory is allocated on the node of the thread that first writes to it.
    """
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, cores)
    except OSError:  # cores that were taken away meanwhile
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def max_sessions(model: Path, memory: Path = _MEMORY) -> int:
    """The number of sessions of a model that fit into half of the free memory.

    Parameters
    ----------
    model
        The model file: a session is assumed to take four times its size and 64 MiB.
    memory
        The file with the kernel's figures, as ``/proc/meminfo``.

    Returns
    -------
    int
        At least 1; 512 if the system does not report its free memory.
    """
    free = free_memory(memory)
    try:
        size = model.stat().st_size
    except OSError:
        return 512
    if free is None:
        return 512
    return max(1, int(free * _SHARE / (_SESSION + _COPIES * size)))


def free_memory(memory: Path = _MEMORY) -> int | None:
    """Bytes of memory that the system could give to processes; None if it does not report them."""
    try:
        fields = dict(line.split(":", 1) for line in memory.read_text(encoding="ascii").splitlines() if ":" in line)
        return int(fields["MemAvailable"].split()[0]) << 10
    except (OSError, ValueError, KeyError, IndexError):
        return None
