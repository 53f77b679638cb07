"""Hosts that are network namespaces of this machine, on a bridge that nothing else reaches; their links can be cut."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_HOLD = ["sh", "-c", "echo ready; exec cat"]  # a namespace is there while a process is in it: until its stdin ends
_PREFIX = "10.213.7"


class Network:
    """A hub with the address ``.1`` and hosts around it."""

    def __init__(self) -> None:
        self.address = f"{_PREFIX}.1"
        self._holders: list[subprocess.Popen[bytes]] = []
        self._links: dict[str, str] = {}

    def open(self) -> None:
        """Make the hub.

        Raises
        ------
        OSError
            If this user may not.
        """
        self._hub = self._hold(["unshare", "-rn"])
        self._do(self.hub, "ip link set lo up")
        self._do(self.hub, "ip link add hub type bridge")
        self._do(self.hub, f"ip addr add {self.address}/24 dev hub")
        self._do(self.hub, "ip link set hub up")

    @property
    def hub(self) -> list[str]:
        """Words before a command that runs on the hub."""
        return _into(self._hub)

    def host(self, name: str) -> tuple[list[str], str]:
        """Add a host: words before a command that runs there, and its address."""
        process = self._hold([*self.hub, "unshare", "-n"])
        number = len(self._links) + 2
        link, address = f"link{number}", f"{_PREFIX}.{number}"
        self._do(self.hub, f"ip link add {link} type veth peer name eth0 netns {process.pid}")
        self._do(self.hub, f"ip link set {link} master hub up")
        for text in (f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            self._do(_into(process), f"ip {text}")
        self._links[name] = link
        return _into(process), address

    def cut(self, name: str) -> None:
        """Lose all packets from and to a host."""
        self._do(self.hub, f"ip link set {self._links[name]} down")

    def restore(self, name: str) -> None:
        """Pass packets again."""
        self._do(self.hub, f"ip link set {self._links[name]} up")

    def close(self) -> None:
        """End what holds the namespaces."""
        for process in self._holders:
            process.communicate()

    def _hold(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*words, *_HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._holders.append(process)
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise OSError("no namespace")
        return process

    @staticmethod
    def _do(within: Sequence[str], command: str) -> None:
        if subprocess.run([*within, *command.split()], stdin=subprocess.DEVNULL, capture_output=True).returncode:
            raise OSError(command)


def _into(process: subprocess.Popen[bytes]) -> list[str]:
    return ["nsenter", "-t", str(process.pid), "-U", "-n", "--preserve-credentials"]


@contextmanager
def network() -> Iterator[Network | None]:
    """A network; None where this user may not make one."""
    if not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        yield None
        return
    made = Network()
    try:
        try:
            made.open()
        except OSError:
            yield None
        else:
            yield made
    finally:
        made.close()
