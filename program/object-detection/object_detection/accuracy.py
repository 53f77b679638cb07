"""Score an accuracy log with pycocotools' COCOeval, as in the reference's accuracy-coco.py."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
from pathlib import Path
from typing import Any

from object_detection.annotations import ImageList
from object_detection.contract.record import read
from object_detection.contract.results import Accuracy
from object_detection.detections_file import DETECTIONS, unanswered, write_detections
from object_detection.errors import HarnessError
from object_detection.logs import Found, read_answers
from object_detection.spec import Spec

CLASSES = "classes.json"  # written next to accuracy.txt
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
    remarks
        Gets a remark about categories that the model never detects.
    """
    found = read_answers(log)
    results = as_coco(found, images, spec.model.classes_are)
    figures, text = judged(images, found, results, output.with_name(CLASSES))
    write_detections(images, results, output.with_name(DETECTIONS))
    if remarks is not None and (remark := unanswered(images, found, results)):
        remarks.append(remark)
    digest = hashlib.sha256(log.read_bytes()).hexdigest()
    output.write_text(f"{text}hash={digest}\n", encoding="utf-8")
    return read(Accuracy, {**figures, "detections": sum(map(len, found.values())), "images": len(found)})


def judged(
    images: ImageList, found: Found, results: list[dict[str, Any]], classes: Path | None = None
) -> tuple[dict[str, float], str]:
    """COCO's metrics of detections, and the first part of accuracy.txt.

    Parameters
    ----------
    classes
        The file for the metrics of each class.
    """
    samples = tuple(sorted(found))
    images.check_scored(samples)
    truth = images.truth.as_coco([images.samples[index] for index in samples])
    figures, table = evaluate(truth, results, [images.ids[index] for index in samples], classes)
    return figures, f"{table}mAP={100 * figures['mAP']:.3f}%\n"


def as_coco(found: Found, images: ImageList, classes_are: str) -> list[dict[str, Any]]:
    """Detections in COCO's format of results: boxes in pixels, [x, y, width, height]; contiguous classes as category ids."""
    rows = []
    for index, boxes in found.items():
        if not 0 <= index < len(images):
            raise HarnessError(f"the log has sample {index}, and the data set has {len(images)} images")
        width, height = images.sizes[index]
        for ymin, xmin, ymax, xmax, confidence, kind in boxes:
            if not math.isfinite(kind):
                raise HarnessError(f"the model answers class {kind} for sample {index}")
            category = int(kind)
            if classes_are == "contiguous":
                if not 1 <= category <= len(images.categories):
                    raise HarnessError(
                        f"the model answers class {category}, and the data set has {len(images.categories)} categories"
                    )
                category = images.categories[category - 1]
            left, top = xmin * width, ymin * height
            rows.append(
                {
                    "image_id": images.ids[index],
                    "category_id": category,
                    "bbox": [left, top, xmax * width - left, ymax * height - top],
                    "score": confidence,
                }
            )
    return rows


def evaluate(
    annotations: dict[str, Any], results: list[dict[str, Any]], image_ids: list[int], classes: Path | None = None
) -> tuple[dict[str, float], str]:
    """COCOeval(bbox) of the images: its metrics and its table; the metrics of each class are written to `classes`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    table = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = annotations
        truth.createIndex()
        if not results:  # loadRes does not support an empty list of detections
            return dict.fromkeys(_NAMES, 0.0), ""
        judge = COCOeval(truth, truth.loadRes(results), iouType="bbox")
        judge.params.imgIds = image_ids
        judge.evaluate()
        judge.accumulate()
        with contextlib.redirect_stdout(table):
            judge.summarize()
    if classes is not None:
        classes.write_text(json.dumps(by_class(judge), ensure_ascii=False) + "\n", encoding="utf-8")
    return {name: float(value) for name, value in zip(_NAMES, judge.stats, strict=True)}, table.getvalue()


def by_class(judge: Any) -> list[dict[str, Any]]:
    """AP and AP50 of every class that has objects in the images, as COCOeval accumulated them."""
    names = {row["id"]: str(row.get("name", row["id"])) for row in judge.cocoGt.dataset["categories"]}
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
