"""The cache of pre-processed images on disk: written once, atomically, and equal to direct pre-processing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

np = pytest.importorskip("numpy")
pytest.importorskip("cv2")

from object_detection.annotations import ImageList, read_images  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.image_cache import ImageCache  # noqa: E402
from object_detection.preprocess import model_input  # noqa: E402
from object_detection.spec import Spec, read_spec  # noqa: E402

COUNT = 6


@pytest.fixture
def spec(tmp_path: Path, demo_set: Path, spec_for: Callable[..., dict[str, Any]]) -> Spec:
    """A spec with a copy of the first images, for a test to damage."""
    images = tmp_path / "set" / "val2017"
    images.mkdir(parents=True)
    for number in range(1, COUNT + 1):
        shutil.copy(demo_set / "val2017" / f"{number:012d}.png", images)
    shutil.copytree(demo_set / "annotations", tmp_path / "set" / "annotations")
    content = spec_for(data_set=tmp_path / "set", count=COUNT, cache=str(tmp_path / "cache"))
    (tmp_path / "spec.json").write_text(json.dumps(content))
    return read_spec(tmp_path / "spec.json")


@pytest.fixture
def images(spec: Spec) -> ImageList:
    return read_images(spec.dataset, spec.count)


def direct(images: ImageList, index: int) -> Any:
    return model_input(images.paths[index], 300, "none", "NHWC")


def files(spec: Spec, suffix: str) -> list[str]:
    return [path.name for path in spec.cache.glob(f"*{suffix}")] if spec.cache.exists() else []


def test_cache_holds_preprocessed_images(spec: Spec, images: ImageList) -> None:
    found = ImageCache(spec, images).load([4, 0])
    assert np.array_equal(found[0], direct(images, 4))
    assert np.array_equal(found[1], direct(images, 0))


def test_second_open_reads_no_image(spec: Spec, images: ImageList) -> None:
    expected = [direct(images, index) for index in range(COUNT)]
    ImageCache(spec, images)
    shutil.rmtree(spec.dataset.images)
    assert all(np.array_equal(a, b) for a, b in zip(ImageCache(spec, images).load(range(COUNT)), expected, strict=True))


def test_loaded_inputs_are_in_memory(spec: Spec, images: ImageList) -> None:
    """A page of a mapped file would be read from disk during the timed part."""
    row = ImageCache(spec, images).load([1])[0]
    assert type(row) is np.ndarray
    assert row.flags.owndata


@pytest.mark.parametrize("scaling", ["plus-minus-one", "imagenet"])
def test_float_inputs_are_not_cached_on_disk(spec: Spec, images: ImageList, scaling: str) -> None:
    model = replace(spec.model, scaling=scaling, layout="NCHW", dtype="float32")
    found = ImageCache(replace(spec, model=model), images).load([2, 1])
    assert np.array_equal(found[0], model_input(images.paths[2], 300, scaling, "NCHW"))
    assert found[1].dtype == np.float32
    assert not files(spec, "")


def test_layouts_and_data_sets_have_separate_files(spec: Spec, images: ImageList) -> None:
    ImageCache(spec, images)
    planes = ImageCache(replace(spec, model=replace(spec.model, layout="NCHW")), images)
    ImageCache(replace(spec, dataset=replace(spec.dataset, digest="another")), images)
    assert len(files(spec, ".npy")) == 3
    assert planes.load([0])[0].shape == (3, 300, 300)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_broken_image_is_named_and_leaves_no_file(spec: Spec, images: ImageList, content: bytes) -> None:
    images.paths[3].write_bytes(content)
    with pytest.raises(HarnessError, match=images.paths[3].name):
        ImageCache(spec, images)
    assert not files(spec, ".npy")
    assert not files(spec, ".new")


def test_repaired_data_set_works_after_failure(spec: Spec, images: ImageList) -> None:
    content = images.paths[3].read_bytes()
    images.paths[3].write_bytes(content[:500])
    with pytest.raises(HarnessError):
        ImageCache(spec, images)
    images.paths[3].write_bytes(content)
    assert np.array_equal(ImageCache(spec, images).load([3])[0], direct(images, 3))


def test_full_disk_is_reported_and_leaves_no_file(spec: Spec, images: ImageList) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))  # less than two images
    try:
        with pytest.raises(HarnessError, match=r"cannot be stored in .*cache: File too large") as error:
            ImageCache(spec, images)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.hint == "make 2 MB available there"
    assert not files(spec, ".npy")
    assert not files(spec, ".new")
    assert np.array_equal(ImageCache(spec, images).load([5])[0], direct(images, 5))


def test_leftovers_of_killed_process_are_replaced(spec: Spec, images: ImageList) -> None:
    ImageCache(spec, images)
    path = spec.cache / files(spec, ".npy")[0]
    path.with_suffix(".new").write_bytes(path.read_bytes()[:100_000])
    path.unlink()
    assert np.array_equal(ImageCache(spec, images).load([5])[0], direct(images, 5))
    assert not files(spec, ".new")


OPEN = """
import hashlib, sys
from pathlib import Path
from object_detection.annotations import read_images
from object_detection.image_cache import ImageCache
from object_detection.spec import read_spec
spec = read_spec(Path(sys.argv[1]))
sys.stdin.read(1)
rows = ImageCache(spec, read_images(spec.dataset, spec.count)).load(range(6))
print(hashlib.sha256(b"".join(row.tobytes() for row in rows)).hexdigest())
"""


def test_concurrent_processes_do_the_work_once(spec: Spec, images: ImageList) -> None:
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(spec.folder / "spec.json")],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:  # both are ready to read before the first begins
        assert process.stdin is not None
        process.stdin.write("g")
        process.stdin.flush()
    outputs = [process.communicate(timeout=PATIENCE)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0][-1] == outputs[1][-1]
    assert sorted(any("pre-processing" in line for line in lines) for lines in outputs) == [False, True]
    assert len(files(spec, ".npy")) == 1
