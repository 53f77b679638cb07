"""How long the parts of a run took."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part of a run, and the seconds that it took."""

    name: str
    seconds: float


class Timings:
    """The parts of a run in the order in which they ended. They do not contain each other, so their sum is meaningful."""

    def __init__(self) -> None:
        self._parts: list[Part] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure the block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._parts.append(Part(name, round(time.monotonic() - began, 3)))

    def add(self, parts: Iterable[Part]) -> None:
        """Add parts that were measured elsewhere."""
        self._parts.extend(parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What was measured so far."""
        return tuple(self._parts)

    @property
    def seconds(self) -> float:
        """The sum of all parts."""
        return sum(part.seconds for part in self._parts)
