"""The rule for the selection of detections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A non-maximum suppression.

    Attributes
    ----------
    score_above
        Minimum score of candidates, exclusive.
    iou
        Of two boxes of a class with a larger overlap, the one with the lower score is dropped; with `from_iou` also at
        equality.
    candidates, total
        Maximum number of candidates of a class, and of detections of an image: the best ones.
    epsilon
        Added to the union's area.
    """

    score_above: float
    iou: float
    candidates: int
    total: int
    epsilon: float = 0.0
    from_iou: bool = False

    def with_metadata(self, metadata: Mapping[str, str]) -> Rule:
        """The rule updated with the metadata of a file of weights."""
        return Rule(
            float(metadata.get("score_above", self.score_above)),
            float(metadata.get("iou", self.iou)),
            int(metadata.get("candidates", self.candidates)),
            int(metadata.get("total", self.total)),
            float(metadata.get("epsilon", self.epsilon)),
            self.from_iou,
        )
