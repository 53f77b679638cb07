"""LoadGen's logs and what lies beside them, as submitters have them, complete or cut short."""

from __future__ import annotations

import codecs
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.store.entry import parse_json
from ck_repo.store.plain_file import MOST, opened, read_plain

DETAIL, SUMMARY = "mlperf_log_detail.txt", "mlperf_log_summary.txt"
BOTH_MODES = "SubmissionRun"  # the test mode that is an accuracy run and a performance run in one
_MARK = ":::MLLOG"
MARKED = "it begins with a byte order mark"
_CUT = "a line that cannot be read: cut short, or edited"
# an event as LoadGen writes nearly all of them, with no error: read so, a log takes a third of the time
_EVENT = re.compile(
    r':::MLLOG \{"key": "([^"\\\x00-\x1f]+)", '
    r'"value": ("[^"\\\x00-\x1f]*"|-?(?:0|[1-9]\d{0,39})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?|true|false), '
    r'"time_ms": \d{1,20}\.\d{1,20}, "namespace": "mlperf::logging", "event_type": "POINT_IN_TIME", '
    r'"metadata": \{"is_error": false, "is_warning": (?:true|false), "file": "[^"\\\x00-\x1f]*", '
    r'"line_no": \d{1,9}, "pid": \d{1,9}, "tid": \d{1,9}\}\}\s*',
    re.ASCII,
)
_FRACTION = re.compile("[.eE]")
_DECODE = json.JSONDecoder().raw_decode
_USUAL = 1000  # characters of an event
_SUMMARY_LINE = re.compile(r"([^:]+):\s*(.+)$")
_MAP = re.compile(r"mAP=([\d.]+)")
_HASH = re.compile(r"hash=(\w+)$")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
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
    """The figures and settings of a run: of mlperf_log_detail.txt, or of a text log under the same keys.

    Attributes
    ----------
    values
        By key; the first of equal keys counts, and of a text log the last.
    lines
        Number of the line that a key's value is from, from 1.
    errors
        (line, message) of each event that LoadGen marks as an error.
    broken
        (line, reason) of what cannot be read: the log was cut short, or edited; line 0 for the whole file.
    file
        Name of the file that the values are from.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)
    file: str = DETAIL

    @property
    def cut(self) -> bool:
        """Whether a line cannot be read, so that values may be missing or wrong."""
        return any(why == _CUT for _, why in self.broken)

    def number(self, key: str) -> float | None:
        """A value as a number; None if it is not there or is none."""
        value = self.values.get(key)
        try:
            return None if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            return None

    def latency_key(self, percentile: float) -> str:
        """The key of a percentile, 0–1, of a query's latency: MultiStream has a name of its own."""
        names = [f"result_{100 * percentile:.2f}_percentile_{query}latency_ns" for query in ("per_query_", "")]
        return next((name for name in names if name in self.values), names[-1])

    def asked(self) -> dict[str, Any]:
        """The settings that were in effect, by their names in TestSettings."""
        return {key.removeprefix("effective_"): row for key, row in self.values.items() if key.startswith("effective_")}


