"""The points of an experiment that stock CK recorded: files ``ckp-UID.NNNN.json`` in its entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FILE = re.compile(r"ckp-(?P<point>[0-9a-f]{16})\.(?:(?P<subpoint>[0-9]{4})\.)?")


@dataclass(frozen=True)
class Points:
    """What was measured in an experiment of stock CK.

    Attributes
    ----------
    points
        UIDs, sorted.
    subpoints
        Of each point the numbers of its repetitions, ``0001`` and so on.
    """

    points: tuple[str, ...]
    subpoints: dict[str, tuple[str, ...]]


def read_points(folder: Path) -> Points:
    """The points in an entry's folder; none if it is not stock's."""
    found: dict[str, set[str]] = {}
    for path in folder.iterdir():
        if match := _FILE.match(path.name):
            found.setdefault(match["point"], set()).update(filter(None, [match["subpoint"]]))
    return Points(tuple(sorted(found)), {point: tuple(sorted(rows)) for point, rows in found.items()})
