"""What processes share: memory, which is reserved before it is used, and messages."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any, cast

import pytest

np = pytest.importorskip("numpy")
for name in ("cv2", "mlperf_loadgen", "pycocotools"):
    pytest.importorskip(name)

from object_detection.errors import HarnessError  # noqa: E402
from object_detection.processes import memory as memory_module  # noqa: E402
from object_detection.processes.images import LoadedElsewhere, SharedImages  # noqa: E402
from object_detection.processes.memory import Memory  # noqa: E402
from object_detection.processes.messages import (  # noqa: E402
    BATCH,
    LOADED,
    REPORT,
    Channel,
    answer_message,
    batch_message,
    json_message,
    long_answer_message,
    read_batch,
)


@pytest.fixture(params=["as here", "without anonymous memory"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Memory:
    """Shared memory, on this system and on one that has only files."""
    if request.param != "as here":
        monkeypatch.delattr(os, "memfd_create", raising=False)
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    return Memory(tmp_path)


def test_memory_of_dropped_images_is_used_again(memory: Memory, tmp_path: Path) -> None:
    told: list[bytes] = []
    images, chance = SharedImages(memory, told.append), np.random.default_rng(3)

    def some(count: int, side: int) -> list[Any]:
        return list(chance.integers(0, 255, (count, side, side, 3), np.uint8))

    first, second = some(4, 8), some(2, 8)
    kept = [*images.keep([0, 1, 2, 3], first), *images.keep([4, 5], second)]
    assert all(np.array_equal(one, other) for one, other in zip(kept, [*first, *second], strict=True))
    size = memory.size
    images.drop([0, 1, 2])
    images.drop([3])
    other = some(3, 8)
    assert all(np.array_equal(*pair) for pair in zip(images.keep([6, 7, 8], other), other, strict=True))
    assert memory.size == size
    assert np.array_equal(kept[4], second[0])
    images.keep([9, 10], some(2, 16))  # too large for what is free
    assert memory.size > size
    assert not list(tmp_path.iterdir())

    elsewhere = LoadedElsewhere(cast("Any", None), Memory(None, memory.descriptor))
    for message in told:
        kind, content = next(Channel(cast("Any", None)).messages(message))
        if kind == LOADED:
            elsewhere.loaded_at(**json.loads(content))
        else:
            elsewhere.unload(json.loads(content))
    assert sorted(elsewhere.loaded) == [4, 5, 6, 7, 8, 9, 10]
    assert np.array_equal(elsewhere.batch([6, 8]), np.stack([other[0], other[2]]))


def test_missing_memory_is_reported(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "free_memory", lambda: 1000)
    with pytest.raises(HarnessError, match="2 MB of memory that processes share cannot be reserved for images: not enough"):
        memory.grow(2_000_000, "images")

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(memory_module, "free_memory", lambda: None)
    monkeypatch.setattr(memory_module, "_reserve", full)
    with pytest.raises(HarnessError, match="for answers: No space left") as caught:
        memory.grow(2_000_000, "answers")
    assert "--processes=1" in caught.value.hint


def test_messages_survive_any_division() -> None:
    """A stream has no borders between them; threads send at the same time."""
    ours, theirs = socket.socketpair()
    sender, receiver = Channel(ours), Channel(theirs)
    sent = [batch_message(number, number * 10**9, 40 - number) for number in range(40)]
    sent += [
        long_answer_message(7, [b"", b"a" * 300_000, b"b"]),
        answer_message(8, [28, 0, 56]),
        json_message(REPORT, {"x": "ä"}),
    ]

    def send(part: list[bytes]) -> None:
        for each in part:
            sender.send(each)

    threads = [threading.Thread(target=send, args=(part,)) for part in (sent[::2], sent[1::2])]
    for thread in threads:
        thread.start()
    found: list[tuple[int, bytes]] = []
    while len(found) < len(sent):
        found += receiver.messages(receiver.receive())
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted((int.from_bytes(each[:4], "little"), each[8:]) for each in sent)
    batches = [read_batch(content) for kind, content in found if kind == BATCH]
    assert sorted(batches) == [(number, number * 10**9, 40 - number) for number in range(40)]
    ours.close()
    assert receiver.receive() == b""
    theirs.close()
