"""LoadGen's logs and what lies beside them, as submitters have them: of v1.0 and of today, whole or cut short."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.store.entry import parse_json
from ck_repo.store.plain_file import MOST, opened, read_plain

_MARK = ":::MLLOG"
_SUMMARY_LINE = re.compile(r"^([^:]+?)\s*:\s*(.+)$")
_MAP = re.compile(r"^mAP\s*=\s*([0-9.]+)\s*%", re.M)
_HASH = re.compile(r"hash=([0-9a-f]{64})")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


_LARGEST_LOG = 16 << 30  # bytes of an accuracy log, which is read record by record


def read_text(path: Path, inside: Path | None = None, most: int = MOST) -> str:
    """A text file in whatever encoding: UTF-8, UTF-16 with its mark, else Latin-1, in which every byte is a sign.

    Parameters
    ----------
    inside
        The folder of somebody else that it has to be a plain file of. Without one the path is the user's own, and links are
        followed.
    most
        The largest size of a file inside a folder, in bytes.

    Raises
    ------
    UnreadableError
        If there is no plain file of at most that size inside the folder.
    """
    content = path.read_bytes() if inside is None else read_plain(inside, path, most=most)
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


@dataclass
class Detail:
    """mlperf_log_detail.txt.

    Attributes
    ----------
    values
        By key; the last of equal keys counts.
    lines
        Number of the line that a key's value is from, from 1.
    errors
        (line, message) of each event that LoadGen marks as an error.
    broken
        Numbers of lines that cannot be read: the log was cut short, or edited.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)

    def number(self, key: str) -> float | None:
        """A value as a number; None if it is not there or is none."""
        value = self.values.get(key)
        try:
            return None if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            return None

    def latency_key(self, percentile: float) -> str:
        """The key of a percentile, 0–1, of a query's latency: in v1.0's MultiStream it has a name of its own."""
        names = [f"result_{100 * percentile:.2f}_percentile_{query}latency_ns" for query in ("per_query_", "")]
        return next((name for name in names if name in self.values), names[-1])

    def asked(self) -> dict[str, Any]:
        """The settings that were in effect, by their names in TestSettings."""
        return {key.removeprefix("effective_"): row for key, row in self.values.items() if key.startswith("effective_")}


def read_detail(path: Path, inside: Path | None = None) -> Detail:
    """Read mlperf_log_detail.txt; lines that are no event are passed over, as some systems print between them."""
    found = Detail()
    for number, line in enumerate(read_text(path, inside).splitlines(), 1):
        if not line.startswith(_MARK):
            continue
        try:
            row = parse_json(line[len(_MARK) :])
            key, value, about = str(row["key"]), row["value"], row.get("metadata") or {}
            failed = bool(about.get("is_error"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            found.broken.append(number)
            continue
        found.values[key], found.lines[key] = value, number
        if failed:
            found.errors.append((number, str(value)))
    return found


def read_summary(path: Path, inside: Path | None = None) -> dict[str, str]:
    """The lines ``key : value`` of mlperf_log_summary.txt; the first of equal keys counts."""
    rows: dict[str, str] = {}
    for line in read_text(path, inside).splitlines():
        if match := _SUMMARY_LINE.match(line.strip()):
            rows.setdefault(match[1], match[2].strip())
    return rows


@dataclass(frozen=True)
class Accuracy:
    """accuracy.txt: mAP in percent as it is printed there, None if it is not; digest of the whole accuracy log, or empty."""

    mAP: float | None
    sha256: str


def read_accuracy(path: Path, inside: Path | None = None) -> Accuracy:
    """Read accuracy.txt; the last figure counts, as a script may have run twice into the same file."""
    text = read_text(path, inside)
    figures, digests = _MAP.findall(text), _HASH.findall(text)
    try:
        figure = float(figures[-1]) if figures else None
    except ValueError:
        figure = None
    return Accuracy(figure, digests[-1] if digests else "")


@dataclass(frozen=True)
class LoggedSample:
    """A record of mlperf_log_accuracy.json: `data` is 7 little-endian float32 for each detection."""

    seq_id: int
    qsl_idx: int
    data: bytes


_RECORD = re.compile(
    r'\{\s*"seq_id"\s*:\s*(\d+)\s*,\s*"qsl_idx"\s*:\s*(\d+)\s*,\s*"data"\s*:\s*"((?:[0-9A-Fa-f]{2})*)"'
    r'(?:\s*,\s*"token_count"\s*:\s*\d+)?\s*\}'
)


def read_samples(path: Path, inside: Path | None = None) -> Iterator[LoggedSample]:
    """The whole records of mlperf_log_accuracy.json, also of one that was truncated in its middle for submission."""
    with opened(inside or path.parent.resolve(), path if inside else path.name, most=_LARGEST_LOG) as content:
        file = io.TextIOWrapper(content, encoding="latin-1")
        rest = ""
        while block := file.read(1 << 20):
            rest += block
            end = 0
            for match in _RECORD.finditer(rest):
                yield LoggedSample(int(match[1]), int(match[2]), bytes.fromhex(match[3]))
                end = match.end()
            rest = rest[end:]
            if len(rest) > 1 << 24:  # no record of a detector is that long: what comes is something else
                return
