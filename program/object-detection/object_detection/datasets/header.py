"""The size and EXIF orientation of an image, from the file's header."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from object_detection.datasets.exif import orientation_in_exif, read_tiff

_ENOUGH = 1 << 16  # bytes that contain the header of every format except JPEG and TIFF
_MAXIMUM = 1 << 26  # maximum bytes of metadata before the size of a JPEG or TIFF
_LONG = (b"\xff\xd8", b"II", b"MM")  # how these two begin
_BLOCK = 1 << 18  # bytes that are read at once for a digest
# other formats that OpenCV may read
_OTHERS = frozenset({".exr", ".hdr", ".pic", ".ras", ".sr", ".j2k", ".jxl"})
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_NETPBM = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s")
_PAM = re.compile(rb"P7\n(?:[^\n]*\n)*?WIDTH (\d{1,9})\n(?:[^\n]*\n)*?HEIGHT (\d{1,9})\n")


@dataclass(frozen=True)
class Header:
    """The content of a header.

    Attributes
    ----------
    width, height
        Of the stored pixels; 0 for formats whose header is not read here.
    orientation
        EXIF orientation: 1 as stored, 2 to 4 mirrored or upside down, 5 to 8 rotated by 90°.
    """

    width: int
    height: int
    orientation: int = 1

    @property
    def on_its_side(self) -> bool:
        """Whether viewers swap width and height."""
        return self.orientation >= 5


def read_header(path: Path) -> Header | None:
    """The header of an image; None if it is not an image, or truncated before its size."""
    with open(path, "rb") as file:
        return _header_of(path, file.read(_ENOUGH), file)


def read_with_digest(path: Path) -> tuple[Header | None, str]:
    """The header of an image, as `read_header` returns it, and the SHA-256 of the file, which is opened once."""
    with open(path, "rb") as file:
        content = file.read(_ENOUGH)
        found = _header_of(path, content, file)
        digest = hashlib.sha256(content)
        if len(content) == _ENOUGH:
            file.seek(_ENOUGH)
            while block := file.read(_BLOCK):
                digest.update(block)
    return found, digest.hexdigest()


def _header_of(path: Path, content: bytes, file: BinaryIO) -> Header | None:
    """The header of an image with these first bytes; more are read from the file if they are needed."""
    more = len(content) == _ENOUGH
    if more and content.startswith(b"RIFF"):  # the orientation is behind the pixels
        content, more = content + file.read(_MAXIMUM), False
    for start, read in _FORMATS:
        if content.startswith(start) or (start == _BRANDED and content[4:12] in (b"ftypavif", b"ftypavis")):
            found = _parsed(read, content)
            if not found and more and content.startswith(_LONG):
                found = _parsed(read, content + file.read(_MAXIMUM))
            return found
    return Header(0, 0) if content and path.suffix.lower() in _OTHERS else None


def _parsed(read: Callable[[bytes], Header | None], content: bytes) -> Header | None:
    """The header as a format has it; None without a size."""
    try:
        found = read(content)
    except (struct.error, IndexError, ValueError):
        return None
    return found if found and found.width > 0 and found.height > 0 else None


def _png(content: bytes) -> Header | None:
    if content[12:16] != b"IHDR":
        return None
    place = content.find(b"eXIf")
    turned = orientation_in_exif(content[place + 4 :]) if place > 0 else 1
    width, height = struct.unpack_from(">II", content, 16)
    return Header(width, height, turned)


def _jpeg(content: bytes) -> Header | None:
    turned, at = 1, 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            at = content.find(b"\xff", at)
            if at < 0:
                return None
            continue
        mark = content[at + 1]
        if mark == 0xFF:  # a fill byte
            at += 1
            continue
        if mark in (0x00, 0x01) or 0xD0 <= mark <= 0xD8:
            at += 2
            continue
        if mark in (0xD9, 0xDA):
            return None
        (length,) = struct.unpack_from(">H", content, at + 2)
        if mark in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return Header(width, height, turned)
        if mark == 0xE1 and content[at + 4 : at + 10] == b"Exif\0\0":
            turned = orientation_in_exif(content[at + 10 : at + 2 + length])
        at += 2 + length
    return None


def _bmp(content: bytes) -> Header | None:
    (size,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", content, 18)
    return Header(width, abs(height))


def _gif(content: bytes) -> Header | None:
    return Header(*struct.unpack_from("<HH", content, 6))


def _webp(content: bytes) -> Header | None:
    kind = content[12:16]
    if content[8:12] != b"WEBP":
        return None
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return Header(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return Header((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
    if kind == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        height = int.from_bytes(content[27:30], "little") + 1
        return Header(width, height, _orientation_in_webp(content)) if len(content) >= 30 else None
    return None


def _orientation_in_webp(content: bytes) -> int:
    """The orientation in the EXIF chunk, which is after the pixels."""
    at = 12
    while at + 8 <= len(content):
        (length,) = struct.unpack_from("<I", content, at + 4)
        if content[at : at + 4] == b"EXIF":
            return orientation_in_exif(content[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return 1


def _avif(content: bytes) -> Header | None:
    place = content.find(b"ispe")
    if place < 0:
        return None
    return Header(*struct.unpack_from(">II", content, place + 8))


def _tiff(content: bytes) -> Header | None:
    values = read_tiff(content)
    return Header(values.get(256, 0), values.get(257, 0), values.get(274, 1))


def _jp2(content: bytes) -> Header | None:
    place = content.find(b"ihdr")
    if place < 0:
        return None
    height, width = struct.unpack_from(">II", content, place + 4)
    return Header(width, height)


def _netpbm(content: bytes) -> Header | None:
    found = _NETPBM.match(content) or _PAM.match(content)
    return Header(int(found[1]), int(found[2])) if found else None


_BRANDED = b"ftyp"
_FORMATS: tuple[tuple[bytes, Callable[[bytes], Header | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"BM", _bmp),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"II+\0", _tiff),
    (b"MM\0+", _tiff),
    (b"\0\0\0\x0cjP  ", _jp2),
    (b"P", _netpbm),
    (_BRANDED, _avif),
)