def lines_of(text: str) -> list[str]:
    """The lines of a text; only line feeds and carriage returns end one."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def read_detail(path: Path, inside: Path | None = None) -> Detail:
    """Read mlperf_log_detail.txt of ``:::MLLOG`` events; other lines are skipped, as some systems print between them."""
    found = Detail()
    text, flaw = read_utf8(path, inside)
    if flaw and flaw != MARKED:
        found.broken.append((0, flaw))
    for number, line in enumerate(lines_of(text), 1):
        if not line.startswith(_MARK):
            continue
        if match := _EVENT.fullmatch(line):
            if match[1] not in found.values:
                found.values[match[1]], found.lines[match[1]] = _value(match[2]), number
            continue
        try:
            row = _event(line)
            key = row["key"]
        except (ValueError, KeyError, TypeError, RecursionError):
            found.broken.append((number, _CUT))
            continue
        about = row.get("metadata")
        if not isinstance(about, dict) or "is_error" not in about:
            found.broken.append((number, f"an event without metadata.is_error: {key}"))
        elif about["is_error"]:
            found.errors.append((number, str(row.get("value"))))
        if str(key) not in found.values:
            found.values[str(key)], found.lines[str(key)] = row.get("value"), number
    return found


def _value(text: str) -> Any:
    """The value of an event that is a text without escapes, a number, true or false."""
    if text[0] == '"':
        return text[1:-1]
    if text[0] in "tf":
        return text == "true"
    return float(text) if _FRACTION.search(text) else int(text)


def _event(line: str) -> Any:
    """The event of a line; one that is long or has escapes is read by the stricter parser."""
    if len(line) > _USUAL or "\\u" in line:
        return parse_json(line[len(_MARK) :])
    content = line[len(_MARK) :].strip()
    row, end = _DECODE(content)
    if end != len(content):
        raise ValueError("more than one value in a line")
    return row


def read_utf8(path: Path, inside: Path | None = None, most: int = MOST) -> tuple[str, str]:
    """A text that has to be UTF-8 without a byte order mark, and why it is not; see `read_text`."""
    content = path.read_bytes() if inside is None else read_plain(inside, path, most=most)
    if any(content.startswith(mark) for mark, _ in _BOMS):
        return read_text(path, inside, most), MARKED if content.startswith(codecs.BOM_UTF8) else "it is UTF-16"
    try:
        return content.decode(), ""
    except UnicodeDecodeError as error:
        return content.decode("latin-1"), f"it is not UTF-8 (byte {error.start})"


def read_summary(path: Path, inside: Path | None = None) -> dict[str, str]:
    """The lines ``key : value`` of mlperf_log_summary.txt; the first of equal keys counts."""
    rows: dict[str, str] = {}
    for line in lines_of(read_text(path, inside)):
        if match := _SUMMARY_LINE.match(line.strip()):
            rows.setdefault(match[1].rstrip(), match[2].strip())
    return rows


@dataclass(frozen=True)
class Accuracy:
    """What accuracy.txt says.

    Attributes
    ----------
    mAP
        In percent; None if the file has none.
    text
        The figure as it is written.
    hash
        What the file gives as the digest of the complete accuracy log; empty if it gives none.
    flaw
        Why the file is not plain UTF-8; empty if it is.
    """

    mAP: float | None
    text: str
    hash: str
    flaw: str = ""

    @property
    def sha256(self) -> str:
        """The hash, if it is a SHA-256, in lower case; else empty."""
        return self.hash.lower() if _SHA256.fullmatch(self.hash) else ""


def read_accuracy(path: Path, inside: Path | None = None) -> Accuracy:
    """Read accuracy.txt: the last figure before the file has both a figure and a hash, as the rounds' checkers do."""
    text, flaw = read_utf8(path, inside)
    figure, digest = "", ""
    for line in lines_of(text):
        if match := _MAP.match(line):
            figure = match[1]
        if match := _HASH.match(line):
            digest = match[1]
        if figure and digest:
            break
    try:
        value = float(figure) if figure else None
    except ValueError:
        value = None
    return Accuracy(None if value is not None and math.isinf(value) else value, figure, digest, flaw)


@dataclass(frozen=True)
class LoggedSample:
    """A record of mlperf_log_accuracy.json: `data` is 7 little-endian float32 for each detection."""

    seq_id: int
    qsl_idx: int
    data: bytes


_RECORD = re.compile(
    r'\{\s*"seq_id"\s*:\s*(\d+)\s*,\s*"qsl_idx"\s*:\s*(\d+)\s*,\s*"data"\s*:\s*"([0-9A-Fa-f]*)"'
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
                if len(match[3]) % 2 == 0:  # else half a byte is missing
                    yield LoggedSample(int(match[1]), int(match[2]), bytes.fromhex(match[3]))
                end = match.end()
            rest = rest[end:]
            if len(rest) > 1 << 24:  # no record of a detector is that long: what comes is something else
                return
