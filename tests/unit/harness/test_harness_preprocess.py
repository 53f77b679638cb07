"""Pre-processing equals the v1.0.1 reference's bit for bit, and broken images are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import coco_sets
import pytest

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")

from object_detection.errors import HarnessError  # noqa: E402
from object_detection.preprocess import decode, finished, model_input  # noqa: E402


def reference(path: Path, side: int) -> Any:
    """Facts, section 1: decode with OpenCV → float32 → BGR to RGB → resize to a square, INTER_LINEAR, in float."""
    image = cv2.cvtColor(np.array(cv2.imread(str(path)), dtype=np.float32), cv2.COLOR_BGR2RGB)
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)


def noise(height: int, width: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "noise.jpg"
    assert cv2.imwrite(str(path), noise(120, 160))
    return path


@pytest.fixture(scope="module", params=["made", "published"])
def photographs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """JPEG files: twelve of noise, and twenty from COCO."""
    if request.param == "made":
        folder = tmp_path_factory.mktemp("coco")
        coco_sets.write_coco(folder, images=12, drawn=True)
        return sorted((folder / "val2017").glob("*.jpg"))
    return sorted((request.getfixturevalue("data") / "coco79/val2017").glob("*.jpg"))[::4]


def test_images_match_reference_bit_for_bit(photographs: list[Path]) -> None:
    assert len(photographs) in (12, 20)
    for path in photographs:
        expected = reference(path, 300).astype(np.uint8)  # astype truncates, as the reference's np.asarray does
        found = model_input(path, 300, "none", "NHWC")
        assert found.dtype == np.uint8
        assert np.array_equal(found, expected), path.name


@pytest.mark.parametrize(("height", "width"), [(240, 320), (300, 300), (1, 1), (7, 900), (641, 479)])
def test_any_shape_becomes_model_square(tmp_path: Path, height: int, width: int) -> None:
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), noise(height, width))
    assert np.array_equal(model_input(path, 300, "none", "NHWC"), reference(path, 300).astype(np.uint8))


def test_values_are_truncated_not_rounded(tmp_path: Path) -> None:
    path = tmp_path / "two.png"
    cv2.imwrite(str(path), np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    exact = reference(path, 8)
    found = model_input(path, 8, "none", "NHWC")
    assert np.array_equal(found, np.floor(exact))
    assert (np.rint(exact) != np.floor(exact)).any()  # otherwise the image could not tell the two apart


def test_plus_minus_one(jpeg: Path) -> None:
    """coco-300-pt: (x - 127.5) / 127.5, NCHW float32."""
    found = model_input(jpeg, 300, "plus-minus-one", "NCHW")
    expected = reference(jpeg, 300)
    expected -= 127.5
    expected /= 127.5
    assert (found.dtype, found.shape) == (np.float32, (3, 300, 300))
    assert np.array_equal(found, expected.transpose(2, 0, 1))
    assert found.min() >= -1
    assert found.max() <= 1


def test_imagenet(jpeg: Path) -> None:
    """coco-1200: x / 255, minus mean, over deviation, NCHW float32."""
    found = model_input(jpeg, 1200, "imagenet", "NCHW")
    mean, deviation = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    expected = (reference(jpeg, 1200) / 255.0 - mean) / deviation
    assert (found.dtype, found.shape) == (np.float32, (3, 1200, 1200))
    assert np.array_equal(found, expected.transpose(2, 0, 1))


@pytest.mark.parametrize("scaling", ["none", "plus-minus-one", "imagenet"])
def test_layouts_hold_the_same_values(jpeg: Path, scaling: str) -> None:
    rows, planes = model_input(jpeg, 40, scaling, "NHWC"), model_input(jpeg, 40, scaling, "NCHW")
    assert rows.flags.c_contiguous
    assert planes.flags.c_contiguous
    assert np.array_equal(rows.transpose(2, 0, 1), planes)


def test_exif_orientation_is_ignored(jpeg: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.jpg"
    # EXIF with one entry, 0x0112 Orientation = 6: rotate by 90°
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    turned.write_bytes(with_exif(jpeg.read_bytes(), tiff))
    assert np.array_equal(decode(turned), decode(jpeg))
    assert cv2.imread(str(turned)).shape != decode(jpeg).shape


def with_exif(jpeg: bytes, tiff: bytes) -> bytes:
    """The JPEG with an APP1 segment after its start marker."""
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def refused(path: Path) -> str:
    with pytest.raises(HarnessError) as caught:
        decode(path)
    assert str(path) in caught.value.what
    assert caught.value.hint
    return caught.value.what


def test_missing_image_is_named(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "absent.jpg")


def test_empty_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert "is empty" in refused(tmp_path / "empty.jpg")


def test_non_image_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    assert "not an image" in refused(tmp_path / "page.jpg")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9999])
def test_truncated_jpeg_is_named(jpeg: Path, tmp_path: Path, share: float) -> None:
    """OpenCV fills the rest with grey and says nothing."""
    content = jpeg.read_bytes()
    path = tmp_path / "cut.jpg"
    path.write_bytes(content[: int(share * len(content))])
    refused(path)


def test_jpeg_truncated_after_thumbnail_is_named(jpeg: Path, tmp_path: Path) -> None:
    """A thumbnail in the EXIF part has an end marker of its own, which is not the image's."""
    small = cv2.imencode(".jpg", noise(16, 16))[1].tobytes()
    whole = with_exif(jpeg.read_bytes(), small)
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[: whole.index(small) + len(small) + 3000])
    refused(path)


def test_jpeg_with_trailing_bytes_is_read(jpeg: Path, tmp_path: Path) -> None:
    path = tmp_path / "padded.jpg"
    path.write_bytes(jpeg.read_bytes() + b"\0" * 100)
    assert np.array_equal(decode(path), decode(jpeg))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_png_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.png"
    cv2.imwrite(str(path), noise(120, 160))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("scaling", ["unit", "plus-minus-one", "imagenet"])
@pytest.mark.parametrize(("mean", "std"), [((), ()), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), ((127.5,), ())])
def test_resize_matches_plain_arithmetic_bit_for_bit(
    layout: str, scaling: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    """Pixels are processed in place in another order than usual; and the given image is unchanged."""
    image = np.random.default_rng(1).uniform(0, 255, (37, 64, 3)).astype(np.float32)
    before = image.copy()
    divisor = {"unit": 255, "imagenet": 255}.get(scaling, 1)
    own_mean, own_std = {
        "unit": ((0.0,), (1.0,)),
        "plus-minus-one": ((127.5,), (127.5,)),
        "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    }[scaling]
    expected = image / np.float32(divisor) - np.array(mean or own_mean, np.float32)
    expected = expected / np.array(std or own_std, np.float32)
    expected = expected.transpose(2, 0, 1) if layout == "NCHW" else expected
    found = finished(image, scaling, layout, mean=mean, std=std)
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()
    assert found.shape == expected.shape
    assert found.flags.c_contiguous
    assert (image == before).all()
