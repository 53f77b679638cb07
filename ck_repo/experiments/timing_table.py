"""The parts of a run and how long they took, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from ck_repo.contract.timings import Part


def timing_lines(parts: Sequence[Part]) -> list[str]:
    """A line for each part: its name, its seconds, its share of the total, which is the last line.

    >>> timing_lines([Part("layout", 1.5), Part("performance", 6.0)])
    ['layout          1.50 s   20 %', 'performance     6.00 s   80 %', 'total           7.50 s']
    """
    total = sum(part.seconds for part in parts)
    width = max(len(name) for name in ["total", *(part.name for part in parts)])
    lines = [f"{part.name:{width}}  {part.seconds:7.2f} s  {part.seconds / (total or 1.0):4.0%}" for part in parts]
    return [*(f"{line[:-1]} %" for line in lines), f"{'total':{width}}  {total:7.2f} s"]
