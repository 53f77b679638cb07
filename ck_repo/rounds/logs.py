"""Read LoadGen's logs and related files of any submitter, complete or truncated."""

from __future__ import annotations

import codecs
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ck_repo.contract.logs import Detail, lines_of, parse_detail, parse_summary
from ck_repo.store.entry import parse_json
from ck_repo.store.plain_file import MAXIMUM, opened, read_plain

BOTH_MODES = "SubmissionRun"  # the test mode that combines an accuracy run and a performance run
MARKED = "it begins with a byte order mark"
_MAP = re.compile(r"mAP=([\d.]+)")
_HASH = re.compile(r"hash=(\w+)$")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


_LARGEST_LOG = 16 << 30  # maximum bytes of an accuracy log, which is read record by record


def read_text(path: Path, inside: Path | None = None, maximum: int = MAXIMUM) -> str:
    """Read a text file in any encoding: UTF-8, UTF-16 with its mark, else Latin-1.

    Parameters
    ----------
    inside
        The folder of an untrusted file, which must be a regular file in it. Without a folder the path is the user's own, and
        links are
        followed.
    maximum
        The maximum size of a file inside a folder, in bytes.

    Raises
    ------
    UnreadableError
        If there is no regular file of at most that size inside the folder.
    """
    content = path.read_bytes() if inside is None else read_plain(inside, path, maximum=maximum)
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_detail(path: Path, inside: Path | None = None) -> Detail:
    """Read mlperf_log_detail.txt of ``:::MLLOG`` events.

    Parameters
    ----------
    inside
        See `read_text`.

    Raises
    ------
    UnreadableError
        If there is no regular file inside the folder. Invalid lines are no error: `Detail.broken` has them.
    """
    text, flaw = read_utf8(path, inside)
    found = parse_detail(text, parse_json)
    if flaw and flaw != MARKED:
        found.broken.insert(0, (0, flaw))
    return found


def read_summary(path: Path, inside: Path | None = None) -> dict[str, str]:
    """The lines ``key : value`` of mlperf_log_summary.txt; the first of equal keys counts.

    Parameters
    ----------
    inside
        See `read_text`.

    Raises
    ------
    UnreadableError
        If there is no regular file inside the folder.
    """
    return parse_summary(read_text(path, inside))


def read_utf8(path: Path, inside: Path | None = None, maximum: int = MAXIMUM) -> tuple[str, str]:
    """Read a text that should be UTF-8 without a byte order mark.

    Parameters
    ----------
    inside, maximum
        See `read_text`.

    Returns
    -------
    text, flaw : str
        The text, and why it is not as it should be; empty if it is.

    Raises
    ------
    UnreadableError
        If there is no regular file of at most that size inside the folder.
    """
    content = path.read_bytes() if inside is None else read_plain(inside, path, maximum=maximum)
    if any(content.startswith(mark) for mark, _ in _BOMS):
        return read_text(path, inside, maximum), MARKED if content.startswith(codecs.BOM_UTF8) else "it is UTF-16"
    try:
        return content.decode(), ""
    except UnicodeDecodeError as error:
        return content.decode("latin-1"), f"it is not UTF-8 (byte {error.start})"


@dataclass(frozen=True)
class Accuracy:
    """The content of accuracy.txt.

    Attributes
    ----------
    mAP
        In percent; None if the file has none.
    text
        The number as text.
    hash
        The digest of the complete accuracy log, according to the file; empty if it has none.
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
    """Read accuracy.txt: the last mAP before the file has both mAP and hash, as in the rounds' checkers.

    Parameters
    ----------
    inside
        See `read_text`.

    Returns
    -------
    Accuracy
        mAP in percent; None if there is none, or it is infinite.
    """
    text, flaw = read_utf8(path, inside)
    figure, digest = "", ""
    for line in lines_of(f"\ufeff{text}" if flaw == MARKED else text):  # a mark hides what the first line begins with
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
    """The complete records of mlperf_log_accuracy.json, which may have been truncated in the middle for submission.

    Parameters
    ----------
    inside
        See `read_text`.

    Yields
    ------
    LoggedSample
        In the order of the file, which is read in blocks: memory does not grow with its size.
    """
    with opened(inside or path.parent.resolve(), path if inside else path.name, maximum=_LARGEST_LOG) as content:
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
            if len(rest) > 1 << 24:  # no record of a detector is that long: this is another format
                return
