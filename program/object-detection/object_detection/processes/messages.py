"""Messages between the process that has LoadGen and those that have sessions.

A message is a kind and a length, 8 bytes, and its content. Those of each batch are binary and short: the slot of memory that
has the indices of its samples and room for its answers, and on the way back the size of each answer. The others are JSON.

What goes to a process is so little that it always fits into the connection. So the process that has LoadGen never waits for
one that waits for it.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from struct import Struct
from typing import Any

# to a process with sessions: what it loads, samples that are in memory or no longer, samples for a first batch of every
# session, samples for a turn that is measured, the working folder, a batch, a request for its report
START, LOADED, UNLOADED, PREPARE, RATE, FOLDER, BATCH, REPORT = range(1, 9)
# back: it has loaded its sessions, or run the first batches or a turn; answers of a batch, the same with the answers in the
# message; its report; an error
READY, ANSWERED, ANSWERED_HERE, REPORTED, FAILED = range(11, 16)

_HEAD, _BATCH = Struct("<II"), Struct("<IqI")
_AT_ONCE = 1 << 16  # bytes
HEAD = _HEAD.size


@cache
def answer_form(samples: int) -> Struct:
    """Kind, length, slot, and the bytes of each sample's answer."""
    return Struct(f"<III{samples}I")


ANSWER_HEAD = answer_form(0).size


def batch_message(slot: int, since: int, samples: int) -> bytes:
    """A batch, the indices of whose samples are in a slot.

    Parameters
    ----------
    since
        When its samples were asked for, `time.perf_counter_ns`; the mean if they are of several queries.
    samples
        How many.
    """
    return _HEAD.pack(BATCH, _BATCH.size) + _BATCH.pack(slot, since, samples)


def read_batch(content: bytes) -> tuple[int, int, int]:
    """Slot, time and number of samples of a batch."""
    slot, since, samples = _BATCH.unpack(content)
    return slot, since, samples


def answer_message(slot: int, sizes: Sequence[int]) -> bytes:
    """The answers of a batch are in its slot, one after the other."""
    form = answer_form(len(sizes))
    return form.pack(ANSWERED, form.size - HEAD, slot, *sizes)


def long_answer_message(slot: int, answers: Sequence[bytes]) -> bytes:
    """The answers of a batch, which do not fit into its slot."""
    sizes = [len(each) for each in answers]
    form, content = answer_form(len(sizes)), b"".join(answers)
    return form.pack(ANSWERED_HERE, form.size - HEAD + len(content), slot, *sizes) + content


def json_message(kind: int, content: Any = None) -> bytes:
    """A message of another kind."""
    text = json.dumps(content).encode()
    return _HEAD.pack(kind, len(text)) + text


class Channel:
    """A connection to another process.

    Parameters
    ----------
    connection
        A stream. Any thread may send, one at a time receives.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._sending, self._out = threading.Lock(), deque[bytes]()
        self._rest, self._missing = b"", 0

    def send(self, message: bytes) -> None:
        """Send messages; while another thread sends, it sends these, too, so that many take one call.

        Raises
        ------
        OSError
            If the other process has ended.
        """
        self._out.append(message)
        while self._out and self._sending.acquire(blocking=False):
            try:
                self._send_all()
            finally:
                self._sending.release()

    def flush(self) -> None:
        """Send what another thread was asked to send, if it has not yet."""
        with self._sending:
            self._send_all()

    def _send_all(self) -> None:
        self.connection.sendall(b"".join(self._out.popleft() for _ in range(len(self._out))))

    def receive(self) -> bytes:
        """What has arrived, after the rest of before; waits until there is something. Empty if the other process has ended."""
        try:
            new = self.connection.recv(max(_AT_ONCE, self._missing))
        except ConnectionError:
            return b""
        if not new:
            return b""
        if self._rest:
            new, self._rest = self._rest + new, b""
        return new

    def messages(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Kind and content of each message in received bytes; the start of a message that is not complete is kept."""
        at, end, self._missing = 0, len(data), 0
        while end - at >= HEAD:
            kind, length = _HEAD.unpack_from(data, at)
            if end - at - HEAD < length:
                self._missing = length + HEAD + at - end
                break
            at += HEAD + length
            yield kind, data[at - length : at]
        self._rest = data[at:]
