"""COCOeval of pycocotools, whose figures count, or of faster-coco-eval, which computes the same ones several times as fast.

faster-coco-eval has COCOeval's loops in C++. Both compute the same precisions and recalls but for the last bit; pycocotools
takes the means and prints the table in both cases.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from object_detection.datasets.coco_format import CocoData, CocoResult
from object_detection.errors import HarnessError

PYCOCOTOOLS, FASTER = "pycocotools", "faster-coco-eval"
AUTO = "auto"


def chosen(choice: str, official: bool) -> str:
    """The scorer to use.

    Parameters
    ----------
    choice
        `PYCOCOTOOLS`, `FASTER`, or `AUTO`: `FASTER` where it is installed and the run is not official.

    Raises
    ------
    HarnessError
        If the scorer is not installed.
    """
    if choice == AUTO:
        return FASTER if not official and _version(FASTER) else PYCOCOTOOLS
    if not _version(choice):
        raise HarnessError(
            f"--scorer={choice}: {choice} is not installed in the venv",
            f"`ck install package --tags=lib,python-package,{choice}`, or omit the option",
        )
    return choice


def described(scorer: str) -> str:
    """A scorer with its version."""
    return f"{scorer} {_version(scorer)}"


def accumulated(scorer: str, annotations: CocoData, results: Sequence[CocoResult], images: Sequence[int]) -> tuple[Any, str]:
    """Score boxes.

    Parameters
    ----------
    annotations
        The data set in COCO's format.
    results
        Detections in COCO's format of results; at least one.
    images
        The ids of the images that count.

    Returns
    -------
    judge, table
        A COCOeval of pycocotools with `params`, `eval` and `stats`, and the table that it prints.
    """
    from pycocotools.cocoeval import COCOeval

    found = [
        {**row, "id": number, "area": row["bbox"][2] * row["bbox"][3], "iscrowd": 0} for number, row in enumerate(results, 1)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        judge = _computed(scorer, annotations, {**annotations, "annotations": found}, images)
    judged, table = COCOeval(iouType="bbox"), io.StringIO()
    judged.params.imgIds, judged.params.catIds, judged.eval = judge.params.imgIds, judge.params.catIds, judge.eval
    with contextlib.redirect_stdout(table):
        judged.summarize()
    return judged, table.getvalue()


def _computed(scorer: str, annotations: CocoData, found: Mapping[str, object], images: Sequence[int]) -> Any:
    coco, cocoeval = _classes(scorer)
    truth, results = coco(), coco()
    truth.dataset, results.dataset = annotations, found
    truth.createIndex()
    results.createIndex()
    judge = cocoeval(truth, results, iouType="bbox")
    judge.params.imgIds = list(images)
    judge.evaluate()
    judge.accumulate()
    return judge


def _classes(scorer: str) -> tuple[Any, Any]:
    if scorer == FASTER:
        from faster_coco_eval import COCO as FastCOCO
        from faster_coco_eval import COCOeval_faster

        return FastCOCO, COCOeval_faster
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return COCO, COCOeval


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
