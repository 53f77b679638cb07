"""LoadGen's logs: the one place of the harness where they are parsed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from object_detection.detections import WIDTH, Rows
from object_detection.errors import HarnessError

SUMMARY, DETAIL, ANSWERS = "mlperf_log_summary.txt", "mlperf_log_detail.txt", "mlperf_log_accuracy.json"
Found = dict[int, Rows]  # detections by sample index: (detections, 6), with the columns ymin, xmin, ymax, xmax, score, class
_LINE = re.compile(r"^(?P<key>[^:]+?)\s*:\s*(?P<value>.+)$")
_MARK = ":::MLLOG"
_BYTES = 4 * WIDTH


@dataclass(frozen=True)
class Summary:
    """mlperf_log_summary.txt.

    Attributes
    ----------
    values
        The lines ``key : value``; the first of equal keys counts.
    reasons
        Why a run is not valid, in LoadGen's words: the constraints that are not met, and its remarks, each on one line.
    """

    values: dict[str, str]
    reasons: list[str]


@dataclass(frozen=True)
class Detail:
    """mlperf_log_detail.txt.

    Attributes
    ----------
    values
        By key; the last of equal keys counts.
    errors
        The number of events that LoadGen marks as errors.
    """

    values: dict[str, Any]
    errors: int


def read_summary(folder: Path) -> Summary:
    """Read the summary of the test in a folder."""
    lines = _lines(folder / SUMMARY)
    values: dict[str, str] = {}
    for line in lines:
        if match := _LINE.match(line.strip().removeprefix("* ")):
            values.setdefault(match["key"], match["value"])
    return Summary(values, _reasons(lines))


def read_detail(folder: Path) -> Detail:
    """Read the detail log of the test in a folder.

    Raises
    ------
    HarnessError
        If an event is cut short.
    """
    values: dict[str, Any] = {}
    errors = 0
    for line in _lines(folder / DETAIL):
        if line.startswith(_MARK):
            try:
                row = json.loads(line[len(_MARK) :])
            except ValueError:
                raise HarnessError(f"{folder / DETAIL} is cut short") from None
            values[row["key"]] = row["value"]
            errors += bool((row.get("metadata") or {}).get("is_error"))
    return Detail(values, errors)


def read_answers(path: Path) -> Found:
    """Detections by sample index; if the log has a sample twice, the first entry counts.

    Raises
    ------
    HarnessError
        If the file is not an accuracy log, or a detection is of another sample.
    """
    try:
        rows = json.loads(path.read_bytes())
        indices = [_index(row["qsl_idx"]) for row in rows]
        answers = [bytes.fromhex(row["data"]) for row in rows]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise HarnessError(f"{path} is no accuracy log: {type(error).__name__} {error}") from error
    for index, data in zip(indices, answers, strict=True):
        if len(data) % _BYTES:
            raise HarnessError(f"{path}: sample {index} has {len(data)} bytes, not a multiple of {_BYTES}")
    ends = np.cumsum([len(data) // _BYTES for data in answers], dtype=np.int64)
    boxes = np.frombuffer(b"".join(answers), dtype="<f4").reshape(-1, WIDTH)
    claimed, own = np.trunc(boxes[:, 0]), np.repeat(indices, np.diff(ends, prepend=0))
    if len(wrong := np.flatnonzero(claimed != own)):
        first = wrong[0]
        raise HarnessError(f"{path}: sample {own[first]} holds a detection of sample {claimed[first]:g}")
    found: Found = {}
    for index, start, end in zip(indices, [0, *ends.tolist()], ends.tolist(), strict=False):
        found.setdefault(index, boxes[start:end, 1:])
    return found


def _index(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a qsl_idx is {value!r}")
    return value


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _reasons(lines: list[str]) -> list[str]:
    reasons: list[str] = []
    in_remark = False
    for line in lines:
        text = line.strip()
        if text.startswith("* "):
            reasons.append(text.removeprefix("* "))
            in_remark = True
        elif in_remark and line.startswith(" ") and text and " : " not in text:
            reasons[-1] += f" {text}"
        else:
            in_remark = False
            if text.endswith(": NO"):
                reasons.append(text)
    return reasons
