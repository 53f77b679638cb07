"""Image files from cameras and tools: every mode and format that OpenCV reads, and sizes and orientations in headers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")

from object_detection.datasets.__main__ import answer  # noqa: E402
from object_detection.datasets.header import read_header  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.preprocess import decode  # noqa: E402

WIDTH, HEIGHT = 60, 40


def picture(channels: int = 3, dtype: str = "uint8") -> Any:
    chance = np.random.default_rng(3)
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return chance.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def encoded(suffix: str, image: Any) -> bytes:
    done, content = cv2.imencode(suffix, image)
    assert done
    return bytes(content.tobytes())


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def palette_png(transparency: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    rows = b"".join(b"\0" + bytes((x + y) % 4 for x in range(WIDTH)) for y in range(HEIGHT))
    colours = chunk(b"PLTE", bytes(range(12))) + transparency
    parts = (chunk(b"IHDR", header), colours, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def by_pillow(mode: str, suffix: str, **options: Any) -> bytes:
    image = pytest.importorskip("PIL.Image")
    import io

    target = io.BytesIO()
    image.fromarray(picture()).convert(mode).save(target, suffix, **options)
    return target.getvalue()


def rle_bmp() -> bytes:
    """A bitmap of 256 greys with one run per pixel."""
    rows = b"".join(b"".join(bytes([1, (x + y) % 256]) for x in range(WIDTH)) + b"\0\0" for y in range(HEIGHT)) + b"\0\1"
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    start = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + palette + rows


def two_frames(suffix: str, **options: Any) -> bytes:
    """A file of two images, of which the first counts."""
    image = pytest.importorskip("PIL.Image")
    import io

    target, first = io.BytesIO(), image.fromarray(picture()[..., ::-1].copy())
    first.save(target, suffix, save_all=True, append_images=[first.rotate(180)], **options)
    return target.getvalue()


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "grey PNG": (".png", lambda: encoded(".png", picture(1))),
    "16 bits PNG": (".png", lambda: encoded(".png", picture(3, "uint16"))),
    "grey 16 bits PNG": (".png", lambda: encoded(".png", picture(1, "uint16"))),
    "PNG with alpha": (".png", lambda: encoded(".png", picture(4))),
    "palette PNG": (".png", palette_png),
    "grey JPEG": (".jpg", lambda: encoded(".jpg", picture(1))),
    "progressive JPEG": (".jpg", lambda: cv2.imencode(".jpg", picture(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()),
    "CMYK JPEG": (".jpg", lambda: by_pillow("CMYK", "JPEG")),
    "JPEG named otherwise": (".dat", lambda: encoded(".jpg", picture())),
    "BMP": (".bmp", lambda: encoded(".bmp", picture())),
    "WebP": (".webp", lambda: encoded(".webp", picture())),
    "lossless WebP": (".webp", lambda: cv2.imencode(".webp", picture(), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()),
    "WebP with alpha": (".webp", lambda: encoded(".webp", picture(4))),
    "TIFF": (".tif", lambda: encoded(".tiff", picture())),
    "16 bits TIFF": (".tiff", lambda: encoded(".tiff", picture(3, "uint16"))),
    "CMYK TIFF": (".tif", lambda: by_pillow("CMYK", "TIFF")),
    "PPM": (".ppm", lambda: encoded(".ppm", picture())),
    "PGM": (".pgm", lambda: encoded(".pgm", picture(1))),
    "PAM": (".pam", lambda: encoded(".pam", picture())),
    "JPEG 2000": (".jp2", lambda: encoded(".jp2", picture())),
    "BMP with runs": (".bmp", rle_bmp),
    "BMP from the top": (
        ".bmp",
        lambda: (rows := encoded(".bmp", picture()))[:22] + struct.pack("<i", -HEIGHT) + rows[26:],
    ),
    "palette PNG with transparency": (".png", lambda: palette_png(chunk(b"tRNS", bytes([0, 90, 255])))),
    "MPO of a stereo camera": (".jpg", lambda: two_frames("MPO")),
    "animated WebP": (".webp", lambda: two_frames("WEBP", lossless=True)),
    "GIF": (".gif", lambda: two_frames("GIF")),
    "AVIF": (".avif", lambda: encoded(".avif", picture())),
    "pages of TIFF": (".tiff", lambda: two_frames("TIFF")),
    "BigTIFF": (".tif", lambda: by_pillow("RGB", "TIFF", big_tiff=True)),
    "Sun raster": (".ras", lambda: encoded(".ras", picture())),
}


@pytest.mark.parametrize("name", FILES)
def test_opencv_modes_and_formats_are_read(tmp_path: Path, name: str) -> None:
    suffix, make = FILES[name]
    path = tmp_path / f"image{suffix}"
    path.write_bytes(make())
    image = decode(path)
    assert (image.shape, image.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    header = read_header(path)
    assert header is not None
    assert (header.width, header.height) in ((WIDTH, HEIGHT), (0, 0))
    assert header.width or name == "Sun raster"


def turned(suffix: str, orientation: int) -> bytes:
    """An image whose EXIF data has an orientation for viewers."""
    tiff = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 274, 3, 1, orientation) + b"\0\0\0\0"
    content = encoded(suffix, picture())
    if suffix == ".jpg":
        return content[:2] + b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff + content[2:]
    if suffix == ".png":
        return content[:33] + chunk(b"eXIf", tiff) + content[33:]
    assert suffix == ".tiff"
    count = struct.unpack_from("<H", content, (at := struct.unpack_from("<I", content, 4)[0]))[0]
    rows = [content[at + 2 + 12 * n : at + 14 + 12 * n] for n in range(count)]
    rows = sorted([row for row in rows if row[:2] != b"\x12\x01"] + [struct.pack("<HHII", 274, 3, 1, orientation)],
                  key=lambda row: struct.unpack_from("<H", row))  # fmt: skip
    end = len(content) + len(content) % 2
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + b"\0\0\0\0"
    return (content[:4] + struct.pack("<I", end) + content[8:]).ljust(end, b"\0") + directory


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_pixels_are_used_regardless_of_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    plain, path = tmp_path / f"plain{suffix}", tmp_path / f"turned{suffix}"
    plain.write_bytes(encoded(suffix, picture()))
    path.write_bytes(turned(suffix, orientation))
    header = read_header(path)
    assert header is not None
    assert (header.width, header.height, header.orientation) == (WIDTH, HEIGHT, orientation)
    assert np.array_equal(decode(path), decode(plain))


def registered(folder: Path, content: bytes, width: int, height: int) -> dict[str, Any]:
    """The reader's result for a data set of one image with that annotated size."""
    import json

    (folder / "images").mkdir()
    (folder / "images/a.jpg").write_bytes(content)
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
    rows = [{"id": 1, "file_name": "a.jpg", "width": width, "height": height}]
    file = folder / "a.json"
    file.write_text(json.dumps({"images": rows, "annotations": [box], "categories": [{"id": 1, "name": "thing"}]}))
    return answer({"format": "coco", "path": str(folder / "images"), "annotations": str(file)})


