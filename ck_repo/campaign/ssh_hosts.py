"""The hosts of ``--cluster=ssh:hosts.yaml``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ck_repo.campaign.yaml_file import Variables, read_variables, read_yaml
from ck_repo.errors import ConfigError
from ck_repo.store.fields import Fields

_SHARED = ("python", "repos", "tools", "user", "port", "identity", "environment")  # of a host, or of all
_HOST = ("host", "name", *_SHARED)
_FILE = ("address", "known_hosts", "hosts", *_SHARED)
_WORD = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.:%-]*")  # no option of ssh, nothing for a shell


@dataclass(frozen=True)
class Host:
    """A host that a worker is started on.

    Attributes
    ----------
    host
        Its name or address, or a name of the user's ssh configuration.
    name
        What tables call it; its own host name if empty.
    python
        The interpreter there that has ck-repo; ``~/`` is the home folder there.
    repos, tools
        CK_REPOS and CK_TOOLS there; the usual folders if empty.
    user, port, identity
        As in ssh's options; the user's ssh configuration counts where they are empty.
    environment
        Further variables of the worker.
    """

    host: str
    name: str = ""
    python: str = "python3"
    repos: str = ""
    tools: str = ""
    user: str = ""
    port: int = 0
    identity: str = ""
    environment: Variables = ()

    @property
    def label(self) -> str:
        """Its name in messages, and the name of its worker."""
        return self.name or self.host


@dataclass(frozen=True)
class Hosts:
    """The content of the file.

    Attributes
    ----------
    address
        This machine's address, which the workers connect to; where their ssh connections come from if empty.
    known_hosts
        A file of host keys instead of the user's own.
    """

    hosts: tuple[Host, ...]
    address: str = ""
    known_hosts: str = ""


def read_hosts(path: Path) -> Hosts:
    """Read a file of hosts.

    Raises
    ------
    ConfigError
        If a key is unknown, with the nearest known one, or a value cannot be used.
    """
    fields = read_yaml(path, "--cluster=ssh:FILE names a YAML file of hosts: docs/many-machines.md shows one")
    fields.only(*_FILE)
    listed = fields.as_dict().get("hosts")
    if not isinstance(listed, list) or not listed:
        raise fields.error("hosts", listed, "a list of hosts")
    shared = {key: value for key, value in fields.as_dict().items() if key in _SHARED}
    found = []
    for number, row in enumerate(listed):
        own = {"host": row} if isinstance(row, str) else row
        if not isinstance(own, dict):
            raise fields.error(f"hosts[{number}]", row, "a name or an object")
        host = Fields(own, path, f"hosts[{number}]")
        host.only(*_HOST)
        found.append(_host(Fields({**shared, **own}, path, f"hosts[{number}]")))
    names = [each.label for each in found]
    if double := next((name for name in names if names.count(name) > 1), ""):
        raise ConfigError(f"{path}: {double} is listed twice", hint="give the hosts different names with `name`")
    return Hosts(tuple(found), _word(fields, "address"), fields.text("known_hosts"))


def _host(fields: Fields) -> Host:
    user, _, name = fields.needed("host").rpartition("@")
    port = fields.integer("port", 0) or 0
    if not 0 <= port <= 65535:
        raise fields.error("port", port, "a port")
    if not _WORD.fullmatch(name):
        raise fields.error("host", name, "the name of a host")
    if user and not _WORD.fullmatch(user):
        raise fields.error("host", user, "the name of a user before the @")
    return Host(
        name,
        _word(fields, "name"),
        fields.text("python") or "python3",
        fields.text("repos"),
        fields.text("tools"),
        user or _word(fields, "user"),
        port,
        fields.text("identity"),
        read_variables(fields),
    )


def _word(fields: Fields, key: str) -> str:
    text = fields.text(key)
    if text and not _WORD.fullmatch(text):
        raise fields.error(key, text, "a name")
    return text
