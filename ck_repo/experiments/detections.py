"""Comparison of the detections in two accuracy logs."""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ck_repo.rounds.logs import read_samples

_ROW = struct.Struct("<7f")  # qsl_idx, ymin, xmin, ymax, xmax, score, class: boxes and scores are 0 to 1
SCORE = 0.1  # detections with lower scores are noise that depends on rounding
TOLERANCE = 2e-3  # tolerance for box edges and scores

Box = tuple[float, float, float, float, float]
Detections = dict[int, dict[int, list[Box]]]  # by sample index and class


@dataclass(frozen=True)
class Agreement:
    """How similar two logs are.

    Attributes
    ----------
    share
        Share of the detections of both logs above a score of 0.1 that have a match in the other log (0–1): same sample, same
        class, box edges and score within 2e-3. 1 if there are none.
    one, other
        Number of such detections in each log.
    same_samples
        Whether both logs have the same samples.
    """

    share: float
    one: int
    other: int
    same_samples: bool


def read_detections(path: Path, inside: Path | None = None) -> Detections:
    """Read detections above a score of 0.1 from an accuracy log.

    Parameters
    ----------
    inside
        The folder that the log must be in, for untrusted logs.

    Returns
    -------
    Detections
        By sample index and class: (ymin, xmin, ymax, xmax, score), boxes from 0 to 1. The first of duplicate
        samples counts.
    """
    found: Detections = {}
    for sample in read_samples(path, inside):
        if sample.qsl_idx in found:
            continue
        rows: dict[int, list[Box]] = defaultdict(list)
        for _, top, left, bottom, right, score, kind in _ROW.iter_unpack(
            sample.data[: len(sample.data) // _ROW.size * _ROW.size]
        ):
            if score > SCORE and math.isfinite(kind):
                rows[int(kind)].append((top, left, bottom, right, score))
        found[sample.qsl_idx] = rows
    return found


def agreement(one: Path, other: Path, inside: tuple[Path, Path] | None = None) -> Agreement:
    """Compare two accuracy logs.

    Parameters
    ----------
    inside
        The untrusted folders that contain the logs: only regular files of them are read.
    """
    first, second = inside or (None, None)
    return compared(read_detections(one, first), read_detections(other, second))


def compared(mine: Detections, its: Detections) -> Agreement:
    """Compare the detections of two runs.

    Parameters
    ----------
    mine, its
        As from `read_detections`.

    Returns
    -------
    Agreement
        With the share of detections that have a partner in the other run, 0–1.
    """
    partners = count_one = count_other = 0
    for sample in {*mine, *its}:
        left, right = mine.get(sample, {}), its.get(sample, {})
        count_one += sum(map(len, left.values()))
        count_other += sum(map(len, right.values()))
        partners += sum(_pairs(rows, right.get(kind, [])) for kind, rows in left.items())
    total = count_one + count_other
    return Agreement(2 * partners / total if total else 1.0, count_one, count_other, set(mine) == set(its))


def _pairs(left: list[Box], right: list[Box]) -> int:
    """The number of matches among the detections of one class in one sample; each matches at most one."""
    free = sorted(right, key=lambda row: -row[4])
    pairs = 0
    for row in sorted(left, key=lambda row: -row[4]):
        for number, candidate in enumerate(free):
            if all(abs(a - b) <= TOLERANCE for a, b in zip(row, candidate, strict=True)):
                del free[number]
                pairs += 1
                break
    return pairs