def test_orientation_is_remarked(tmp_path: Path) -> None:
    found = registered(tmp_path, turned(".jpg", 6), WIDTH, HEIGHT)
    assert found["remarks"] == [
        "images with an EXIF orientation, which is ignored: the stored pixels are used: 1, the first a.jpg"
    ]


@pytest.mark.parametrize(("orientation", "exif"), [(6, True), (8, True), (3, False), (1, False)])
def test_swapped_size_is_explained_by_orientation(tmp_path: Path, orientation: int, exif: bool) -> None:
    found = registered(tmp_path, turned(".jpg", orientation), HEIGHT, WIDTH)
    assert ("EXIF orientation" in found["error"]) is exif
    assert "a.jpg is 60 × 40, annotated as 40 × 60" in found["error"]
    assert "fetch" not in found["hint"]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff", ".jp2", ".ppm", ".avif"])
def test_truncated_image_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(suffix, picture())[:-200])
    with pytest.raises(HarnessError, match=rf"a\{suffix} is (truncated or damaged|not an image)"):
        decode(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"\0\0\0\x18ftypheic", "a HEIC image"), (b"<svg/>", "an SVG drawing"), (b"<html>404", "a web page"),
     (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS")],
)  # fmt: skip
def test_non_image_file_is_identified(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=f"is not an image that OpenCV can decode: it is {what}"):
        decode(path)


def test_big_tiff_is_read_as_stored(tmp_path: Path) -> None:
    plain, turned_ = tmp_path / "plain.tif", tmp_path / "turned.tif"
    plain.write_bytes(by_pillow("RGB", "TIFF", big_tiff=True))
    turned_.write_bytes(by_pillow("RGB", "TIFF", big_tiff=True, tiffinfo={274: 6}))
    header = read_header(turned_)
    assert header is not None
    assert (header.width, header.height, header.orientation) == (WIDTH, HEIGHT, 6)
    assert np.array_equal(decode(turned_), decode(plain))


def film(size: int) -> bytes:
    """Similar to the film of a motion photo: it contains JPEG markers by chance."""
    return b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff\xd8 film " * (size // 10)


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("progressive", [0, 1])
def test_data_after_jpeg_end_marker_is_ignored(tmp_path: Path, size: int, progressive: int) -> None:
    content = cv2.imencode(".jpg", picture(), [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, 4])[1]
    plain, path = tmp_path / "plain.jpg", tmp_path / "motion.jpg"
    plain.write_bytes(content.tobytes())
    path.write_bytes(content.tobytes() + film(size))
    assert np.array_equal(decode(path), decode(plain))


def test_truncated_jpeg_with_thumbnail_is_an_error(tmp_path: Path) -> None:
    thumbnail = b"Exif\0\0" + encoded(".jpg", picture())
    content = encoded(".jpg", picture())
    path = tmp_path / "a.jpg"
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + content[2:-400])
    with pytest.raises(HarnessError, match=r"a\.jpg is truncated"):
        decode(path)


def test_giant_image_is_named_with_its_size(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 40_000, 30_000, 8, 0, 0, 0, 0)
    path = tmp_path / "giant.png"
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(HarnessError, match=r"giant\.png has 40000 × 30000 pixels; OpenCV decodes at most 1073741824") as caught:
        decode(path)
    assert "scale it down" in caught.value.hint


def test_non_8_bit_pixels_are_named(tmp_path: Path) -> None:
    path = tmp_path / "deep.tiff"
    path.write_bytes(encoded(".tiff", picture().astype(np.float32) / 255))
    with pytest.raises(HarnessError, match=r"deep\.tiff"):
        decode(path)
