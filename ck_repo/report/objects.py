"""Detections of a run and objects of its data set, as arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from ck_repo.errors import CKError, ConfigError
from ck_repo.machine.data_set import COCO, Wanted, read_data_set
from ck_repo.report.subject import Subject
from ck_repo.rounds.logs import read_samples
from ck_repo.session import Session
from ck_repo.store.entry import META
from ck_repo.store.installed import InstalledDataset, read_installed
from ck_repo.store.plain_file import MISSING, flaw, opened
from ck_repo.store.search import find

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_LOG, _RESULTS = "accuracy/mlperf_log_accuracy.json", "accuracy/detections.json"
_MAXIMUM = 4 << 30  # maximum bytes of a file of detections
_WIDTH = 7  # number of float32 for each detection in an accuracy log


@dataclass(frozen=True)
class Image:
    """An image of the data set.

    Attributes
    ----------
    id
        A number; `named` is the id in the annotations.
    width, height
        Pixels.
    path
        Its file; None if it is missing, or outside the image folder.
    """

    id: int
    named: int | str
    name: str
    width: int
    height: int
    path: Path | None


@dataclass(frozen=True)
class Truth:
    """The annotations of the images that a run used.

    Attributes
    ----------
    categories
        Name by category id, in the order of the annotation file.
    named_categories
        The id as the annotations have it, by category id.
    images
        By image id, in the order of the data set.
    image, category, box, area, crowd
        One entry for each object; boxes are [x, y, width, height] in pixels.
    """

    categories: Mapping[int, str]
    named_categories: Mapping[int, int | str]
    images: Mapping[int, Image]
    image: Integers
    category: Integers
    box: Floats
    area: Floats
    crowd: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Detections:
    """The detections of a run, one entry for each; boxes are [x, y, width, height] in pixels."""

    image: Integers
    category: Integers
    box: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.image)


class Unavailable(CKError):
    """Data for a part of a report is missing; the report mentions it and continues."""


def read_objects(session: Session, subject: Subject) -> tuple[Truth, Detections]:
    """The annotations and detections of a run's accuracy test.

    Raises
    ------
    Unavailable
        If the run has no accuracy log, or its annotations are not on this machine.
    ConfigError
        If a file is not valid.
    """
    if not subject.spec:
        raise Unavailable("the detections of imported results come without annotations")
    listed = any(flaw(subject.folder, name) != MISSING for name in (_RESULTS, _LOG))
    if not subject.accuracy or not listed:
        raise Unavailable("the run has no accuracy log")
    source = _source(_dataset(session, subject))
    content, images = source.content, _images(source, subject)
    categories = [int(row["id"]) for row in content["categories"]]
    if flaw(subject.folder, _RESULTS) != MISSING and (source.has_numbers or flaw(subject.folder, _LOG) == MISSING):
        seen, found = _from_results(subject, images)
    else:
        seen, found = _from_log(subject, images, categories)
    return _truth(source, {image.id: image for image in images if image.id in seen}), found


@dataclass(frozen=True)
class _Source:
    """A data set as the reader of annotations gives it.

    Attributes
    ----------
    content
        In COCO's format, whatever the file had: ids are numbers, and no field is missing.
    folder
        Of the images.
    files
        Of the images, in their order; empty where one is missing.
    image_ids, category_ids
        As the annotations have them.
    """

    content: Mapping[str, Any]
    folder: Path
    files: Sequence[str]
    image_ids: Sequence[int | str]
    category_ids: Sequence[int | str]

    @property
    def has_numbers(self) -> bool:
        """Whether the ids of results are those of the content."""
        ids = [row["id"] for key in ("images", "categories") for row in self.content[key]]
        return ids == [*self.image_ids, *self.category_ids]


def _spec_part(subject: Subject, name: str) -> Mapping[str, Any]:
    """An object of the run's spec; empty if it is missing."""
    part = subject.spec.get(name)
    return part if isinstance(part, Mapping) else {}


def _dataset(session: Session, subject: Subject) -> Wanted:
    """The registered or installed data set with the digest of the run's.

    The paths in the run's spec are not used, because experiments may be untrusted and pages show the content of files.
    """
    spec, recorded = _spec_part(subject, "dataset"), subject.record.dataset
    digests = {str(spec.get("digest") or ""), recorded.digest if recorded else ""} - {""}
    for entry in find(session.repositories, "env"):
        try:
            env = read_installed(entry.meta(), entry.path / META)
        except CKError:
            continue
        if env.digest not in digests or not env.path:
            continue
        parts = env.dataset or InstalledDataset()
        if parts.annotations and (Path(env.path) / parts.annotations).is_file():
            return Wanted(COCO, parts.images, parts.annotations, inside=parts.inside).below(Path(env.path))
    raise Unavailable(f"no COCO annotations of the data set {spec.get('name', '')} are registered or installed on this machine")


def _source(wanted: Wanted) -> _Source:
    with TemporaryDirectory() as name:
        coco = Path(name) / "coco.json"
        found = read_data_set(wanted, coco, check=False)
        content = json.loads(coco.read_bytes())
    return _Source(content, Path(found.images), found.files, found.image_ids, found.category_ids)


