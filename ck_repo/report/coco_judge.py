"""pycocotools' COCOeval with a short cut: an image without objects of a class has nothing to match.

Most pairs of an image and a class are of that kind. The figures are COCOeval's to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval


class Judge(COCOeval):  # type: ignore[misc]
    """COCOeval for boxes."""

    def computeIoU(self, imgId: int, catId: int) -> Any:
        """The overlaps of an image's detections and objects of a class; none where there are no objects."""
        return super().computeIoU(imgId, catId) if self._gts[imgId, catId] else []

    def evaluateImg(self, imgId: int, catId: int, aRng: Sequence[float], maxDet: int) -> dict[str, Any] | None:
        """What matches in an image: all that COCOeval's method returns."""
        if self._gts[imgId, catId]:
            found: dict[str, Any] | None = super().evaluateImg(imgId, catId, aRng, maxDet)
            return found
        rows = self._dts[imgId, catId]
        if not rows:
            return None
        scores = np.asarray([row["score"] for row in rows])
        order = np.argsort(-scores, kind="mergesort")[:maxDet]
        areas = np.asarray([rows[at]["area"] for at in order])
        steps, count = len(self.params.iouThrs), len(order)
        ignored = np.tile((areas < aRng[0]) | (areas > aRng[1]), (steps, 1))
        return {
            "image_id": imgId, "category_id": catId, "aRng": aRng, "maxDet": maxDet,
            "dtIds": [rows[at]["id"] for at in order], "gtIds": [], "dtMatches": np.zeros((steps, count)),
            "gtMatches": np.zeros((steps, 0)), "dtScores": [rows[at]["score"] for at in order],
            "gtIgnore": np.zeros(0), "dtIgnore": ignored,
        }  # fmt: skip
