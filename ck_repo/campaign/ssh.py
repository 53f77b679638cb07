"""Workers that are started over ssh, with the system's client, its configuration, agent and known hosts."""

from __future__ import annotations

import base64
import json
import re
import select
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ck_repo import __version__, progress
from ck_repo.campaign.messages import HostAbout, WorkerOrder, read_message
from ck_repo.campaign.optional import optional
from ck_repo.campaign.ssh_hosts import Host, Hosts
from ck_repo.campaign.ssh_worker import certificates_text
from ck_repo.child import Process, conversation, ended_within, exit_status
from ck_repo.child_environment import child_environment
from ck_repo.contract.record import write
from ck_repo.errors import ConfigError, RunError

_CONNECT = 20  # s for a connection
_ANSWER = 60.0  # s for what a host says of itself
_ALIVE = 30  # s of silence before ssh asks whether the other side is there; ten unanswered questions end the connection
# run there by `python -c`: an interpreter that cannot read our modules says which one it is
_START = """
import sys
if sys.version_info < (3, 10): sys.exit("ck: Python %d.%d" % sys.version_info[:2])
sys.path[:] = [each for each in sys.path if each]
try:
    import ck_repo
except ImportError:
    sys.exit("ck: absent")
try:
    from ck_repo.campaign.ssh_worker import main
except ImportError:
    sys.exit("ck: version %s" % ck_repo.__version__)
main()
"""


class HostError(RunError):
    """A host cannot be used."""


@dataclass
class Link:
    """An ssh connection whose other end waits for an order, or works.

    Attributes
    ----------
    about
        What the host says of itself.
    """

    host: Host
    process: Process
    log: Path
    about: HostAbout

    @property
    def name(self) -> str:
        """The name of the worker there."""
        return self.host.label

    def start(self, scheduler: str, files: Mapping[str, str]) -> None:
        """Start a worker there.

        Parameters
        ----------
        scheduler
            Its address, ``tls://HOST:PORT``, as the worker reaches it.
        files
            The cluster's certificates by name, which are sent through the connection.

        Raises
        ------
        HostError
            If the far end has ended; the message has the end of its log.
        """
        order = WorkerOrder(scheduler, self.name, self.about.server, certificates_text(files))
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(write(order)).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise _failure(self.host, self.process, self.log) from None

    def failure(self) -> HostError | None:
        """Why the worker ended, if it did."""
        return None if exit_status(self.process) is None else _failure(self.host, self.process, self.log)


@contextmanager
def links_to(hosts: Hosts, folder: Path) -> Iterator[list[Link]]:
    """Connections to all hosts that can be used, during the block; warns about the others.

    Parameters
    ----------
    folder
        For the logs of connections and workers.
    """
    with ExitStack() as stack:
        began = []
        for number, host in enumerate(hosts.hosts):
            log = folder / f"{number}.log"
            file = stack.enter_context(log.open("wb"))
            command = ssh_command(host, hosts.known_hosts)
            try:
                process = stack.enter_context(conversation(command, child_environment(), file))
            except FileNotFoundError:
                raise HostError("ssh is not installed", hint="`apt install openssh-client`, or equivalent") from None
            began.append((host, process, log))
        found = []
        until = time.monotonic() + _ANSWER
        for host, process, log in began:
            try:
                found.append(Link(host, process, log, _hello(host, process, log, until)))
            except HostError as error:
                progress.warn(f"{host.name or host.host} is skipped: {error.what}" + (f" ({error.hint})" if error.hint else ""))
        yield found