def _images(source: _Source, subject: Subject) -> list[Image]:
    """The images in the benchmark's order: a sample's index is its position."""
    rows = [*zip(source.content["images"], source.image_ids, source.files, strict=True)]
    if _spec_part(subject, "dataset").get("only_annotated"):
        annotated = {row["image_id"] for row in source.content["annotations"]}
        rows = [row for row in rows if row[0]["id"] in annotated]
    count = subject.spec.get("count") if subject.spec else None
    rows = rows[:count] if isinstance(count, int) and count > 0 else rows
    return [
        Image(row["id"], named, row["file_name"], row["width"], row["height"], _below(source.folder, file))
        for row, named, file in rows
    ]


def _below(folder: Path, file: str) -> Path | None:
    """The file of an image; None if it is outside the image folder."""
    path = Path(os.path.normpath(file))
    return path if file and path.is_relative_to(Path(os.path.normpath(folder))) else None


def _from_log(subject: Subject, images: list[Image], categories: list[int]) -> tuple[set[int], Detections]:
    contiguous = _spec_part(subject, "model").get("classes_are") == "contiguous"
    seen: set[int] = set()
    ids, parts = [], []
    for sample in read_samples(subject.folder / _LOG, subject.folder):
        if not 0 <= sample.qsl_idx < len(images):
            raise ConfigError(f"{subject.folder / _LOG} has sample {sample.qsl_idx}, and the data set has {len(images)} images")
        image = images[sample.qsl_idx]
        if image.id in seen:  # the first answer of a sample is used
            continue
        seen.add(image.id)
        values = np.frombuffer(sample.data[: len(sample.data) // (4 * _WIDTH) * (4 * _WIDTH)], dtype="<f4")
        rows = values.reshape(-1, _WIDTH)[:, 1:].astype(np.float64)
        rows[:, [0, 2]] *= image.height
        rows[:, [1, 3]] *= image.width
        parts.append(rows)
        ids.append(np.full(len(rows), image.id, dtype=np.int64))
    rows = np.concatenate(parts) if parts else np.zeros((0, 6))
    top, left, bottom, right, score, kind = rows.T
    if not np.isfinite(rows).all():
        raise ConfigError(f"{subject.folder / _LOG} has values that are not numbers")
    category = kind.astype(np.int64)
    if contiguous and len(category):
        if category.min() < 1 or category.max() > len(categories):
            raise ConfigError(f"{subject.folder / _LOG} has classes that the data set does not have")
        category = np.asarray(categories, dtype=np.int64)[category - 1]
    box = np.stack([left, top, right - left, bottom - top], axis=1)
    return seen, Detections(np.concatenate(ids) if ids else np.zeros(0, np.int64), category, box, score)


def _from_results(subject: Subject, images: list[Image]) -> tuple[set[int], Detections]:
    """Detections in COCO's format of results; every image of the data set is treated as used."""
    path = subject.folder / _RESULTS
    try:
        with opened(subject.folder, _RESULTS, maximum=_MAXIMUM) as file:
            rows = json.load(file)
        image = np.asarray([int(row["image_id"]) for row in rows], dtype=np.int64)
        category = np.asarray([int(row["category_id"]) for row in rows], dtype=np.int64)
        box = np.asarray([[float(value) for value in row["bbox"]] for row in rows], dtype=np.float64).reshape(-1, 4)
        score = np.asarray([float(row["score"]) for row in rows], dtype=np.float64)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(f"{path} is not a list of COCO results: {type(error).__name__} {error}") from None
    known = {row.id for row in images}
    if not set(image.tolist()) <= known or not (np.isfinite(box).all() and np.isfinite(score).all()):
        raise ConfigError(f"{path} has images that the data set does not have, or values that are not numbers")
    return _seen(subject, images) or known, Detections(image, category, box, score)


def _seen(subject: Subject, images: list[Image]) -> set[int]:
    """The images of the accuracy log, including those without detections."""
    if flaw(subject.folder, _LOG) == MISSING:
        return set()
    samples = {sample.qsl_idx for sample in read_samples(subject.folder / _LOG, subject.folder)}
    return {images[index].id for index in samples if 0 <= index < len(images)}


def _truth(source: _Source, images: Mapping[int, Image]) -> Truth:
    rows = [row for row in source.content["annotations"] if row["image_id"] in images]
    categories = source.content["categories"]
    return Truth(
        {row["id"]: row["name"] for row in categories},
        {row["id"]: named for row, named in zip(categories, source.category_ids, strict=True)},
        images,
        np.asarray([row["image_id"] for row in rows], dtype=np.int64),
        np.asarray([row["category_id"] for row in rows], dtype=np.int64),
        np.asarray([row["bbox"] for row in rows], dtype=np.float64).reshape(-1, 4),
        np.asarray([row["area"] for row in rows], dtype=np.float64),
        np.asarray([row["iscrowd"] for row in rows], dtype=np.bool_),
    )
