"""The headers and digests of a data set's images."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import pytest
from object_detection.datasets import image_files
from object_detection.datasets.header import Header, read_header, read_with_digest
from object_detection.datasets.image_files import read_all, read_headers

COMMENT = b"\xff\xfe\xff\xff" + b"c" * 65533  # the longest segment of a JPEG


def start_of_jpeg(width: int, height: int, comments: int = 0) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"
    return b"\xff\xd8" + comments * COMMENT + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("comments", [0, 1, 5])
@pytest.mark.parametrize("pixels", [0, 10, 200_000, 600_000])
def test_header_and_digest_of_files_of_any_length(tmp_path: Path, comments: int, pixels: int) -> None:
    content = start_of_jpeg(300, 200, comments) + b"p" * pixels
    path = write(tmp_path, "a.jpg", content)
    assert read_header(path) == Header(300, 200)
    assert read_with_digest(path) == (Header(300, 200), hashlib.sha256(content).hexdigest())


def test_webp_orientation_is_read_after_the_pixels(tmp_path: Path) -> None:
    tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 274, 3, 1, 6, 0, 0)
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\0" * 4 + (59).to_bytes(3, "little") + (39).to_bytes(3, "little")
    chunks += b"VP8 " + struct.pack("<I", 100_000) + b"\0" * 100_000 + b"EXIF" + struct.pack("<I", len(tiff)) + tiff
    content = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
    path = write(tmp_path, "a.webp", content)
    assert read_with_digest(path) == (Header(60, 40, 6), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("size", [100, 100_000])
def test_digests_are_in_image_order(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "_cores", lambda: 4)
    contents = [start_of_jpeg(10 + number, 20) + bytes([number]) * size for number in range(70)]
    contents[30] = b"not an image" + b"x" * size
    paths = [write(tmp_path, f"{number}.jpg", content) for number, content in enumerate(contents)]
    found = list(read_all(paths))
    assert [digest for _, digest in found] == [hashlib.sha256(content).hexdigest() for content in contents]
    assert [header for header, _ in found] == [header for header, _ in read_headers(paths)]
    assert found[30][0] is None
    assert found[31][0] == Header(41, 20)


@pytest.mark.parametrize("size", [100, 100_000])
def test_unreadable_image_is_named(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "_cores", lambda: 4)
    paths = [write(tmp_path, f"{number}.jpg", start_of_jpeg(10, 20) + b"p" * size) for number in range(40)]
    os.unlink(paths[37])
    os.symlink(tmp_path, paths[37])  # a folder
    with pytest.raises(IsADirectoryError, match=r"37\.jpg"):
        list(read_all(paths))
