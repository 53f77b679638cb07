"""The Pareto front of speed and accuracy."""

from __future__ import annotations

from collections.abc import Mapping

Point = tuple[float, float]  # speed and accuracy; higher is better for both


def front(points: Mapping[str, Point]) -> set[str]:
    """The points that no other point dominates: one at least as good in both and better in one.

    >>> sorted(front({"a": (2.0, 0.3), "b": (1.0, 0.4), "c": (1.0, 0.3)}))
    ['a', 'b']
    """
    found: set[str] = set()
    best = float("-inf")  # highest accuracy of all faster points
    rows = sorted(points.items(), key=lambda row: (-row[1][0], -row[1][1]))
    fastest = float("inf")
    for name, (speed, accuracy) in rows:
        if accuracy > best or (accuracy, speed) == (best, fastest):
            found.add(name)
            best, fastest = accuracy, speed
    return found
