"""What a file is that is not what it should be, by its first bytes."""

from __future__ import annotations

# first bytes, at a position, what they are, and what to do about it
_SIGNS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"version https://git-lfs.github.com/", "a pointer of Git LFS", "run `git lfs pull` where it comes from"),
    (0, b"PK\x03\x04", "a ZIP archive", "unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (0, b"\xfd7zXZ\0", "compressed with xz", "unpack it"),
    (0, b"BZh", "compressed with bzip2", "unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unpack it"),
    (257, b"ustar", "a tar archive", "unpack it"),
    (0, b"PAR1", "a Parquet file", "export it in COCO's format"),
    (0, b"SQLite format 3\0", "an SQLite database", "export it in COCO's format"),
    (0, b"%PDF-", "a PDF", "write its images as PNG or JPEG"),
    (4, b"ftyphei", "a HEIC image", "convert it to PNG or JPEG"),
    (4, b"ftyphev", "a HEIC image", "convert it to PNG or JPEG"),
    (4, b"ftypmif1", "a HEIF image", "convert it to PNG or JPEG"),
    (0, b"\xff\x0a", "a JPEG XL image", "convert it to PNG or JPEG"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image", "convert it to PNG or JPEG"),
    (0, b"8BPS", "a Photoshop image", "convert it to PNG or JPEG"),
    (0, b"\0\0\x01\0", "an icon", "convert it to PNG or JPEG"),
)
_TEXTS = (
    (b"<!doctype html", "a web page", "it may be an error message of a server: download the file again"),
    (b"<html", "a web page", "it may be an error message of a server: download the file again"),
    (b"<svg", "an SVG drawing", "convert it to PNG or JPEG"),
    (b"<annotation", "XML, as Pascal VOC has it", "name the data set with soft:dataset.voc"),
    (b"<?xml", "XML", "export the annotations in COCO's format"),
)
ENOUGH = 512  # bytes


def sign_of(content: bytes) -> tuple[str, str]:
    """What a file with these first bytes is, and what to do about it; both are empty if it is nothing that is known.

    >>> sign_of(b"PK\\x03\\x04 and more")
    ('a ZIP archive', 'unpack it')
    """
    for at, sign, what, hint in _SIGNS:
        if content[at : at + len(sign)] == sign:
            return what, hint
    if content and not content.strip(b"\0"):
        return "zeros and nothing else", "copy it again: its content was never written"
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:32].lower()
    return next(((what, hint) for sign, what, hint in _TEXTS if start.startswith(sign)), ("", ""))
