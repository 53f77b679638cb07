"""Score an accuracy log with COCOeval, as the reference's accuracy-coco.py does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from object_detection import scorer
from object_detection.annotations import ImageList
from object_detection.contract.record import read
from object_detection.contract.results import Accuracy
from object_detection.datasets.coco_format import CocoCategory, CocoData, CocoResult
from object_detection.detections import WIDTH
from object_detection.detections_file import DETECTIONS, unanswered, write_detections
from object_detection.errors import HarnessError
from object_detection.logs import Found, read_answers
from object_detection.spec import Spec

CLASSES = "classes.json"  # beside accuracy.txt
_NO_CLASS = 2.0**31  # no data set has so many
# COCOeval.stats, in order
_NAMES = (
    "mAP",
    "AP50",
    "AP75",
    "AP_small",
    "AP_medium",
    "AP_large",
    "AR1",
    "AR10",
    "AR100",
    "AR_small",
    "AR_medium",
    "AR_large",
)


def score(spec: Spec, images: ImageList, log: Path, output: Path, remarks: list[str] | None = None) -> Accuracy:
    """Score the log; write accuracy.txt, with the log's hash as for submissions, and detections.json.

    Parameters
    ----------
    log
        LoadGen's accuracy log.
    output
        accuracy.txt; detections.json and classes.json are written to the same folder.
    remarks
        Gets a remark about categories that the model never detects.

    Raises
    ------
    HarnessError
        If the log has invalid detections, or mAP is undefined for its images.
    """
    found = read_answers(log)
    results = as_coco(found, images, spec.model.classes_are)
    using = scorer.chosen(spec.scorer, spec.official)
    figures, text = judged(images, found, results, using, output.with_name(CLASSES))
    write_detections(images, results, output.with_name(DETECTIONS))
    if remarks is not None and (remark := unanswered(images, found, results)):
        remarks.append(remark)
    digest = hashlib.sha256(log.read_bytes()).hexdigest()
    output.write_text(f"{text}hash={digest}\n", encoding="utf-8")
    counts = {"detections": sum(map(len, found.values())), "images": len(found)}
    return read(Accuracy, {**figures, **counts, "scorer": scorer.described(using)})


def judged(
    images: ImageList, found: Found, results: list[CocoResult], using: str, classes: Path | None = None
) -> tuple[dict[str, float], str]:
    """COCO's metrics of detections, and the first part of accuracy.txt.

    Parameters
    ----------
    found
        Detections by sample index, as from `read_answers`.
    results
        The same detections in COCO's format.
    using
        The scorer.
    classes
        The file for the metrics of each class.

    Returns
    -------
    figures, text
        Metrics by name, 0 to 1, and the text.

    Raises
    ------
    HarnessError
        If mAP is undefined for these images.
    """
    samples = tuple(sorted(found))
    images.check_scored(samples)
    truth = images.truth.as_coco([images.samples[index] for index in samples])
    figures, table = evaluate(truth, results, [images.ids[index] for index in samples], using, classes)
    return figures, f"{table}mAP={100 * figures['mAP']:.3f}%\n"


def as_coco(found: Found, images: ImageList, classes_are: str) -> list[CocoResult]:
    """Convert detections to COCO's format of results.

    Parameters
    ----------
    found
        By sample index: (n, 6), ymin, xmin, ymax, xmax (0 to 1), score, class.
    classes_are
        ``category``: category ids. ``contiguous``: numbers from 1 in the order of the data set's categories.

    Returns
    -------
    list
        Boxes are [x, y, width, height] in pixels of the original image.

    Raises
    ------
    HarnessError
        If the data set does not have a sample or a contiguous class, or a class is not a number.
    """
    for index in found:
        if not 0 <= index < len(images):
            raise HarnessError(f"the log has sample {index}, and the data set has {len(images)} images")
    samples, counts = list(found), [len(boxes) for boxes in found.values()]
    rows = np.concatenate([np.empty((0, WIDTH - 1), np.float32), *found.values()]).astype(np.float64)
    of_sample = np.repeat(np.asarray(samples, dtype=np.int64), counts)
    kinds = rows[:, 5]
    if len(wrong := np.flatnonzero(~(np.abs(kinds) < _NO_CLASS))):  # NaN, too
        raise HarnessError(f"the model returned class {kinds[wrong[0]]:g} for sample {of_sample[wrong[0]]}")
    categories: list[int] = kinds.astype(np.int64).tolist()
    if classes_are == "contiguous":
        known = len(images.categories)
        if (wrong_kind := next((kind for kind in categories if not 1 <= kind <= known), None)) is not None:
            raise HarnessError(f"the model returned class {wrong_kind}, and the data set has {known} categories")
        categories = [images.categories[kind - 1] for kind in categories]
    scale = np.asarray([images.sizes[index] for index in samples], dtype=np.float64).reshape(-1, 2)
    width, height = np.repeat(scale, counts, axis=0).T
    top, left, bottom, right = rows[:, 0] * height, rows[:, 1] * width, rows[:, 2] * height, rows[:, 3] * width
    boxes = np.stack([left, top, right - left, bottom - top], axis=1)
    ids = [images.ids[index] for index, count in zip(samples, counts, strict=True) for _ in range(count)]
    return [
        {"image_id": image, "category_id": category, "bbox": box, "score": score}
        for image, category, box, score in zip(ids, categories, boxes.tolist(), rows[:, 4].tolist(), strict=True)
    ]


def evaluate(
    annotations: CocoData,
    results: list[CocoResult],
    image_ids: list[int],
    using: str = scorer.PYCOCOTOOLS,
    classes: Path | None = None,
) -> tuple[dict[str, float], str]:
    """Score detections with COCOeval (bbox).

    Parameters
    ----------
    annotations
        In COCO's format.
    image_ids
        The images that count.
    using
        The scorer.
    classes
        The file for the metrics of each class.

    Returns
    -------
    figures, table
        The twelve metrics by name (0 to 1; -1 where no object has the size), and COCOeval's table. Without any detection all
        are 0, and the table is empty.
    """
    if not results:  # nothing detected anywhere: COCOeval cannot say so
        return dict.fromkeys(_NAMES, 0.0), ""
    judge, table = scorer.accumulated(using, annotations, results, image_ids)
    if classes is not None:
        rows = by_class(judge, annotations["categories"])
        classes.write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")
    return {name: float(value) for name, value in zip(_NAMES, judge.stats, strict=True)}, table


def by_class(judge: Any, categories: Sequence[CocoCategory]) -> list[dict[str, object]]:
    """AP and AP50 of every class that has objects in the images.

    Parameters
    ----------
    judge
        A COCOeval with accumulated results.
    categories
        Of the data set, for the names.

    Returns
    -------
    list
        ``category_id``, ``name``, ``AP`` and ``AP50`` (0 to 1) of each class.
    """
    names = {row["id"]: row["name"] for row in categories}
    precision = judge.eval["precision"][:, :, :, 0, -1]
    rows = []
    for number, category in enumerate(judge.params.catIds):
        part = precision[:, :, number]
        if (part > -1).any():
            half = part[0]
            rows.append(
                {
                    "category_id": int(category),
                    "name": names.get(category, str(category)),
                    "AP": float(part[part > -1].mean()),
                    "AP50": float(half[half > -1].mean()),
                }
            )
    return rows
