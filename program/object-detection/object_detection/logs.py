"""The logs that LoadGen left in a folder. `contract.logs` parses their text."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from object_detection.contract.logs import DETAIL, SUMMARY, Detail, parse_detail, parse_reasons, parse_summary
from object_detection.detections import WIDTH
from object_detection.errors import HarnessError

ANSWERS = "mlperf_log_accuracy.json"
Found = dict[int, list[tuple[float, ...]]]  # detections by sample index
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
    """Detections (ymin, xmin, ymax, xmax, score, class) by sample index; for duplicate samples the first record is used.

    Raises
    ------
    HarnessError
        If the file is not an accuracy log, or a detection belongs to another sample.
    """
    found: Found = {}
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            data = bytes.fromhex(row["data"])
            if len(data) % _BYTES:
                raise HarnessError(f"{path}: sample {row['qsl_idx']} has {len(data)} bytes, not a multiple of {_BYTES}")
            boxes = [struct.unpack_from(f"<{WIDTH}f", data, at) for at in range(0, len(data), _BYTES)]
            wrong = [box for box in boxes if int(box[0]) != row["qsl_idx"]]
            if wrong:
                raise HarnessError(f"{path}: sample {row['qsl_idx']} has a detection of sample {int(wrong[0][0])}")
            found.setdefault(row["qsl_idx"], [box[1:] for box in boxes])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise HarnessError(f"{path} is not an accuracy log: {type(error).__name__} {error}") from error
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
