"""Images with damaged data: decoders fill in the gap, so the results name them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")

from object_detection.damage import damaged, remark, stderr_watched  # noqa: E402
from object_detection.prepared import prepare  # noqa: E402
from object_detection.preprocess import decode  # noqa: E402


def jpeg(path: Path, *, hurt: bool = False) -> Path:
    """A noisy picture; if damaged, a part in the middle is missing, but the end marker is there."""
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    middle = len(content) // 2
    path.write_bytes(content[: middle - 500] + content[middle + 500 :] if hurt else content)
    return path


def data_set(folder: Path) -> Path:
    """Three JPEG images, the second damaged, with annotations in COCO's format."""
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    images = []
    for number in (1, 2, 3):
        path = jpeg(folder / "val2017" / f"{number}.jpg", hurt=number == 2)
        images.append({"id": number, "file_name": path.name, "width": 160, "height": 120})
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
    content = {"images": images, "annotations": [box], "categories": [{"id": 1, "name": "thing"}]}
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    return folder


def test_damaged_image_is_identified_among_others(tmp_path: Path) -> None:
    paths = [jpeg(tmp_path / "good.jpg"), jpeg(tmp_path / "bad.jpg", hurt=True)]
    with stderr_watched(pass_on=False) as complaints:
        for path in paths:
            decode(path)
    assert complaints.of_a_decoder
    found = damaged(paths, decode)
    assert list(found) == ["bad.jpg"]
    assert remark(found).startswith("the image bad.jpg is damaged: Corrupt JPEG data")
    assert remark({"b": "x", "a": "y"}) == "2 images are damaged, the first a: y"
    assert remark({}) == ""


def test_other_stderr_output_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with stderr_watched() as complaints:
        os.write(2, b"a word of a framework\n")
    assert not complaints.of_a_decoder
    assert capfd.readouterr().err == "a word of a framework\n"


@pytest.mark.parametrize("pixels", [{}, {"dtype": "float32", "scaling": "plus-minus-one"}], ids=["kept", "loaded"])
def test_damaged_image_is_named_when_its_input_was_cached(
    harness: Callable[..., Any],
    spec_for: Callable[..., dict[str, Any]],
    plugin: Callable[[str], Path],
    tmp_path: Path,
    pixels: dict[str, str],
) -> None:
    for name in ("mlperf_loadgen", "pycocotools"):
        pytest.importorskip(name)
    toy = plugin("return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None")
    spec = spec_for(
        data_set=data_set(tmp_path / "set"), cache=str(tmp_path / "cache"), model_changes={"backend": "toy", **pixels}
    )
    for _ in range(2):
        outcome = harness(spec, path=toy)
        assert outcome.results["remarks"] == ["the image 2.jpg is damaged: Corrupt JPEG data: premature end of data segment"]


@pytest.mark.parametrize(("side", "library"), [(300, "opencv"), (1200, "opencv"), (300, "pillow")])
def test_prepared_data_set_keeps_names_of_damaged_images(tmp_path: Path, side: int, library: str) -> None:
    if library == "pillow":
        pytest.importorskip("PIL")
    source, output = data_set(tmp_path / "set"), tmp_path / "prepared"
    output.mkdir()
    annotations = source / "annotations" / "instances_val2017.json"
    prepare(source / "val2017", annotations, "full", side, library, output)
    assert list(json.loads((output / "damaged.json").read_text())) == ["2.jpg"]
