"""A real sshd on the loopback interface, for this user and with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from ports import free_port

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
NEEDS = pytest.mark.skipif(
    not (SSHD and shutil.which("ssh")), reason="sshd or ssh is not installed: Debian's openssh-server and openssh-client"
)
ENDS_WITH_US = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []  # in case the tests are killed


@dataclass
class Sshd:
    """A server, and what its clients need."""

    folder: Path
    port: int

    @property
    def key(self) -> Path:
        """The user's private key."""
        return self.folder / "user"

    @property
    def known_hosts(self) -> Path:
        """A file with the server's host key."""
        return self.folder / "known_hosts"

    def hosts(self, *hosts: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The entry for this server in a file of hosts."""
        common = {"port": self.port, "identity": str(self.key), "known_hosts": str(self.known_hosts), "user": getpass.getuser()}
        return {**common, "hosts": [{"host": "127.0.0.1", **host} for host in hosts], **more}


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """A server for the duration of the body."""
    assert SSHD
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:  # Debian's start script creates it
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("server", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    port = free_port()
    kind, key, *_ = (folder / "server.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n[localhost]:{port} {kind} {key}\n")
    settings = [
        f"ListenAddress 127.0.0.1:{port}",
        f"HostKey {folder / 'server'}",
        f"AuthorizedKeysFile {folder / 'authorized'}",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
    ]
    (folder / "sshd_config").write_text("\n".join(settings) + "\n")
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            [*ENDS_WITH_US, SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stdin=subprocess.DEVNULL, stderr=log
        )
    try:
        _await_banner(process, port, folder / "sshd.log")
        yield Sshd(folder, port)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _await_banner(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    while True:
        assert process.poll() is None, log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                assert connection.recv(4) == b"SSH-"
                return
        except ConnectionRefusedError:
            continue
