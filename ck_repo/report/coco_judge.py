"""A faster version of pycocotools' COCOeval with identical results.

Images without objects of a class need no matching, and detections that overlap no object enough have no match. These are most
of the cases, which COCOeval processes one by one. The results are bitwise equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.cocoeval import COCOeval

Record = dict[str, Any]  # an object, a detection, or the matches in an image, as pycocotools has them


@dataclass(frozen=True)
class _Sorted:
    """The detections of an image and class, the highest scores first."""

    ids: list[int]
    scores: list[float]
    areas: npt.NDArray[np.float64]


class Judge(COCOeval):  # type: ignore[misc]
    """COCOeval for boxes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._ordered: dict[tuple[int, int], _Sorted] = {}

    def computeIoU(self, imgId: int, catId: int) -> Any:
        """The overlaps of an image's detections and objects of a class; none without objects."""
        return super().computeIoU(imgId, catId) if self._gts.get((imgId, catId)) else []

    def evaluateImg(self, imgId: int, catId: int, aRng: Sequence[float], maxDet: int) -> Record | None:
        """The matches in an image, as COCOeval's method returns them.

        Parameters
        ----------
        aRng
            Minimum and maximum area, square pixels; objects and unmatched detections of other areas are ignored.
        maxDet
            Maximum number of detections, the highest scores first.

        Returns
        -------
        dict or None
            ``dtMatches`` (IoUs, detections) and ``gtMatches`` (IoUs, objects) have ids, 0 for none; ``dtIgnore`` and
            ``gtIgnore`` what
            does not count. None if the image has neither.
        """
        objects, found = self._gts.get((imgId, catId)) or [], self._dts.get((imgId, catId)) or []
        if not objects and not found:
            return None
        rows = self._sorted(imgId, catId, found, maxDet)
        steps, count = len(self.params.iouThrs), len(rows.ids)
        ignore = [bool(each["ignore"]) or not aRng[0] <= each["area"] <= aRng[1] for each in objects]
        order = sorted(range(len(objects)), key=lambda at: ignore[at])
        ignored = np.asarray([ignore[at] for at in order], dtype=np.int64)
        matched, taken = np.zeros((steps, count)), np.zeros((steps, len(order)))
        passed = np.repeat(((rows.areas < aRng[0]) | (rows.areas > aRng[1]))[None], steps, axis=0)
        if objects and found:
            mine = [objects[at] for at in order]
            self._match(self.ious[imgId, catId][:, order], mine, rows, ignored, matched, taken, passed)
        return {
            "image_id": imgId, "category_id": catId, "aRng": aRng, "maxDet": maxDet, "dtIds": rows.ids,
            "gtIds": [objects[at]["id"] for at in order], "dtMatches": matched, "gtMatches": taken, "dtScores": rows.scores,
            "gtIgnore": ignored, "dtIgnore": passed,
        }  # fmt: skip

    def _sorted(self, image: int, category: int, found: list[Record], limit: int) -> _Sorted:
        key = (image, category)
        if key not in self._ordered:
            order = np.argsort([-row["score"] for row in found], kind="mergesort")[:limit]
            rows = [found[at] for at in order]
            areas = np.asarray([row["area"] for row in rows], dtype=np.float64)
            self._ordered[key] = _Sorted([row["id"] for row in rows], [row["score"] for row in rows], areas)
        return self._ordered[key]

    def _match(
        self, overlaps: npt.NDArray[np.float64], objects: list[Record], rows: _Sorted,
        ignored: npt.NDArray[np.int64], matched: npt.NDArray[np.float64], taken: npt.NDArray[np.float64],
        passed: npt.NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Assign each detection, in order, to the free object with the largest overlap; to an ignored one only if needed."""
        thresholds = [min(float(each), 1 - 1e-10) for each in self.params.iouThrs]
        near = overlaps >= thresholds[0]
        crowd = [bool(each["iscrowd"]) for each in objects]
        for row in np.flatnonzero(near.any(axis=1)).tolist():
            candidates = [(at, float(overlaps[row, at])) for at in np.flatnonzero(near[row]).tolist()]
            for step, threshold in enumerate(thresholds):
                best, overlap_of_best, passes = -1, threshold, False
                for at, overlap in candidates:
                    if taken[step, at] > 0 and not crowd[at]:
                        continue
                    if best >= 0 and not passes and ignored[at]:
                        break
                    if overlap >= overlap_of_best:
                        best, overlap_of_best, passes = at, overlap, bool(ignored[at])
                if best >= 0:
                    matched[step, row], passed[step, row] = objects[best]["id"], passes
                    taken[step, best] = rows.ids[row]
