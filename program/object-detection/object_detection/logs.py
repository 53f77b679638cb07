"""The logs that LoadGen left in a folder. `contract.logs` parses their text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from object_detection.contract.logs import DETAIL, SUMMARY, Detail, parse_detail, parse_reasons, parse_summary
from object_detection.detections import WIDTH, Rows
from object_detection.errors import HarnessError

ANSWERS = "mlperf_log_accuracy.json"
Found = dict[int, Rows]  # detections by sample index: (detections, 6), with the columns ymin, xmin, ymax, xmax, score, class
_BYTES = 4 * WIDTH


@dataclass(frozen=True)
class Summary:
    """mlperf_log_summary.txt.

    Attributes
    ----------
    values
        The lines ``key : value``; the first of equal keys is used.
    reasons
        Why a run is not valid, in LoadGen's words, each on one line.
    """

    values: dict[str, str]
    reasons: list[str]


def read_summary(folder: Path) -> Summary:
    """Read the summary of the test in a folder."""
    text = _text(folder / SUMMARY)
    return Summary(parse_summary(text), parse_reasons(text))


def read_detail(folder: Path) -> Detail:
    """Read the detail log of the test in a folder.

    Raises
    ------
    HarnessError
        If an event is truncated.
    """
    detail = parse_detail(_text(folder / DETAIL))
    if detail.cut:
        raise HarnessError(f"{folder / DETAIL} is truncated")
    return detail


def read_answers(path: Path) -> Found:
    """Detections by sample index; if the log has a sample twice, the first entry counts.

    Raises
    ------
    HarnessError
        If the file is not an accuracy log, or a detection belongs to another sample.
    """
    try:
        rows = json.loads(path.read_bytes())
        indices = [_index(row["qsl_idx"]) for row in rows]
        answers = [bytes.fromhex(row["data"]) for row in rows]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise HarnessError(f"{path} is not an accuracy log: {type(error).__name__} {error}") from error
    for index, data in zip(indices, answers, strict=True):
        if len(data) % _BYTES:
            raise HarnessError(f"{path}: sample {index} has {len(data)} bytes, not a multiple of {_BYTES}")
    ends = np.cumsum([len(data) // _BYTES for data in answers], dtype=np.int64)
    boxes = np.frombuffer(b"".join(answers), dtype="<f4").reshape(-1, WIDTH)
    claimed, own = np.trunc(boxes[:, 0]), np.repeat(indices, np.diff(ends, prepend=0))
    if len(wrong := np.flatnonzero(claimed != own)):
        first = wrong[0]
        raise HarnessError(f"{path}: sample {own[first]} has a detection of sample {claimed[first]:g}")
    found: Found = {}
    for index, start, end in zip(indices, [0, *ends.tolist()], ends.tolist(), strict=False):
        found.setdefault(index, boxes[start:end, 1:])
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _index(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a qsl_idx is {value!r}")
    return value