def ssh_command(host: Host, known_hosts: str = "") -> list[str]:
    """The command that connects to a host. It never prompts, and refuses unknown host keys."""
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": _CONNECT,
        "ServerAliveInterval": _ALIVE,
        "ServerAliveCountMax": 10,
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        **({"UserKnownHostsFile": Path(known_hosts).expanduser(), "GlobalKnownHostsFile": "none"} if known_hosts else {}),
    }
    words = ["ssh", "-T", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    words += ["-l", host.user] if host.user else []
    words += ["-p", str(host.port)] if host.port else []
    words += ["-i", str(Path(host.identity).expanduser()), "-o", "IdentitiesOnly=yes"] if host.identity else []
    variables = {
        "CK_MACHINE": host.name,
        "CK_REPOS": host.repos,
        "CK_TOOLS": host.tools,
        **dict(host.environment),
    }
    there = " ".join(f"{name}={_path(value)}" for name, value in variables.items() if value)
    code = f"import base64; exec(base64.b64decode('{base64.b64encode(_START.encode()).decode()}'))"  # for any shell's quotes
    return [*words, "--", host.host, f"exec env {there} {_path(host.python)} -c {shlex.quote(code)}"]


def _path(text: str) -> str:
    """A path for the shell there, whose home folder ``~/`` is."""
    return '"$HOME"/' + shlex.quote(text[2:]) if text.startswith("~/") else shlex.quote(text)


def _hello(host: Host, process: Process, log: Path, until: float) -> HostAbout:
    """The properties that a host reports, if it can be used."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([process.stdout], [], [], max(until - time.monotonic(), 0))[0]:
            raise HostError(f"it did not answer within {_ANSWER:.0f} s")
        part = process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
        if not part:
            ended_within(process, 5)
            raise _failure(host, process, log)
        line += part
    try:
        about = read_message(HostAbout, json.loads(line.strip().splitlines()[-1]))
    except (ValueError, ConfigError):
        raise HostError(
            f"its shell prints {line[:60].decode(errors='replace').strip()!r} at the beginning",
            hint="the shell's start-up files must not print anything for commands",
        ) from None
    if about.version != __version__:
        raise HostError(f"it has ck-repo {about.version}, and this is {__version__}", hint="install the same version there")
    ours = optional("distributed", "cluster").__version__
    if about.distributed != ours:
        raise HostError(
            f"it has distributed {about.distributed}, and this machine has {ours}", hint="install the same version there"
        )
    return about


_REASONS = (
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key is not the one in known_hosts",
     "find out why it changed before you replace it: another machine may be answering"),
    (r"Host key verification failed|No .*host key is known", "its host key is not known here",
     "connect once with `ssh {host}` and compare the key that it shows"),
    (r"Permission denied", "it refuses the user or the key",
     "`ssh {host}` has to work without a password: see ssh-copy-id, and user and identity in the file of hosts"),
    (r"Could not resolve hostname", "there is no host of that name", "check the name in the file of hosts"),
    (r"Connection refused|timed out|No route to host|unreachable|Connection reset|Connection closed",
     "it cannot be reached: {last}", "is it running, and does ssh listen on that port?"),
    (r"ck: Python (?P<version>[\d.]+)", "{python} is Python {version} there, and ck needs 3.10 or later",
     "name another one as `python` in the file of hosts"),
    (r"ck: absent", "{python} there has no ck-repo",
     "`{python} -m pip install 'ck-repo[cluster]'` there, or name the interpreter that has it as `python`"),
    (r"ck: version (?P<version>\S+)", "it has ck-repo {version}, and this is {ours}", "install the same version there"),
    (r"No module named '?(?P<module>dask|distributed)", "ck-repo there has no Dask",
     "`{python} -m pip install 'ck-repo[cluster]'` there"),
    (r"not found|No such file or directory", "{python} does not exist: {last}",
     "name the interpreter that has ck-repo as `python` in the file of hosts"),
)  # fmt: skip


def _failure(host: Host, process: Process, log: Path) -> HostError:
    """Why a connection, or the worker behind it, ended."""
    text = log.read_text(encoding="utf-8", errors="replace")
    last = (text.strip().splitlines() or [f"exit status {exit_status(process)}"])[-1][:300]
    named = f"{host.user}@{host.host}" if host.user else host.host
    words = {"host": named, "python": host.python, "last": last, "ours": __version__}
    for pattern, what, hint in _REASONS:
        if match := re.search(pattern, text):
            words |= match.groupdict()
            return HostError(what.format(**words), hint=hint.format(**words))
    return HostError(f"its worker ended: {last}")
