"""Read the headers of many images, with or without the digests of the files."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from object_detection.datasets.header import Header, read_header, read_with_digest

Read = Callable[[Sequence[Path]], Iterator[tuple[Header | None, str]]]
_LARGE = 1 << 16  # bytes of an average image above which threads pay off; those of small images wait for Python's lock
_AT_ONCE = 16  # images of a job
_MAX_THREADS = 8


def read_headers(paths: Sequence[Path]) -> Iterator[tuple[Header | None, str]]:
    """The header of each image, None if it is not an image; the digests are empty."""
    return ((read_header(path), "") for path in paths)


def read_all(paths: Sequence[Path]) -> Iterator[tuple[Header | None, str]]:
    """The header of each image, None if it is not an image, and its SHA-256; large images are read in several threads."""
    threads = min(_cores(), _MAX_THREADS)
    some = paths[:: max(1, len(paths) // 16)]
    if threads == 1 or not some or sum(os.path.getsize(path) for path in some) < _LARGE * len(some):
        return map(read_with_digest, paths)
    return _in_threads(paths, threads)


def _in_threads(paths: Sequence[Path], threads: int) -> Iterator[tuple[Header | None, str]]:
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: deque[Future[list[tuple[Header | None, str]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for at in range(0, len(paths), _AT_ONCE):
                waiting.append(pool.submit(lambda job: [*map(read_with_digest, job)], paths[at : at + _AT_ONCE]))
                if len(waiting) > 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
