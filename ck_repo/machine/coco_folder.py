"""A COCO data set on disk: annotations readable, images there, sizes as the annotations say."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.errors import DetectError
from ck_repo.store.digest import of_file, of_value
from ck_repo.store.installed import InstalledDataset

_KEYS = ("images", "annotations", "categories")


def inspect_coco(path: Path, annotations: Path | None = None) -> InstalledDataset:
    """Check a data set and tell where its parts are: the `dataset` section of an env entry.

    Parameters
    ----------
    path
        Any image of the set, or its folder of images, or the folder above that.
    annotations
        The annotation file; by default ``annotations/instances_<folder of images>.json`` beside the images.

    Raises
    ------
    DetectError
        If something is missing, unreadable or of another size; the message tells how many and names the first.
    """
    images = path.parent if path.is_file() else path
    if not path.exists():
        raise DetectError(f"{path} is not there", hint="name any image of the data set: --full_path=…/val2017/000000000139.jpg")
    if path.is_dir() and (path / "val2017").is_dir():
        images = path / "val2017"
    file = annotations or images.parent / "annotations" / f"instances_{images.name}.json"
    content = read_annotations(file)
    digests = _check_images(images, content["images"], file)
    _check_boxes(content, file)
    annotations_digest = of_file(file)
    return InstalledDataset(
        images=str(images),
        annotations=str(file),
        count=len(content["images"]),
        categories=len(content["categories"]),
        annotations_sha256=annotations_digest,
        stamp=images_stamp(images),
        digest=of_value([annotations_digest, digests]),
    )


def images_stamp(images: Path) -> str:
    """A digest of name, size and change time of every image: quick to take again, to see whether any changed."""
    with os.scandir(images) as rows:
        stats = sorted((row.name, row.stat().st_size, row.stat().st_mtime_ns) for row in rows)
    return of_value(stats)


def read_annotations(file: Path) -> dict[str, Any]:
    """Read a COCO annotation file."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DetectError(
            f"{file} is not there", hint="the annotations lie beside the folder of images, or are named with --annotations="
        ) from None
    except (ValueError, OSError) as error:
        raise DetectError(f"{file} is not readable as JSON: {error}", hint="fetch the annotations again") from None
    missing = [key for key in _KEYS if not isinstance(content, dict) or not isinstance(content.get(key), list)]
    if missing:
        raise DetectError(f"{file} is no COCO annotation file: it has no list of {missing[0]}")
    for key in _KEYS:
        wrong = [row for row in content[key] if not isinstance(row, dict)]
        if wrong:
            raise DetectError(f"{file}: {key} has {wrong[0]!r}, which is not an object")
    if not content["images"]:
        raise DetectError(f"{file} names no image")
    return dict(content)


def _check_images(folder: Path, rows: list[dict[str, Any]], file: Path) -> list[str]:
    """Open every image's header and digest its content; the SHA-256 of each, in order."""
    import imagesize

    missing, wrong, unreadable = [], [], []
    digests = []
    with progress.task(f"checking {folder.name}", len(rows), "images") as task:
        for done, row in enumerate(rows, 1):
            path = folder / str(row.get("file_name", ""))
            if not path.is_file():
                missing.append(path.name)
                continue
            width, height = (-1, -1)
            with contextlib.suppress(OSError, ValueError):
                width, height = imagesize.get(path)
            if width < 0:
                unreadable.append(path.name)
            elif (width, height) != (row.get("width"), row.get("height")):
                wrong.append(f"{path.name} is {width} × {height}, annotated as {row.get('width')} × {row.get('height')}")
            digests.append(of_file(path))
            task.advance_to(done)
    for names, what in (
        (missing, "are not there"),
        (unreadable, "are no images (empty, cut short or of another format)"),
        (wrong, "have another size"),
    ):
        if names:
            raise DetectError(
                f"{folder}: {len(names)} of the {len(rows)} images that {file.name} names {what}, {names[0]} first",
                hint="fetch the data set again, or take the rows out of the annotations",
            )
    return digests


def _check_boxes(content: dict[str, Any], file: Path) -> None:
    known = {row.get("id") for row in content["images"]}
    categories = {row.get("id") for row in content["categories"]}
    for row in content["annotations"]:
        if not isinstance(row.get("image_id"), int | str) or row["image_id"] not in known:
            raise DetectError(
                f"{file}: annotation {row.get('id')} is of image {row.get('image_id')}, which the file does not name"
            )
        if not isinstance(row.get("category_id"), int) or row["category_id"] not in categories:
            raise DetectError(
                f"{file}: annotation {row.get('id')} has the category {row.get('category_id')}, which the file does not name"
            )
