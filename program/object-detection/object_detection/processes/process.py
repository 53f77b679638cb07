"""A process with sessions, as the process that has LoadGen sees it."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from object_detection.processes.memory import ALIGNED, Memory
from object_detection.processes.messages import Channel
from object_detection.sut.sessions import Seat

_DETECTIONS = 128  # of an image, for which a slot has room; more travel in the message
_BYTES = 28  # of a detection
_LARGEST = 1 << 20  # bytes of the answers in a slot
_PATIENCE = 10.0  # s for its end


class Process:
    """Starts the process.

    It may have as many batches as it has sessions, and some more, so that a session that is ready finds the next one there.
    The indices and answers of each batch have a slot of memory, which is free again when LoadGen has taken the answers.

    Parameters
    ----------
    spec
        The run's spec.json.
    seats
        Of its sessions.
    batch_size
        Maximum samples of a batch.
    images
        Memory of images.
    folder
        For files, where the system has no memory without a name.

    Attributes
    ----------
    asked
        The samples of each slot, in LoadGen's terms.
    free
        Slots that are free.
    ahead
        How many batches it may have in addition to those of its sessions.
    slot_size, answers_at, where
        Bytes of a slot; where answers begin in a slot, and in the first one as an address.
    room
        How many of its sessions are idle; negative for batches that wait.
    """

    def __init__(self, spec: Path, seats: Sequence[Seat], batch_size: int, images: Memory, folder: Path) -> None:
        self.seats = seats
        self.room = len(seats)
        self.ahead = len(seats)
        self.answers_at = -(-4 * batch_size // ALIGNED) * ALIGNED
        self.slot_size = self.answers_at + -(-min(batch_size * _DETECTIONS * _BYTES, _LARGEST) // ALIGNED) * ALIGNED
        slots = len(seats) + self.ahead
        self.asked: list[Sequence[Any]] = [()] * slots
        self.free = list(range(slots))
        self.answers = Memory(folder)
        self.answers.grow(slots * self.slot_size, "answers")
        self.where = self.answers.address + self.answers_at
        ours, theirs = socket.socketpair()
        inherited = (theirs.fileno(), images.descriptor, self.answers.descriptor)
        with theirs:
            self._program = subprocess.Popen(
                [sys.executable, "-m", __package__, str(spec), *map(str, inherited)], stdin=subprocess.PIPE, pass_fds=inherited
            )
        self.channel = Channel(ours)

    def send(self, message: bytes) -> None:
        """Send messages; if the process has ended, whoever receives from it ends the run."""
        with contextlib.suppress(OSError):
            self.channel.send(message)

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._program.poll() is not None

    def end_like_it(self) -> NoReturn:
        """End this process as that one did, so that the engine reports it like the end of a single process."""
        try:
            status = self._program.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        if status < 0:
            with contextlib.suppress(ImportError, OSError, ValueError):
                import resource

                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # its own memory dump, if any, has the cause
            faulthandler.disable()
            os.kill(os.getpid(), -status)
            time.sleep(1)  # a signal that Python handles
        os._exit(abs(status))

    def hang_up(self) -> None:
        """Tell the process that the run is over: its connection ends."""
        with contextlib.suppress(OSError):
            self.channel.connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Wait for the end of the process, which has been told."""
        self.channel.connection.close()
        try:
            self._program.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
        assert self._program.stdin
        self._program.stdin.close()
