"""Data sets: errors are reported at registration, not when a run is scored."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coco_sets
import pytest

from ck_repo.errors import ConflictError, DetectError, UsageError
from ck_repo.machine import register
from ck_repo.machine.data_set import KINDS, Wanted, inspect_data_set, read_data_set
from ck_repo.session import Session
from ck_repo.stock.environment import read_env
from ck_repo.store.installed import Installed, InstalledDataset
from ck_repo.store.search import load

if TYPE_CHECKING:
    from unit.machine.conftest import DataSet


def inspect_coco(path: Path, annotations: Path | None = None) -> InstalledDataset:
    return inspect_data_set(Wanted("coco", str(path), str(annotations or "")))


def registered(path: Path, **options: str) -> Installed:
    """An env entry of a COCO data set."""
    session = Session()
    found = register.detect(load(session.repositories, "soft", "dataset.coco"), path, options)
    return read_env(register.register(session, found, []))


def test_kinds_match_the_reader() -> None:
    from object_detection.datasets.formats import FORMATS

    assert tuple(sorted(FORMATS)) == KINDS


def test_images_are_found_from_any_folder(tmp_path: Path) -> None:
    root = tmp_path / "coco"
    content = coco_sets.write_coco(root, images=12)
    found = [inspect_coco(path) for path in (root, root / "val2017", root / "val2017" / content["images"][0]["file_name"])]
    assert found[0].digest == found[1].digest == found[2].digest
    assert (found[0].count, found[0].boxes, found[0].categories) == (12, 48, 80)
    assert found[0].annotations == str(root / "annotations/instances_val2017.json")


def test_coco_images_are_found_from_any_folder(data: Path) -> None:
    root = data / "coco79"
    found = [inspect_coco(path) for path in (root, root / "val2017", root / "val2017/000000000139.jpg")]
    assert found[0].digest == found[1].digest == found[2].digest
    assert (found[0].count, found[0].boxes, found[0].crowds, found[0].categories) == (79, 624, 5, 80)
    assert [text for text in found[0].remarks if not text.startswith("categories without an annotation: 2 of 80: ")] == []


def test_annotations_may_be_elsewhere(data_set: DataSet, tmp_path: Path) -> None:
    assert inspect_coco(data_set.images).count == 3
    elsewhere = Path(shutil.move(data_set.file, tmp_path / "mine.json"))
    assert inspect_coco(data_set.images, elsewhere).annotations == str(elsewhere)
    with pytest.raises(DetectError, match=r"instances_val2017\.json does not exist") as caught:
        inspect_coco(data_set.images)
    assert "--annotations=" in caught.value.hint
    with pytest.raises(DetectError, match="absent does not exist"):
        inspect_coco(tmp_path / "absent")


def test_digest_differs_between_sets_but_not_copies(data_set: DataSet, tmp_path: Path) -> None:
    first = inspect_coco(data_set.images).digest
    shutil.copytree(data_set.images.parent, tmp_path / "copy")
    assert inspect_coco(tmp_path / "copy/val2017").digest == first
    del data_set.content["images"][2], data_set.content["annotations"][2]
    data_set.write()
    assert inspect_coco(data_set.images).digest != first


def test_missing_images_are_counted_and_the_first_is_named(data_set: DataSet) -> None:
    (data_set.images / "2.png").unlink()
    (data_set.images / "3.png").unlink()
    with pytest.raises(DetectError, match=r"2 of the 3 images that .* names do not exist, the first: 2\.png"):
        inspect_coco(data_set.images)


@pytest.mark.parametrize("length", [0, 1, 8, 12, 18, 22])
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_empty_or_truncated_image_is_named(data_set: DataSet, kind: str, length: int) -> None:
    path = data_set.images / "2.png"
    content = path.read_bytes() if kind == "png" else coco_sets.flat_jpeg(4, 3)
    path.write_bytes(content[:length])
    with pytest.raises(DetectError, match=r"1 of the 3 images .* are not images .*, the first: 2\.png"):
        inspect_coco(data_set.images)


def test_image_size_mismatch_is_reported_with_both_sizes(data_set: DataSet) -> None:
    data_set.content["images"][1]["width"] = 40
    data_set.write()
    with pytest.raises(DetectError, match=r"have another size, the first: 2\.png is 4 × 3, annotated as 40 × 3"):
        inspect_coco(data_set.images)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"annotations": [{"id": 5, "image_id": 9, "category_id": 7, "bbox": [0, 0, 1, 1]}]},
            "annotation 5 refers to image 9, which",
        ),
        ({"images": []}, "has no images"),
        ({"images": None}, "it has no list of images"),
        ({"categories": {}}, "it has no list of categories"),
        ({"images": ["1.png"]}, 'image number 1 has no usable id: "1.png"'),
        ({"images": [{"id": 1}]}, "image 1 has no file_name"),
        ({"annotations": ["1"]}, "annotation number 1 is not an object"),
        ({"annotations": [{"id": 5, "image_id": [1], "category_id": 7}]}, "annotation 5 has no usable image_id: [1]"),
        ({"categories": ["thing"]}, "category number 1 has no usable id"),
    ],
)
def test_inconsistent_annotations_are_rejected(data_set: DataSet, change: dict[str, Any], why: str) -> None:
    data_set.content |= change
    data_set.write()
    with pytest.raises(DetectError, match=re.escape(why)):
        inspect_coco(data_set.images)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3", b"[" * 100_000, b'{"images": [ ', b'{"images": []'])
def test_other_files_are_rejected_as_annotations(data_set: DataSet, content: bytes) -> None:
    data_set.file.write_bytes(content)
    with pytest.raises(DetectError, match=r"not readable as JSON|not a COCO annotation file"):
        inspect_coco(data_set.images)


def test_reader_crash_rejects_the_data_set(data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "crashing" / "object_detection" / "datasets"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.setattr("ck_repo.machine.data_set.own_folder", lambda: tmp_path / "crashing")
    with pytest.raises(DetectError, match="ended with status -9"):
        inspect_coco(data_set.images)


def test_giant_image_is_rejected_by_name(data_set: DataSet) -> None:
    path = data_set.images / "2.png"
    content = path.read_bytes()
    path.write_bytes(content[:16] + (40_000).to_bytes(4, "big") + (30_000).to_bytes(4, "big") + content[24:])
    with pytest.raises(DetectError, match=r"2\.png has 40000 × 30000 pixels; OpenCV decodes at most 1073741824"):
        inspect_coco(data_set.images)


@pytest.mark.parametrize("where", ["beside", "in a folder", "outside"])
def test_changed_image_is_detected(data_set: DataSet, tmp_path: Path, where: str) -> None:
    folder = {"beside": data_set.images, "in a folder": data_set.images / "part/one", "outside": tmp_path / "elsewhere"}[where]
    folder.mkdir(parents=True, exist_ok=True)
    moved = Path(shutil.move(data_set.images / "3.png", folder / "3.png"))
    data_set.content["images"][2]["file_name"] = (
        str(moved) if where == "outside" else f"{os.path.relpath(moved, data_set.images)}"
    )
    data_set.write()
    env = registered(data_set.images)
    assert register.problem(env) == ""
    (data_set.images / "another.txt").write_text("it is not a part of the data set")
    assert register.problem(env) == ""
    moved.write_bytes(moved.read_bytes() + b"\n")
    assert "were changed after it was registered" in register.problem(env)
    moved.unlink()
    assert f"{moved} of the data set" in register.problem(env)


def test_copied_data_set_is_read_again_once(data_set: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    env = registered(data_set.images)
    content = (data_set.images / "3.png").read_bytes()
    (data_set.images / "3.png").write_bytes(content)  # another date
    assert register.problem(env) == ""
    with monkeypatch.context() as patch:
        patch.setattr("ck_repo.machine.data_set.inspect_data_set", pytest.fail)
        assert register.problem(env) == ""
    (data_set.images / "3.png").write_bytes(content + b"\n")
    assert "were changed after it was registered" in register.problem(env)
    (data_set.images / "3.png").write_bytes(content)
    assert register.problem(env) == ""


def test_file_list_is_rebuilt_without_cache(data_set: DataSet, ck_home: Path) -> None:
    env = registered(data_set.images)
    shutil.rmtree(ck_home / "CK-TOOLS/.cache")
    assert register.problem(env) == ""


def test_read_only_cache_changes_nothing(data_set: DataSet, ck_home: Path) -> None:
    env = registered(data_set.images)
    shutil.rmtree(ck_home / "CK-TOOLS/.cache")
    (ck_home / "CK-TOOLS/.cache").write_text("no folder")
    assert register.problem(env) == ""
    os.utime(data_set.images / "3.png", (1, 1))
    assert register.problem(env) == ""


def test_name_identifies_one_data_set(data_set: DataSet, tmp_path: Path) -> None:
    assert registered(data_set.images, name="pets").name == "pets"
    assert registered(data_set.images, name="pets").name == "pets"  # once more
    shutil.copytree(data_set.images.parent, tmp_path / "copy")
    with pytest.raises(ConflictError, match="the name pets is taken by"):
        registered(tmp_path / "copy/val2017", name="pets")


def test_name_must_be_usable_in_a_request(data_set: DataSet) -> None:
    for name in ("cats,dogs", "-cats", "a/b"):
        with pytest.raises(UsageError, match="is not a valid name"):
            registered(data_set.images, name=name)


def test_data_set_is_written_in_coco_format(data_set: DataSet, tmp_path: Path) -> None:
    data_set.file.write_bytes(data_set.file.read_text().encode("utf-16"))
    target = tmp_path / "plain.json"
    read_data_set(Wanted("coco", str(data_set.images)), coco=target)
    assert inspect_coco(data_set.images, target).remarks == ()
