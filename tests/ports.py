"""Ports for servers that a test starts, and for servers that are started again."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle

# Below the ports that Linux gives to outgoing connections and to servers that take any: until a server of ours has bound its
# port, no such connection takes it. Each process of pytest-xdist has its own share, and begins anywhere in it.
_FIRST, _SHARE, _SHARES = 20_000, 500, 24


def _own() -> Iterator[int]:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw") or 0) % _SHARES
    return cycle(random.SystemRandom().sample(range(_FIRST + number * _SHARE, _FIRST + (number + 1) * _SHARE), _SHARE))


_PORTS = _own()


def free_port() -> int:
    """A port of this machine that nothing uses; each call returns another one."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
    raise AssertionError  # the ports never end
